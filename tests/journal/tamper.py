"""Hands that change a data directory behind the engine's back."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import msgspec

from sheratan.ambient.clock import VirtualClock
from sheratan.engine.problems import Problem
from sheratan.engine.verify import Verification, verify_opened
from sheratan.kernel.canonical import canonical
from sheratan.store.sqlite.pages import PageReader
from sheratan.store.sqlite.reader import SqliteReader
from sheratan.store.sqlite.store import open_reader

Entry = dict[str, Any]


def reader_of(path: Path) -> SqliteReader:
    return open_reader(path, clock=VirtualClock().monotonic_us)


class Meanwhile(SqliteReader):
    """A reader beside which something happens, right before one of its reads."""

    def __init__(self, path: Path, at: int = -1, what: Callable[[], object] = lambda: None) -> None:
        super().__init__(reader_of(path)._connection)
        self.names: list[str] = []
        self._at, self._what = at, what

    def _run(self, text: str, bindings: Any, name: str) -> list[Any]:
        self.names.append(name)
        if len(self.names) - 1 == self._at:
            self._what()
        return super()._run(text, bindings, name)


def checked(path: Path) -> Verification:
    return verify_opened(lambda: reader_of(path))


def invariants(found: Verification) -> set[str]:
    return {problem.invariant for problem in found.problems}


def at(found: Verification, invariant: str) -> list[int | str | None]:
    """Where an invariant is broken: entry numbers, or rows where there is no entry."""
    return [
        item.row if item.seq is None else item.seq for item in found.problems if item.invariant == invariant
    ]


def tables(problems: Iterable[Problem], invariant: str) -> set[str]:
    """The tables in whose rows an invariant is broken."""
    rows = {problem.row for problem in problems if problem.invariant == invariant and problem.row is not None}
    return {row.partition(" ")[0] for row in rows}


def copied(file: Path, folder: Path) -> Path:
    """A copy of a data file, to be damaged, and of the archive that lies beside it, if any."""
    if (file.parent / "archive").exists():
        shutil.copytree(file.parent / "archive", folder / "archive")
    return Path(shutil.copy(file, folder / file.name))


class Hands:
    """A connection that may do what the engine never does."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        self._connection.execute("PRAGMA synchronous = OFF")
        guards = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        self._guards = self._connection.execute(guards).fetchall()

    def run(self, text: str, *values: Any) -> list[Any]:
        """Run a statement past the guards, which stand as before afterwards."""
        for name, _ in self._guards:
            self._connection.execute(f"DROP TRIGGER {name}")
        rows = self._connection.execute(text, values).fetchall()
        with suppress(apsw.SQLError):  # whose table is gone
            for _, guard in self._guards:
                self._connection.execute(guard)
        return list(rows)

    def pages(self) -> list[tuple[int, int, bytes]]:
        rows = self.run("SELECT first_seq, count, body, codec FROM page ORDER BY first_seq")
        unpack = PageReader().body
        return [
            (first_seq, count, unpack(first_seq, stored, codec)) for first_seq, count, stored, codec in rows
        ]

    def lines(self) -> list[bytes]:
        return [line for _, _, body in self.pages() for line in body.split(b"\n")]

    def put_body(self, first_seq: int, body: bytes) -> None:
        self.run("UPDATE page SET body = ?, codec = 0 WHERE first_seq = ?", body, first_seq)

    def put_lines(self, lines: Sequence[bytes]) -> None:
        """Replace the journal by one page with these lines."""
        self.run("DELETE FROM page")
        self.run("INSERT INTO page VALUES (0, ?, ?, 0)", len(lines), b"\n".join(lines))

    def page_of(self, seq: int) -> tuple[int, list[bytes]]:
        first_seq, _, body = next(page for page in reversed(self.pages()) if page[0] <= seq)
        return first_seq, body.split(b"\n")

    def close(self) -> None:
        self._connection.close()


def changed(path: Path, *statements: str) -> None:
    """Change rows behind the journal's back. Each statement must hit one, or the test says nothing."""
    hands = Hands(path)
    for statement in statements:
        hands.run(statement)
        assert hands.run("SELECT changes()")[0][0], statement
    hands.close()


def lines_of(path: Path) -> list[bytes]:
    """The journal, line by line."""
    hands = Hands(path)
    lines = hands.lines()
    hands.close()
    return lines


def rechained(lines: Sequence[bytes], change: Callable[[Entry], None]) -> list[bytes]:
    """Every entry changed as wished and hashed anew: what somebody with full access could do."""
    made: list[bytes] = []
    prev = msgspec.json.decode(lines[0])["prev"]
    for line in lines:
        entry: Entry = msgspec.json.decode(line)
        change(entry)
        entry["prev"] = prev
        made.append(canonical(entry))
        prev = hashlib.sha256(made[-1]).hexdigest()
    return made


def rehash(path: Path, change: Callable[[Entry], None]) -> None:
    """Rewrite the journal and its recorded head, page by page, so that the chain is whole again."""
    hands = Hands(path)
    pages = hands.pages()
    lines = rechained(hands.lines(), change)
    start = 0
    for first_seq, count, _ in pages:
        hands.put_body(first_seq, b"\n".join(lines[start : start + count]))
        start += count
    hands.run("UPDATE shard SET head = ?", hashlib.sha256(lines[-1]).hexdigest())
    hands.close()


def forged(path: Path, is_wanted: Callable[[Entry], bool], forge: Callable[[Entry], None]) -> set[str]:
    """Forge every entry that is wanted, of which there is one at least; returns the invariants that are broken."""
    found: list[int] = []

    def change(entry: Entry) -> None:
        if is_wanted(entry):
            forge(entry)
            found.append(entry["seq"])

    rehash(path, change)
    assert found
    return invariants(checked(path))
