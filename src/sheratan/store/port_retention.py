"""What the engine asks of a database about retention."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from sheratan.store.retention_rows import EndedRow, Remains, RemainsCount, RetentionRow

__all__ = ["RetentionReader"]


class RetentionReader(Protocol):
    """Reads of how long jobs are kept, and of what is left of those that were pruned."""

    def retentions(self) -> list[RetentionRow]:
        """What was ever set, by tenant and kind."""
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
