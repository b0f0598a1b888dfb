"""Reads that are kept: only until what they are of was written to, as SQLite itself tells it of each statement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw
import apsw.ext
import pytest
from msgspec.structs import replace

import sheratan.store.sqlite
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.kept_reads import tables_written, words_read
from sheratan.simulation.loop import SimulatedLoop
from sheratan.simulation.options import draw_options
from sheratan.simulation.store import SimulatedStorage
from sheratan.store.rows import Lane
from sheratan.store.sqlite.store import open_store
from tests.store.support import add_job, new_unit

QUERIES: Final = [
    path
    for path in sorted((Path(sheratan.store.sqlite.__file__).parent / "queries").glob("*.sql"))
    if not path.stem.startswith("create_")
]
COLUMNS_MAX: Final = 30


@pytest.fixture(scope="module")
def connection() -> Iterator[apsw.Connection]:
    store = open_store(Path(":memory:"), 1)
    # It makes the connection's own table, by which the index for search is read.
    list(store.failure_words())
    yield store._connection
    store.close()


def tables(connection: apsw.Connection, text: str) -> tuple[set[str], set[str]]:
    """The tables that SQLite reads and writes for a statement."""
    read: set[str] = set()
    written: set[str] = set()
    of_action = {
        apsw.SQLITE_READ: read,
        apsw.SQLITE_INSERT: written,
        apsw.SQLITE_UPDATE: written,
        apsw.SQLITE_DELETE: written,
    }

    def noted(action: int, table: str | None, *_: object) -> int:
        if action in of_action and table:
            of_action[action].add(table)
        return apsw.SQLITE_OK

    connection.authorizer = noted
    try:
        apsw.ext.query_info(connection, text)
    finally:
        connection.authorizer = None
    return read, written


def with_row(connection: apsw.Connection, text: str) -> str:
    """A statement with one row, of as many columns as it takes."""
    for columns in range(1, COLUMNS_MAX):
        tried = text.replace(":rows", f"({','.join('?' * columns)})")
        try:
            apsw.ext.query_info(connection, tried)
        except apsw.SQLError:
            continue
        return tried
    raise AssertionError(text)


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_what_a_statement_reads_and_writes_is_seen_in_its_text(
    connection: apsw.Connection, path: Path
) -> None:
    text = with_row(connection, path.read_text("utf-8"))
    read, written = tables(connection, text)
    assert written <= tables_written(text)
    if words_read(text):
        assert read - {"json_each"} <= words_read(text)
    else:
        assert {table for table in read if not table.startswith("PRAGMA_")} <= {"failure_word"}


def test_a_reader_keeps_what_it_has_read_until_that_has_changed() -> None:
    choices = Choices(1)
    choices.is_calm = True
    options = replace(draw_options(choices), storage="disk")
    storage = SimulatedStorage(SimulatedLoop(choices, "fifo"), choices, Coverage(), options)
    try:
        store, reader = storage.open(0, lambda: None)
        asked: list[str] = []
        reader._connection.exec_trace = lambda _, text, __: asked.append(text) is None
        kept = storage.kept_reader(reader)

        def look() -> tuple[int, list[int], list[Lane]]:
            asked.clear()
            return kept.shard().epoch, list(kept.job_numbers()), list(kept.lanes())

        assert look() == (0, [], [])
        assert len(asked) == 3
        assert look() == (0, [], [])
        assert asked == []
        store.take_over()
        assert look() == (1, [], [])
        assert len(asked) == 1
        unit = new_unit(store)
        add_job(unit)
        store.commit(unit)
        assert look() == (1, [1], [Lane(1, "default", "default", "work")])
        assert len(asked) == 3
    finally:
        storage.close()
