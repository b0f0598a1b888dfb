"""The command of the archive."""

from __future__ import annotations

import msgspec

__all__ = ["ArchiveSegment"]


class ArchiveSegment(msgspec.Struct, frozen=True, kw_only=True):
    """Move the oldest entries out of the journal. They stand in a file by now, which is durable.

    They are those from `first` on, which follows on an entry with the hash `before`, and before `end`; the last of
    them is of the instant `until_us` and has the hash `after`. `file` has `size` bytes and the SHA-256 `digest`;
    `state` is that of the fold after them.
    """

    first: int
    end: int
    until_us: int
    before: str
    after: str
    file: str
    size: int
    digest: str
    state: bytes
    reason: str
