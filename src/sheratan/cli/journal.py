"""`sheratan journal`: verify, replay and export the journal."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from sheratan.cli.archive import archive_journal, keep_journal, list_segments
from sheratan.cli.output import draw_pairs, draw_table, emit, line, talk
from sheratan.cli.session import Session, command_options
from sheratan.contracts.errors import InvalidInput
from sheratan.engine.replay import Replay, replay, replay_lines
from sheratan.engine.verify import Verification, export, verify_lines, verify_opened
from sheratan.kernel.chain import Head, format_head, parse_head

if TYPE_CHECKING:
    from sheratan.engine.archive import Archive
    from sheratan.engine.compare_archive import ArchivedFile
    from sheratan.kernel.replay import Difference

__all__ = ["journal"]

_FILES_SHOWN_MAX = 10


@click.group()
def journal() -> None:
    """Check what is recorded: is it whole, and was it decided by the rules?"""


_FILE = click.option(
    "--file", "file", metavar="F", help="Read an exported journal (- is stdin), no data directory."
)


_ARCHIVE = click.option(
    "--archive", "folder", metavar="DIR", help="Also read the entries that were archived in DIR."
)


@journal.command("verify")
@_FILE
@_ARCHIVE
@click.option(
    "--head",
    metavar="SEQ:HASH",
    help="A head that was printed earlier: that entry must still have that hash.",
)
@command_options
def verify_journal(session: Session, file: str | None, folder: str | None, head: str | None) -> None:
    """Check every entry, the chain, the stories and the tables against them; exit 1 on a problem.

    Without --head, a journal that was put back to an older copy is whole in itself, and so is a file that was cut.
    With --file, --head may be a HASH alone: then it is that of the last entry. Of what was archived, it goes by what is
    recorded about it; with --archive it reads the files.
    """
    archive = _archive(session, folder, file)
    last_hash, known = _read_head(head, from_file=file is not None)
    if file is None:
        found = verify_opened(lambda: session.program.open_reader(session.data), known=known, archive=archive)
    else:
        with _lines_of(file) as lines:
            found = verify_lines(lines, last_hash, known=known)
    emit(session, found, lambda: _draw_verification(found))
    _end(ok=found.ok)


@journal.command("replay")
@_FILE
@_ARCHIVE
@click.option(
    "--rule", "swaps", multiple=True, metavar="OLD=NEW", help="Ask NEW where OLD decided (repeatable)."
)
@command_options
def replay_journal(session: Session, file: str | None, folder: str | None, swaps: tuple[str, ...]) -> None:
    """Derive every decision again from its recorded input; exit 1 when one comes out otherwise.

    With --rule it tells what would have been decided, which is then no failure. OLD is a rule such as
    retry.backoff@1, or retry.backoff for all its versions.
    """
    instead = dict(map(_swap, swaps))
    archive = _archive(session, folder, file)
    if file is None:
        with closing(session.program.open_reader(session.data)) as reader:
            found = replay(reader, instead=instead, archive=archive)
    else:
        with _lines_of(file) as lines:
            found = replay_lines(lines, instead=instead)
    emit(session, found, lambda: _draw_replay(found))
    _end(ok=_is_faithful(found, instead))


@journal.command("export")
@click.option(
    "--output", "target", metavar="F", help="Write here instead of stdout; F appears when it is whole."
)
@_ARCHIVE
@command_options
def export_journal(session: Session, target: str | None, folder: str | None) -> None:
    """Write the journal as JSON Lines, each entry byte for byte as it was hashed.

    What was archived is left out, unless --archive says where it is.
    """
    archive = _archive(session, folder, None)
    with closing(session.program.open_reader(session.data)) as reader:
        head = reader.shard().head
        if target is None:
            count = export(reader, sys.stdout.buffer.write, archive)
            sys.stdout.buffer.flush()
        else:
            with _whole_file(Path(target)) as file:
                count = export(reader, file.write, archive)
        segments = reader.segments()
    if segments and archive is None:
        talk(f"entries 0 to {segments[-1].end - 1} are archived and not in it; --archive DIR adds them")
    talk(f"exported {count} entries; the head was {format_head(head.seq, head.hash)} when it began")


journal.add_command(archive_journal)
journal.add_command(keep_journal)
journal.add_command(list_segments)


def _archive(session: Session, folder: str | None, file: str | None) -> Archive | None:
    if folder is None:
        return None
    if file is not None:
        raise click.UsageError("--archive goes with a data directory; an exported file is read alone.")
    return session.program.open_archive(Path(folder))


def _read_head(text: str | None, *, from_file: bool) -> tuple[str | None, Head | None]:
    """The hash of the last entry, or the head that was noted, as `--head` gives them."""
    if text is None:
        return None, None
    if ":" in text:
        return None, parse_head(text)
    if not from_file:
        raise click.UsageError(
            "--head goes with --file when it is a HASH alone; a data directory needs SEQ:HASH."
        )
    return text, None


def _swap(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise InvalidInput(f"{text!r} is not OLD=NEW", field="--rule")
    return old, new


def _is_faithful(found: Replay, instead: Mapping[str, str]) -> bool:
    """Whether every rule that was asked about its own decisions gave them again."""
    changed = (key for key, count in found.counts.items() if count.different)
    return not found.unreadable and all(key in instead or key.partition("@")[0] in instead for key in changed)


def _end(*, ok: bool) -> None:
    if not ok:
        click.get_current_context().exit(1)


@contextmanager
def _lines_of(file: str) -> Generator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as opened:
            yield opened
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", field="--file") from error


@contextmanager
def _whole_file(path: Path) -> Generator[IO[bytes]]:
    """A file that takes its name once it is complete: half a journal would look like a whole, shorter one."""
    if path.exists() and not path.is_file():
        with path.open("wb") as special:
            yield special
        return
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}", field="--output") from error
    finally:
        partial.unlink(missing_ok=True)


def _draw_verification(found: Verification) -> None:
    compared = "compared" if found.tables_compared else "not compared"
    draw_pairs([
        ("journal", "ok" if found.ok else f"{found.problems_count} problems"),
        ("entries", found.entries),
        ("jobs", f"{found.jobs}, {found.open_jobs} of them open"),
        ("head", format_head(found.entries, found.head) if found.head else "unknown"),
        ("tables", compared),
        *_tell_files(found.archived),
    ])  # fmt: skip
    if found.problems:
        line()
        rows = [
            (one.invariant, "-" if one.seq is None else one.seq, one.row or "-", one.text)
            for one in found.problems
        ]
        draw_table(("INVARIANT", "ENTRY", "ROW", "PROBLEM"), rows)
    if found.problems_count > len(found.problems):
        line(f"… and {found.problems_count - len(found.problems)} more")


def _tell_files(files: list[ArchivedFile]) -> Iterator[tuple[str, str]]:
    for one in files[:_FILES_SHOWN_MAX]:
        checked = "checked" if one.checked else "not checked here"
        yield "archived", f"entries {one.first} to {one.last} in {one.file}, sha256 {one.digest}, {checked}"
    if len(files) > _FILES_SHOWN_MAX:
        yield "archived", f"… and {len(files) - _FILES_SHOWN_MAX} more files; -o json names them all"


def _draw_replay(found: Replay) -> None:
    draw_pairs([
        ("decisions", f"{found.decisions} derived again, {found.different} come out otherwise"),
        ("entries", found.entries),
        *([("archived", f"{found.archived} entries before these, not read")] if found.archived else ()),
    ])  # fmt: skip
    line()
    rows = [(key, count.decisions, count.different) for key, count in found.counts.items()]
    draw_table(("RULE", "DECISIONS", "DIFFERENT"), rows)
    for seq in found.unreadable:
        line(f"line {seq} is no entry; `sheratan journal verify` says more")
    for difference in found.differences:
        _draw_difference(difference)
    if found.different > len(found.differences):
        line(f"… and {found.different - len(found.differences)} more")


def _draw_difference(difference: Difference) -> None:
    line()
    line(f"entry {difference.seq}: {difference.text}")
    line(f"  {difference.rule}: {difference.stored.get('because')}")
    if difference.derived is not None:
        line(f"  {difference.asked}: {difference.derived.get('because')}")
