"""What the engine asks of a database about retention."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from sheratan.store.retention_rows import (
    EndedRow,
    EndedRunRow,
    Remains,
    RemainsCount,
    RetentionRow,
    RunRemains,
    RunRemainsCount,
)

__all__ = ["RetentionReader"]


class RetentionReader(Protocol):
    """Reads of how long jobs and runs are kept, and of what is left of those that were pruned."""

    def retentions(self) -> list[RetentionRow]:
        """What was ever set, by tenant and scope."""
        ...

    def ended_jobs(self, above: int, limit: int) -> list[EndedRow]:
        """Jobs that have ended, by number, from the one after a number on."""
        ...

    def still_needed(self, numbers: Collection[int]) -> set[int]:
        """Those of these jobs that somebody may still ask for.

        Dead letters; jobs that a job runs after which has not ended; jobs of a parent or of a run that has not
        ended; the last job of a schedule.
        """
        ...

    def remains(self, numbers: Collection[int]) -> list[Remains]:
        """What is left of these jobs, in no particular order; those that were not pruned are left out."""
        ...

    def remains_count(self, above: int | None = None) -> RemainsCount:
        """How many rows went with jobs that were pruned, or with those of them that are above a number."""
        ...

    def pruned_count(self) -> int:
        """How many jobs were pruned."""
        ...

    def ended_runs(self, above: int, limit: int) -> list[EndedRunRow]:
        """Runs that have ended, by number, from the one after a number on."""
        ...

    def runs_still_needed(self, numbers: Collection[int]) -> set[int]:
        """Those of these runs that somebody may still ask for.

        Runs with a job that was not pruned; runs of a run that was not pruned; runs from which one has taken over nodes
        that has not ended; the last run of a schedule.
        """
        ...

    def run_remains(self, numbers: Collection[int]) -> list[RunRemains]:
        """What is left of these runs, in no particular order; those that were not pruned are left out."""
        ...

    def run_remains_count(self) -> RunRemainsCount:
        """How many runs were pruned, and how many rows went with them."""
        ...

    def taken_from_pruned(self, numbers: Collection[int]) -> list[tuple[int, int]]:
        """Which of these runs were pruned while another had taken over nodes and was open: both numbers, in order."""
        ...
