"""`sheratan journal archive`, `keep` and `segments`: the journal's oldest entries, moved into files."""

from __future__ import annotations

import time

import click

from sheratan.cli.output import draw_table, emit, line
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import instant, kept
from sheratan.cli.values import DURATION, whole
from sheratan.contracts import api
from sheratan.contracts.archive import ArchivePreview, JournalRetention, SegmentRecord
from sheratan.sdk.archive_calls import archive_all

__all__ = ["archive_journal", "keep_journal", "list_segments"]

_FOR_EVER = "forever"
_HEADERS = ("ENTRIES", "UNTIL", "FILE", "BYTES", "ENTRY")


@click.command("archive")
@click.option("--older-than", type=DURATION, help="Archive entries that are older, such as 90d.")
@click.option(
    "--before-entry", type=click.IntRange(min=0), metavar="N", help="Archive entries before this one."
)
@click.option("--dry-run", is_flag=True, help="Say how many entries would be archived, and do nothing.")
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def archive_journal(
    session: Session, older_than: float | None, before_entry: int | None, dry_run: bool, reason: str
) -> None:
    """Move the oldest entries of the journal into files of the server's archive.

    Entries that something open needs stay, and so do those after them. Files are named by an entry, with their
    SHA-256; `sheratan journal verify --archive DIR` checks them with the rest.
    """
    if older_than is None and before_entry is None:
        raise click.UsageError("Say how far with --older-than, --before-entry, or both.")
    before_us = None if older_than is None else time.time_ns() // 1_000 - round(older_than * 1_000_000)
    wanted = {"before_us": before_us, "before_entry": before_entry}
    if dry_run:
        asked = request(api.PreviewArchive, **wanted)
        preview: ArchivePreview = ask(session, lambda transport: transport.call(asked), offline=True)
        emit(session, preview, lambda: line(_tell(preview)))
        return
    asked = request(api.ArchiveJournal, **wanted, reason=reason)
    found = ask(session, lambda transport: archive_all(transport, asked))
    emit(session, found, lambda: _draw(found) if found else line("nothing to archive"))


@click.command("keep")
@click.argument("time", required=False)
@click.option("--reason", default="", help="Why; it goes into the journal.")
@command_options
def keep_journal(session: Session, time: str | None, reason: str) -> None:
    """Keep entries in the journal for TIME, such as 90d or 12h, or `forever`; without TIME, say what is set.

    The server itself archives what is older, now and from then on, as `sheratan journal archive` does.
    """
    if time is None:
        found = ask(session, _retention, offline=True)
        emit(session, found, lambda: line(_tell_kept(found)))
        return
    seconds = None if time == _FOR_EVER else whole(DURATION.convert(time, None, None))
    asked = request(api.KeepJournal, keep_seconds=seconds, reason=reason)
    entry: int = ask(session, lambda transport: transport.call(asked))
    done = JournalRetention(keep_seconds=asked.keep_seconds, entry=entry)
    emit(session, done, lambda: line(_tell_kept(done)))


@click.command("segments")
@command_options
def list_segments(session: Session) -> None:
    """List the segments of the journal that were archived, and say how long entries are kept."""

    async def look(transport: api.Transport) -> tuple[list[SegmentRecord], JournalRetention]:
        return await transport.call(request(api.ListSegments)), await _retention(transport)

    found, retention = ask(session, look, offline=True)

    def draw() -> None:
        _draw(found)
        line()
        line(_tell_kept(retention))

    emit(session, found, draw)


async def _retention(transport: api.Transport) -> JournalRetention:
    found: JournalRetention = await transport.call(request(api.GetJournalRetention))
    return found


def _tell_kept(found: JournalRetention) -> str:
    entry = "" if found.entry is None else f" (entry {found.entry})"
    return f"entries are kept {kept(found.keep_seconds)}{entry}"


def _tell(preview: ArchivePreview) -> str:
    needed = preview.needed_from
    rest = f"; from entry {needed} on, something open needs them" if needed is not None else ""
    entries = "1 entry" if preview.entries == 1 else f"{preview.entries} entries"
    return f"{entries} would be archived{rest}"


def _draw(found: list[SegmentRecord]) -> None:
    rows = [
        (f"{one.first}-{one.last}", instant(one.until_us), one.file, one.bytes, one.entry) for one in found
    ]
    draw_table(_HEADERS, rows)
