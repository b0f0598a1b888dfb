"""Look at a database that has been through a fault: is it whole, and is there what callers were told?

It reads with SQLite, SHA-256 and JSON alone; the product's own verification is asked as well, and must agree.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

import apsw

from crash.judge import judge, read_journal
from crash.storage_notes import Notes
from sheratan.ambient.clock import SystemClock
from sheratan.engine.verify import Verification, verify_opened
from sheratan.kernel.chain import Head
from sheratan.store.sqlite.store import open_reader

__all__ = ["FULL_TEXT", "check_database", "dump", "verify_database"]


def verify_database(path: Path, known: Head | None = None) -> Verification:
    """What the product's own verification says; that it cannot open the database is a problem in its answer."""
    return verify_opened(lambda: open_reader(path, clock=SystemClock().monotonic_us), known=known)


def check_database(path: Path, notes: Notes, *, own_schema: bool = True) -> list[str]:
    """Everything that is wrong with a database, in sentences; empty when all is there and whole.

    Without `own_schema` it may have a schema that this release does not know, as after a migration of the next one.
    """
    if not notes.seq and not _has_schema(path):
        # It has ended before anything was promised.
        return []
    try:
        found = _check_end(path, notes) + judge(path, notes.history)
    except (apsw.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        # Damage leaves values of any type where numbers and bytes should be.
        found = [f"the database cannot be read: {type(error).__name__}: {error}"]
    try:
        problems = verify_database(path, notes.known).problems
    except Exception as error:
        # Damage is a problem in its answer, never an error: whoever has damaged data needs that answer.
        return [*found, f"verify itself fails: {type(error).__name__}: {error}"]
    known = [one for one in problems if own_schema or not one.text.startswith("the schema's ")]
    return found + [f"verify: {one.invariant} {one.text} ({one.row or one.seq})" for one in known]


def _has_schema(path: Path) -> bool:
    if not path.exists():
        return False
    # As the owner does: who only reads could not roll back a creation that was cut off.
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        return bool(
            connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'shard'").fetchall()[0][0]
        )
    except apsw.Error:
        return True
    finally:
        connection.close()


def _check_end(path: Path, notes: Notes) -> list[str]:
    """Whether the entry that the last answer stood on is where it was."""
    hashes = read_journal(path).hashes
    if notes.seq > len(hashes):
        return [f"{notes.seq} entries were acknowledged, {len(hashes)} are there"]
    if notes.seq and hashes[notes.seq - 1] != notes.head:
        return [f"entry {notes.seq - 1} is not the one that was acknowledged"]
    return []


FULL_TEXT: Final = "failure_text"
"""An index for full-text search, and the tables that it is kept in: what it holds are words, not rows."""


def dump(path: Path) -> list[str]:
    """All logical content, row by row: the schema, each table by its own tree, and by each of its indexes."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        schema = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
        ).fetchall()
        lines = [f"schema: {row!r}" for row in schema]
        if any(row[1] == FULL_TEXT for row in schema):
            connection.execute(
                f"CREATE VIRTUAL TABLE temp.word USING fts5vocab(main, {FULL_TEXT}, 'instance')"
            )
            lines += [f"{FULL_TEXT}: {row!r}" for row in connection.execute("SELECT * FROM temp.word")]
        for _, table, _, _ in (
            row for row in schema if row[0] == "table" and not row[1].startswith(FULL_TEXT)
        ):
            lines += _rows(connection, table, "NOT INDEXED")
            for _, index, _, made in (row for row in schema if row[0] == "index" and row[2] == table):
                if not index.startswith("sqlite_autoindex") or index in _indexes(connection, table):
                    # An index of some rows is used only for these.
                    _, where, some = (made or "").partition(" WHERE ")
                    lines += _rows(connection, table, f'INDEXED BY "{index}"{where}{some}')
        return lines
    finally:
        connection.close()


def _indexes(connection: apsw.Connection, table: str) -> list[str]:
    """The indexes of a table that are not the table itself."""
    listed = connection.execute(f'PRAGMA index_list("{table}")')
    has_rowid = not connection.execute(
        "SELECT wr FROM pragma_table_list WHERE name = ?", (table,)
    ).fetchall()[0][0]
    return [row[1] for row in listed if row[3] != "pk" or has_rowid]


def _rows(connection: apsw.Connection, table: str, how: str) -> list[str]:
    columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    order = ", ".join(str(place) for place in itertools.islice(itertools.count(1), len(columns)))
    query = f'SELECT * FROM "{table}" {how} ORDER BY {order}'  # noqa: S608 - names of the schema
    return [f"{table} {how}: {row!r}" for row in connection.execute(query)]
