"""Data that somebody has, and what the product says of it once its bytes are not what they were."""

from __future__ import annotations

import random
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import apsw

from crash.storage_check import FULL_TEXT, dump, verify_database
from crash.storage_notes import Notes
from crash.storage_script import fill
from sheratan.ambient.clock import SystemClock, VirtualClock
from sheratan.contracts.errors import SheratanError
from sheratan.engine.verify import export, verify_lines
from sheratan.store.sqlite.store import connect_owner, open_reader

__all__ = ["DATABASE", "EXPORT", "LOG", "How", "Specimen", "Verdict", "count_verdicts", "draw_flips"]

DATABASE, LOG, EXPORT = "sheratan.db", "sheratan.db-wal", "journal.jsonl"
_EMPTY = frozenset(("segment", "fold_state", "proposal_tree", "proposal_member", "proposal_made"))
"""The script archives nothing, as its judge reads the journal from the first entry on; and no job proposes others."""

_SEEDS_MAX = 200
_COMMITS_IN_LOG = 5
"""How many commits a crash leaves in the log at least."""

_PAGE = 4_096
_SECONDS_MAX = 1.5
"""Of computing, for a verification that takes some hundredths of one."""
_WITHOUT_EFFECT = re.compile(
    r"-migration [^(]*\((?P<known>.*), -?\d+\); \+migration [^(]*\((?P=known), -?\d+\)"
    r"|-alarm [^(]*\(-?\d+, (?P<job>\d+)\); \+alarm [^(]*\(-?\d+, (?P=job)\)"
    r"|-gate [^;]*; \+gate [^;]*"
).fullmatch
"""When a migration was applied is read by nobody. An alarm that verifies at another instant is that of a job that was
started: when it rings, it is dropped. A row of a gate that verifies as another one was over and is over: it means
nothing, and waits to be taken out."""
_NO_ANSWER = ("the verification fails", "the verification never ends")

Verdict = Literal[
    "verified away",
    "refused at start",
    "nothing changed",
    "without effect",
    "silent",
    "the verification fails",
    "the verification never ends",
]
"""What became of damage: the verification has found it; it verifies, and no engine starts on it; all that it holds is
what it was; it holds something else that nobody reads or acts on; it holds something else and nobody says so; or there
is no answer.
"""

How = Literal["with head", "without head", "not at all"]
"""How it is verified: given the head that the client knows, without it, or only opened."""


@dataclass(frozen=True)
class Specimen:
    """A data directory after a crash, with a log of commits that are not in the database yet, and its export."""

    folder: Path
    notes: Notes
    files: dict[str, bytes]
    content: list[str]
    errors: list[str] = field(default_factory=list)
    """What verifications failed with, where they should have told what is damaged."""

    @property
    def name(self) -> str:
        """Whether it was stopped, or has crashed."""
        return self.folder.name.partition("-")[0]

    @classmethod
    def make(cls, folder: Path, seed: int, *, steps: int, crashed: bool) -> Specimen:
        """The first of the seed's specimens that has a row in every table; `crashed` with commits in its log."""
        for number in range(_SEEDS_MAX):
            place = folder / f"{'crashed' if crashed else 'at rest'}-{number}"
            place.mkdir(parents=True)
            path = place / DATABASE
            notes = fill(path, seed + number, steps, keep_log=True, log_pages=64)
            if not crashed:
                _put_to_rest(path)
            if _is_full(path) and (not crashed or _commits_in_log(path) >= _COMMITS_IN_LOG):
                content = dump(path)
                _export(path, place / EXPORT)
                (place / f"{DATABASE}-shm").unlink(missing_ok=True)
                names = (DATABASE, LOG, EXPORT) if crashed else (DATABASE,)
                return cls(place, notes, {name: (place / name).read_bytes() for name in names}, content)
            shutil.rmtree(place)
        raise AssertionError("no script of this seed fills every table")

    def examine(self, name: str, changed: bytes, how: How) -> Verdict:
        """What the product says when a file has these bytes instead of its own."""
        file = self.folder / name
        file.write_bytes(changed)
        try:
            return self._examine_export(file, how) if name == EXPORT else self._examine_database(how)
        finally:
            self._restore(file)

    def _restore(self, file: Path) -> None:
        for name in (DATABASE, LOG):
            (self.folder / f"{name}-shm").unlink(missing_ok=True)
            if name not in self.files:
                (self.folder / name).unlink(missing_ok=True)
        file.write_bytes(self.files[file.name])

    def _examine_export(self, file: Path, how: How) -> Verdict:
        if file.read_bytes() == self.files[EXPORT]:
            return "nothing changed"
        with file.open("rb") as lines:
            ok = (
                how == "not at all" or verify_lines(lines, self.notes.head if how == "with head" else None).ok
            )
        return "silent" if ok else "verified away"

    def _examine_database(self, how: How) -> Verdict:
        path = self.folder / DATABASE
        if how != "not at all":
            try:
                with _bounded():
                    found = verify_database(path, self.notes.known if how == "with head" else None)
            except _Endless:
                return "the verification never ends"
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")
                return "the verification fails"
            if not found.ok:
                return "verified away"
        elif not _opens(path):
            return "refused at start"
        if self._is_as_it_was(path):
            return "nothing changed"
        return "silent" if self._starts() else "refused at start"

    def _is_as_it_was(self, path: Path) -> bool:
        try:
            return dump(path) == self.content
        except (apsw.Error, UnicodeDecodeError):
            return False

    def what_changed(self, name: str, changed: bytes) -> str:
        """The rows that a silent change has changed."""
        file = self.folder / name
        file.write_bytes(changed)
        try:
            rows = Counter(dump(self.folder / DATABASE))
        except (apsw.Error, UnicodeDecodeError) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            self._restore(file)
        other = Counter(self.content)
        changes = [
            f"{sign}{row[:160]}" for sign, some in (("-", other - rows), ("+", rows - other)) for row in some
        ]
        return "; ".join(changes[:4])

    def _starts(self) -> bool:
        """Whether an engine would start on it: in a copy, since it would go on from there."""
        copy = self.folder / "copy"
        copy.mkdir(exist_ok=True)
        for name in self.files.keys() & {DATABASE, LOG}:
            (copy / name).write_bytes((self.folder / name).read_bytes())
        try:
            connect_owner(copy / DATABASE, VirtualClock().now_us()).close()
        except Exception:
            # Whatever the words: nothing is built on what it holds.
            return False
        finally:
            for left in copy.iterdir():
                left.unlink()
        return True


def count_verdicts(
    specimen: Specimen, changes: Iterable[tuple[str, str, Callable[[bytes], bytes]]], how: How
) -> tuple[Counter[str], list[str]]:
    """Examine changes of files, each (file, what is done, how): how many came out how, and those nobody tells of."""
    verdicts: Counter[str] = Counter()
    untold: list[str] = []
    for name, what, change in changes:
        changed = change(specimen.files[name])
        verdict = specimen.examine(name, changed, how)
        changes_seen = specimen.what_changed(name, changed) if verdict == "silent" else ""
        if _WITHOUT_EFFECT(changes_seen):
            verdict = "without effect"
        verdicts[f"{specimen.name}, {name}: {verdict}"] += 1
        if verdict in _NO_ANSWER:
            why = specimen.errors[-1] if verdict == "the verification fails" else "it computes on and on"
            untold.append(
                f"{specimen.name}, {name}, {what}: {verdict}, where it should say what is damaged ({why})"
            )
        if verdict == "silent":
            untold.append(f"{specimen.name}, {name}, {what}: nobody notices ({changes_seen})")
    return verdicts, untold


def draw_flips(draw: random.Random, specimen: Specimen, count: int) -> list[tuple[str, int]]:
    """Bits to flip: files in equal parts, so that the large one does not take them all.

    Of a database at rest every other flip is in a byte that is no zero, of a tree that is drawn first: most of a small
    table's page is empty, and most pages are the journal's.
    """
    names = sorted(specimen.files)
    flips = [(name, draw.randrange(len(specimen.files[name]) * 8)) for name in draw.choices(names, k=count)]
    if LOG in specimen.files:
        return flips
    content, trees = specimen.files[DATABASE], _pages_by_tree(specimen.folder / DATABASE)
    for place in range(0, count, 2):
        page = draw.choice(trees[draw.choice(sorted(trees))])
        used = [at for at in range((page - 1) * _PAGE, page * _PAGE) if content[at]]
        flips[place] = (DATABASE, draw.choice(used) * 8 + draw.randrange(8))
    return flips


def _pages_by_tree(path: Path) -> dict[str, list[int]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        trees: dict[str, list[int]] = {}
        for name, page in connection.execute("SELECT name, pageno FROM dbstat"):
            trees.setdefault(name, []).append(page)
        return trees
    finally:
        connection.close()
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        path.with_name(f"{path.name}-wal").unlink(missing_ok=True)


class _Endless(BaseException):
    """It computes on and on. Nothing that catches errors may catch this."""


@contextmanager
def _bounded() -> Generator[None]:
    """Within it, at most some seconds are computed."""

    def end(*_: object) -> None:
        raise _Endless

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS_MAX)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _is_full(path: Path) -> bool:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        tables = [table for table in tables if not table.startswith(FULL_TEXT) and table not in _EMPTY]
        return all(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall() for table in tables)  # noqa: S608
    finally:
        connection.close()


def _commits_in_log(path: Path) -> int:
    """How many commits the log has that are not in the database yet: only these can be cut off without a trace."""
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    commits = [_commits(file) for file in (path, alone)]
    for file in path.parent.glob("alone.db*"):
        file.unlink()
    return commits[0] - commits[1]


def _commits(path: Path) -> int:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(connection.execute("SELECT count(*) FROM page").fetchall()[0][0])
    finally:
        connection.close()


def _put_to_rest(path: Path) -> None:
    """Bring the log into the database; an engine that stops would take back what runs, too."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def _export(path: Path, target: Path) -> None:
    reader = open_reader(path, clock=SystemClock().monotonic_us)
    try:
        with target.open("wb") as file:
            export(reader, file.write)
    finally:
        reader.close()


def _opens(path: Path) -> bool:
    try:
        open_reader(path, clock=SystemClock().monotonic_us).close()
    except SheratanError:
        return False
    return True
