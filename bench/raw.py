"""The raw limit: the rows of a real run written again, with nothing but SQLite.

    python -m bench.raw DATABASE FOLDER

Every page of the journal was one commit of the product. From its entries follows which job left and entered which
table in it, and from the tables come the rows. `replay` writes the same rows and the same page bodies in the same
commits with the same pragmas, and so with the same syncs, on one connection from one thread: no decision is made,
no JSON is written, nothing is hashed, nobody waits for an answer.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.journal import Entry
from sheratan.kernel.chain import decode_entry, split_page
from sheratan.store.sqlite import store
from sheratan.store.sqlite.log import LOG_PAGES, lay_out_log
from sheratan.store.sqlite.pages import PageReader

__all__ = ["Commit", "commits_of", "replay", "schema_of"]

Rows = list[tuple[Any, ...]]
Where = tuple[str, tuple[Any, ...]]
"""A table, and the row in it."""

_CHUNKS = (128, 32, 8, 1)
_KEY_COLUMNS = {"ready": 3, "lease": 1}
_DELETE = {
    "ready": "DELETE FROM ready WHERE (lane, priority, number) IN (VALUES :rows)",
    "lease": "DELETE FROM lease WHERE number IN (VALUES :rows)",
}
_INSERT = {
    "job": "INSERT INTO job VALUES :rows",
    "ready": "INSERT INTO ready VALUES :rows",
    "lease": "INSERT INTO lease VALUES :rows",
    "result": "INSERT INTO result VALUES :rows",
    "step": "INSERT INTO step VALUES :rows",
}


@dataclass
class Commit:
    """What one commit of the product wrote. `types` are the types of its entries."""

    page: tuple[int, int, bytes, int]
    types: set[str] = field(default_factory=set)
    inserts: dict[str, Rows] = field(default_factory=dict)
    deletes: dict[str, Rows] = field(default_factory=dict)


class _Story:
    """Follows every job from table to table."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._jobs = {row[0]: row for row in connection.execute("SELECT * FROM job")}
        self._results = {row[0]: row for row in connection.execute("SELECT * FROM result")}
        self._steps = {row[7]: row for row in connection.execute("SELECT * FROM step")}
        self._where: dict[int, Where] = {}
        self._body = PageReader().body

    def commit(self, page: tuple[int, int, bytes, int]) -> Commit:
        """What was written together with this page."""
        commit = Commit(page)
        moves: dict[int, tuple[Where | None, Where]] = {}
        first_seq, _, stored, codec = page
        for line in split_page(self._body(first_seq, stored, codec)):
            entry = decode_entry(line)
            commit.types.add(entry.type)
            if entry.seq in self._steps:
                commit.inserts.setdefault("step", []).append(self._steps[entry.seq])
            for number, after in self._moves(entry):
                before = moves[number][0] if number in moves else self._where.get(number)
                moves[number] = (before, after)
                self._where[number] = after
        for number, (before, (table, row)) in moves.items():
            if before is None:
                commit.inserts.setdefault("job", []).append(self._jobs[number])
            else:
                left = before[1][: _KEY_COLUMNS[before[0]]]
                commit.deletes.setdefault(before[0], []).append(left)
            commit.inserts.setdefault(table, []).append(row)
        return commit

    def _moves(self, entry: Entry) -> Iterator[tuple[int, Where]]:
        if entry.type == "job.submitted":
            number: int = entry.data["number"]
            job = self._jobs[number]
            yield number, ("ready", (job[2], job[3], number, 1, 0, entry.at, entry.seq, 0))
        elif entry.type == "worker.leased":
            for number, *_ in entry.data["jobs"]:
                yield (
                    number,
                    ("lease", (number, 1, 0, entry.seq, entry.previous or 0, entry.at, 0, entry.seq, 0)),
                )
        elif entry.type == "job.succeeded":
            number = parse_job_id(entry.subject).number
            yield number, ("result", self._results[number])


def commits_of(path: Path) -> list[Commit]:
    """Every commit of a run whose jobs all succeeded at the first attempt."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        story = _Story(connection)
        return [story.commit(page) for page in connection.execute("SELECT * FROM page ORDER BY first_seq")]
    finally:
        connection.close()


def schema_of(path: Path) -> list[str]:
    """The statements that made the tables."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        # A virtual table makes its own tables when it is made.
        wanted = (
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
            " AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY rowid"
        )
        return [row[0] for row in connection.execute(wanted)]
    finally:
        connection.close()


def replay(path: Path, schema: Sequence[str], before: Iterable[Commit], timed: Sequence[Commit]) -> float:
    """Write commits to a new database; returns the seconds that the `timed` ones take."""
    connection = apsw.Connection(str(path), statementcachesize=300)
    try:
        for pragma in store._WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        for statement in schema:
            connection.execute(statement)
        connection.execute(
            "INSERT INTO shard VALUES (0, 1, 0, ?, 0, 1, 0, NULL, 1, 0, 0, 0, NULL)", ("0" * 64,)
        )
        connection.wal_autocheckpoint(LOG_PAGES)
        lay_out_log(connection, path, LOG_PAGES)
        for commit in before:
            _write(connection, commit)
        began = time.perf_counter()
        for commit in timed:
            _write(connection, commit)
        return time.perf_counter() - began
    finally:
        connection.close()


def _write(connection: apsw.Connection, commit: Commit) -> None:
    connection.execute("BEGIN IMMEDIATE")
    head = (commit.page[0] + commit.page[1], "f" * 64, commit.page[0])
    connection.execute("UPDATE shard SET seq = ?, head = ?, at_us = ? WHERE shard = 0 AND epoch = 1", head)
    connection.execute("INSERT INTO page VALUES (?, ?, ?, ?)", commit.page)
    for table, rows in commit.deletes.items():
        _in_chunks(connection, _DELETE[table], rows)
    for table, rows in commit.inserts.items():
        _in_chunks(connection, _INSERT[table], rows)
    connection.execute("COMMIT")


@cache
def _text(statement: str, rows: int, columns: int) -> str:
    row = "(" + ",".join("?" * columns) + ")"
    return statement.replace(":rows", ",".join([row] * rows))


def _in_chunks(connection: apsw.Connection, statement: str, rows: Rows) -> None:
    start, columns = 0, len(rows[0])
    for size in _CHUNKS:
        while len(rows) - start >= size:
            values = [value for row in rows[start : start + size] for value in row]
            connection.execute(_text(statement, size, columns), values)
            start += size


def main(arguments: Sequence[str]) -> None:
    """Replay a database into a folder and say how long it took."""
    source, target = Path(arguments[0]), Path(arguments[1])
    commits = commits_of(source)
    seconds = replay(target / "raw.db", schema_of(source), [], commits)
    jobs = sum(len(commit.inserts.get("job", [])) for commit in commits)
    print(f"{len(commits)} commits, {jobs} jobs, {seconds:.3f} s, {jobs / seconds:,.0f} jobs/s")


if __name__ == "__main__":
    main(sys.argv[1:])
