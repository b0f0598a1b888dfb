"""The command of the archive."""

from __future__ import annotations

import msgspec

from sheratan.kernel.fold_archive import SegmentFact

__all__ = ["ArchiveSegment"]


class ArchiveSegment(msgspec.Struct, frozen=True, kw_only=True):
    """Move the oldest entries out of the journal. They stand in a file by now, which is durable.

    The segment has no entry yet. It follows on an entry with the hash `before`; `state` is that of the fold after it.
    """

    segment: SegmentFact
    before: str
    state: bytes
    reason: str
