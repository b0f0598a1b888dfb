"""SQL by name: one file per query, read once; `:rows` stands for as many rows as a call brings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import chain
from typing import Any, Final

import apsw

__all__ = ["delete_rows", "insert_rows", "sql", "words"]

_CHUNKS = (128, 32, 8, 1)
"""Statements with this many rows are prepared: few statements, and one call into SQLite per chunk. The library
releases the interpreter lock inside a call, so fewer calls also means fewer fights for the lock."""


def _read_queries() -> dict[str, str]:
    folder = resources.files("sheratan.store.sqlite").joinpath("queries")
    return {
        file.name.removesuffix(".sql"): file.read_text("utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


_QUERIES: Final = _read_queries()
"""Read at once: when file descriptors run out, a query that is first needed then could not be read any more."""


def sql(name: str) -> str:
    """The text of queries/`name`.sql."""
    return _QUERIES[name]


def words(text: str) -> str:
    """A full-text query (FTS5) for what has all these words, each as the beginning of one; no text can break it."""
    return " ".join('"' + word.replace('"', '""') + '"*' for word in text.replace("\0", " ").split())


@cache
def _with_rows(name: str, rows: int, columns: int) -> str:
    row = "(" + ",".join("?" * columns) + ")"
    return sql(name).replace(":rows", ",".join([row] * rows))


def insert_rows(connection: apsw.Connection, name: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run an insert for all rows."""
    _run_chunks(connection, name, rows)


def delete_rows(connection: apsw.Connection, name: str, keys: Sequence[Sequence[Any]]) -> int:
    """Run a delete for all keys and return how many rows were really there."""
    return _run_chunks(connection, name, keys)


def _run_chunks(connection: apsw.Connection, name: str, rows: Sequence[Sequence[Any]]) -> int:
    if not rows:
        return 0
    columns, start, count, changed = len(rows[0]), 0, len(rows), 0
    if count == 1:
        connection.execute(_with_rows(name, 1, columns), rows[0])
        return connection.changes()
    for size in _CHUNKS:
        while count - start >= size:
            values = list(chain.from_iterable(rows[start : start + size]))
            connection.execute(_with_rows(name, size, columns), values)
            changed += connection.changes()
            start += size
    return changed
