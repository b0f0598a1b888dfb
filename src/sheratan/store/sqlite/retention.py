"""Reads of retention."""

from __future__ import annotations

import json
from collections.abc import Collection
from itertools import starmap

from sheratan.store.retention_rows import EndedRow, Remains, RemainsCount, RetentionRow
from sheratan.store.sqlite.scans import SqliteScans

__all__ = ["SqliteRetention"]


class SqliteRetention(SqliteScans):
    """Reads of how long jobs are kept, and of what is left of those that were pruned."""

    def retentions(self) -> list[RetentionRow]:
        """What was ever set, by tenant and kind."""
        return list(starmap(RetentionRow, self._rows("select_retentions")))

    def ended_jobs(self, above: int, limit: int) -> list[EndedRow]:
        """Jobs that have ended, by number, from the one after a number on."""
        return list(starmap(EndedRow, self._rows("select_ended_jobs", (above, limit))))

    def still_needed(self, numbers: Collection[int]) -> set[int]:
        """Those of these jobs that somebody may still ask for."""
        return {row[0] for row in self._rows("select_still_needed", (json.dumps(list(numbers)),))}

    def remains(self, numbers: Collection[int]) -> list[Remains]:
        """What is left of these jobs, in no particular order; those that were not pruned are left out."""
        return list(starmap(Remains, self._rows("select_remains", (json.dumps(list(numbers)),))))

    def remains_count(self, above: int | None = None) -> RemainsCount:
        """How many rows went with jobs that were pruned, or with those of them that are above a number."""
        return RemainsCount(*self._one("select_remains_count", (0 if above is None else above,)))

    def pruned_count(self) -> int:
        """How many jobs were pruned."""
        count: int = self._one("select_pruned_count", ())[0]
        return count
