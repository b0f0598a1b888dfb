"""`sheratan journal archive` and `segments`: the journal's oldest entries, moved into files."""

from __future__ import annotations

import time

import click

from sheratan.cli.output import draw_table, emit, line
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import instant
from sheratan.cli.values import DURATION
from sheratan.contracts import api
from sheratan.contracts.archive import ArchivePreview, SegmentRecord
from sheratan.sdk.archive_calls import archive_all

__all__ = ["archive_journal", "list_segments"]

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


@click.command("segments")
@command_options
def list_segments(session: Session) -> None:
    """List the segments of the journal that were archived."""
    found: list[SegmentRecord] = ask(
        session, lambda transport: transport.call(request(api.ListSegments)), offline=True
    )
    emit(session, found, lambda: _draw(found))


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
