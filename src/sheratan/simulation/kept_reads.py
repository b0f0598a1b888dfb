"""Reads of a simulated database, kept until a table that they are of is written to.

After each commit nearly all tables are looked at, and few of them have changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import apsw

from sheratan.store.sqlite.reader import SqliteReader
from sheratan.store.sqlite.scans import Value

__all__ = ["Changes", "KeptReader", "tables_written", "words_read"]

_WORD: Final = re.compile(r"[a-z_]+")
_WRITTEN: Final = re.compile(r"\b(?:INTO|UPDATE|DELETE FROM)\s+([a-z_]+)")
_UNTOLD: Final = ("PRAGMA", "failure_word")
"""What is asked of the whole file or, through a table of the connection's own, of a search index."""

_KEPT_MAX: Final = 5_000


@cache
def tables_written(text: str) -> frozenset[str]:
    """The tables that a statement writes to."""
    return frozenset(_WRITTEN.findall(text))


@cache
def words_read(text: str) -> frozenset[str]:
    """All words of a statement, among which are the tables that it reads; none when what it reads cannot be told."""
    return frozenset() if any(word in text for word in _UNTOLD) else frozenset(_WORD.findall(text))


class Changes:
    """How often the tables of a database were written to, whichever connection did it."""

    def __init__(self) -> None:
        self.count = 0
        self._by_table: Counter[str] = Counter()

    def note(self, text: str) -> None:
        """A statement is about to run."""
        for table in tables_written(text):
            self.count += 1
            self._by_table[table] += 1

    def of(self, tables: Iterable[str]) -> int:
        """A number that is another one after any of these tables was written to."""
        return sum(map(self._by_table.__getitem__, tables))


class KeptReader(SqliteReader):
    """Reads a database and keeps what it has read. After a crash the database is another one, for a new reader."""

    def __init__(self, connection: apsw.Connection, changes: Changes) -> None:
        super().__init__(connection)
        self._changes = changes
        self._all_tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        self._tables_of: dict[str, set[str]] = {}
        self._kept: dict[tuple[str, tuple[Value, ...]], tuple[int, list[Any]]] = {}

    def _run(self, text: str, bindings: Sequence[Value], name: str) -> list[Any]:
        tables = self._tables_of.get(text)
        if tables is None:
            tables = self._tables_of[text] = self._all_tables & words_read(text)
        if not tables:
            return super()._run(text, bindings, name)
        stamp, key = self._changes.of(tables), (text, tuple(bindings))
        known = self._kept.get(key)
        if known is None or known[0] != stamp:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            known = self._kept[key] = stamp, super()._run(text, bindings, name)
        return known[1]
