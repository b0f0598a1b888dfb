"""What the engine asks of a database about alerts."""

from __future__ import annotations

from typing import Protocol

from sheratan.kernel.alerting import AlertFact

__all__ = ["AlertReader"]


class AlertReader(Protocol):
    """Reads of alerts, and of what they watch that is not in memory."""

    def alerts(self) -> list[AlertFact]:
        """Every alert that was ever raised, by subject."""
        ...

    def dead_letters_up_to(self, most: int) -> int:
        """How many dead letters there are; no more than `most` of them are counted."""
        ...

    def first_dead_letter_us(self) -> int | None:
        """When that dead letter has failed that came in first; None without any."""
        ...
