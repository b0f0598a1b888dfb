"""Reads of retention."""

from __future__ import annotations

import json
from collections.abc import Collection
from itertools import starmap

from sheratan.store.retention_rows import (
    EndedRow,
    EndedRunRow,
    Remains,
    RemainsCount,
    RetentionRow,
    RunRemains,
    RunRemainsCount,
)
from sheratan.store.sqlite.scans import SqliteScans

__all__ = ["SqliteRetention"]


class SqliteRetention(SqliteScans):
    """Reads of how long jobs and runs are kept, and of what is left of those that were pruned."""

    def retentions(self) -> list[RetentionRow]:
        """What was ever set, by tenant and scope."""
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

    def ended_runs(self, above: int, limit: int) -> list[EndedRunRow]:
        """Runs that have ended, by number, from the one after a number on."""
        return list(starmap(EndedRunRow, self._rows("select_ended_runs", (above, limit))))

    def runs_still_needed(self, numbers: Collection[int]) -> set[int]:
        """Those of these runs that somebody may still ask for."""
        return {row[0] for row in self._rows("select_runs_still_needed", (json.dumps(list(numbers)),))}

    def run_remains(self, numbers: Collection[int]) -> list[RunRemains]:
        """What is left of these runs, in no particular order; those that were not pruned are left out."""
        return list(starmap(RunRemains, self._rows("select_run_remains", (json.dumps(list(numbers)),))))

    def run_remains_count(self) -> RunRemainsCount:
        """How many runs were pruned, and how many rows went with them."""
        return RunRemainsCount(*self._one("select_run_remains_count", ()))

    def taken_from_pruned(self, numbers: Collection[int]) -> list[tuple[int, int]]:
        """Which of these runs were pruned while another had taken over nodes and was open: both numbers, in order."""
        return list(self._rows("select_taken_from_pruned", (json.dumps(list(numbers)),)))
