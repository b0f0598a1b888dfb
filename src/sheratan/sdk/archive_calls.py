"""What a client may do about the archive."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.api import Transport
from sheratan.contracts.archive import (
    ArchiveJournal,
    ArchivePreview,
    GetJournalRetention,
    JournalRetention,
    KeepJournal,
    ListSegments,
    PreviewArchive,
    SegmentRecord,
)
from sheratan.contracts.values import convert

__all__ = ["ArchiveCalls", "archive_all"]


async def archive_all(transport: Transport, request: ArchiveJournal) -> list[SegmentRecord]:
    """Archive all that a request means by now, one segment after the other."""
    preview: ArchivePreview = await transport.call(
        PreviewArchive(before_us=request.before_us, before_entry=request.before_entry)
    )
    # Each segment leaves an entry, which would be archived with the next one for ever.
    end = preview.first + preview.entries
    fixed = ArchiveJournal(before_entry=end, reason=request.reason)
    segments: list[SegmentRecord] = []
    while True:
        segment: SegmentRecord | None = await transport.call(fixed)
        if segment is None:
            return segments
        segments.append(segment)


class ArchiveCalls:
    """The part of a client that moves the journal's oldest entries into files, or says when the server does it."""

    _transport: Transport

    async def archive_journal(
        self, *, before_us: int | None = None, before_entry: int | None = None, reason: str = ""
    ) -> list[SegmentRecord]:
        """Move the entries before an instant (microseconds since the epoch), before an entry, or both into files.

        What is open keeps its story in the journal. Returns the segments that were archived; Unavailable when the
        disk is full, Conflict when a file is in the way.
        """
        wanted = _wanted(before_us, before_entry) | {"reason": reason}
        return await archive_all(self._transport, convert(wanted, ArchiveJournal))

    async def preview_archive(
        self, *, before_us: int | None = None, before_entry: int | None = None
    ) -> ArchivePreview:
        """How many entries would be archived; nothing is changed or recorded."""
        request = convert(_wanted(before_us, before_entry), PreviewArchive)
        preview: ArchivePreview = await self._transport.call(request)
        return preview

    async def keep_journal(self, *, keep_seconds: int | None, reason: str = "") -> int:
        """Keep entries in the journal for so long, None for ever; what is older the server archives by itself.

        What is open keeps its story. Returns the journal entry that records it; Unavailable where the journal is in
        memory.
        """
        wanted = {"keep_seconds": keep_seconds, "reason": reason}
        entry: int = await self._transport.call(convert(wanted, KeepJournal))
        return entry

    async def journal_retention(self) -> JournalRetention:
        """How long entries are kept in the journal."""
        found: JournalRetention = await self._transport.call(GetJournalRetention())
        return found

    async def archived_segments(self) -> list[SegmentRecord]:
        """The segments that were archived, oldest first."""
        segments: list[SegmentRecord] = await self._transport.call(ListSegments())
        return segments


def _wanted(before_us: int | None, before_entry: int | None) -> dict[str, Any]:
    return {"before_us": before_us, "before_entry": before_entry}
