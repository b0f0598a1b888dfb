"""Reads of alerts, and of what they watch."""

from __future__ import annotations

from sheratan.kernel.alerting import AlertFact
from sheratan.store.sqlite.scans import SqliteScans

__all__ = ["SqliteAlerts"]


class SqliteAlerts(SqliteScans):
    """Reads of alerts."""

    def alerts(self) -> list[AlertFact]:
        """Every alert that was ever raised, by subject."""
        rows = self._rows("select_alerts")
        return [AlertFact(*row)._replace(is_open=bool(row[1]), is_told=bool(row[8])) for row in rows]

    def dead_letters_up_to(self, most: int) -> int:
        """How many dead letters there are; no more than `most` of them are counted."""
        count: int = self._one("select_dead_letters_up_to", (most,))[0]
        return count

    def first_dead_letter_us(self) -> int | None:
        """When that dead letter has failed that came in first; None without any."""
        found = next(self._rows("select_first_dead_letter"), None)
        return None if found is None else found[0]
