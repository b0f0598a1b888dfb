"""What the engine asks of a database about segments of the journal that were archived."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from sheratan.kernel.fold_archive import KeptFact, SegmentFact

__all__ = ["ArchiveReader", "Needed"]


class Needed(NamedTuple):
    """What stays in the journal: entries of this instant and later ones, this entry and later ones; None: no matter."""

    at_us: int | None
    entry: int | None


class ArchiveReader(Protocol):
    """Reads of segments that were archived, and of what may not be archived yet."""

    def journal_kept(self) -> KeptFact:
        """How long entries are kept in the journal."""
        ...

    def segments(self) -> list[SegmentFact]:
        """The segments, oldest first."""
        ...

    def fold_state(self, end: int) -> bytes | None:
        """The state of the fold after the last segment, when that ends before this entry."""
        ...

    def oldest_needed(self) -> Needed:
        """What open jobs and those that they descend from, open runs, bulk operations and pauses need."""
        ...
