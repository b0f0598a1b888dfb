"""The part of a unit that says what is kept, and takes away what is not."""

from __future__ import annotations

from sheratan.kernel.fold_archive import KeptFact, SegmentFact
from sheratan.store.retention_rows import RetentionRow

__all__ = ["KeptChanges"]


class KeptChanges:
    """How long jobs, runs and entries are kept, which jobs and runs are pruned, and what leaves the journal."""

    def __init__(self) -> None:
        self.retentions: dict[tuple[str, str], RetentionRow] = {}
        self.pruned: dict[int, list[int]] = {}
        """The jobs that each of these entries prunes."""
        self.pruned_runs: dict[int, list[int]] = {}
        """The runs that each of these entries prunes."""
        self.segment: tuple[SegmentFact, bytes] | None = None
        """The segment that is archived, and the state of the fold after it."""
        self.journal_kept: KeptFact | None = None
        """How long entries are kept from now on, where that is set."""
