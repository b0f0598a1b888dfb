"""The commands of the archive."""

from __future__ import annotations

import msgspec

from sheratan.kernel.fold_archive import SegmentFact

__all__ = ["ArchiveSegment", "KeepEntries"]


class KeepEntries(msgspec.Struct, frozen=True, kw_only=True):
    """Keep entries in the journal for so long, or for ever (None)."""

    keep_us: int | None
    reason: str


class ArchiveSegment(msgspec.Struct, frozen=True, kw_only=True):
    """Move the oldest entries out of the journal. They stand in a file by now, which is durable.

    The segment has no entry yet. It follows on an entry with the hash `before`; `state` is that of the fold after it.
    `due_us` is the instant of the last entry that is due by what is set; None when somebody asks for it.
    """

    segment: SegmentFact
    before: str
    state: bytes
    reason: str
    due_us: int | None = None
