"""The archive: the journal's oldest entries, moved into files."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sheratan.contracts.request import Reason, Request
from sheratan.contracts.retention import KeepSeconds

__all__ = [
    "ArchiveJournal",
    "ArchivePreview",
    "GetJournalRetention",
    "JournalRetention",
    "KeepJournal",
    "ListSegments",
    "PreviewArchive",
    "SegmentRecord",
]

_Bound = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class ArchiveJournal(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Move the oldest entries into a file, one segment of them: those before an instant, before an entry, or both.

    Answered with the segment, or null when there is nothing to archive: what is open keeps its story in the journal.
    """

    before_us: _Bound | None = None
    before_entry: _Bound | None = None
    reason: Reason = ""


class PreviewArchive(ArchiveJournal, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What would be archived, in all segments together; nothing is changed or recorded."""


class KeepJournal(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keep entries in the journal for so long, or for ever (None); answered with the entry that says so.

    What is older is archived by the server itself, from now on and segment by segment.
    """

    keep_seconds: KeepSeconds | None = None
    reason: Reason = ""


class GetJournalRetention(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long entries are kept in the journal."""


class JournalRetention(msgspec.Struct, frozen=True, kw_only=True):
    """How long entries are kept in the journal, None for ever; `entry` says so, None when nothing was ever set."""

    keep_seconds: int | None
    entry: int | None


class ListSegments(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The segments that were archived, oldest first."""


class ArchivePreview(msgspec.Struct, frozen=True, kw_only=True):
    """So many entries from the first one on would be archived.

    `needed_from` is the first entry that something open needs, when that keeps more from being archived.
    """

    first: int
    entries: int
    needed_from: int | None = None


class SegmentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that were archived, `first` to `last`; the last one is of the instant `until_us`.

    `file` is the name of their file in the archive, with its size in bytes and its SHA-256; `entry` tells of it.
    """

    first: int
    last: int
    until_us: int
    file: str
    bytes: int
    digest: str
    entry: int
