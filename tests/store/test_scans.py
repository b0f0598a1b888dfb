"""Reads of whole tables go on after the last key: one that is smaller than those before would send them round."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import apsw
import pytest

from sheratan.ambient.clock import VirtualClock
from sheratan.contracts.errors import CorruptData
from sheratan.store.sqlite.reader import SqliteReader
from sheratan.store.sqlite.scans import _ROWS_AT_ONCE
from sheratan.store.sqlite.store import open_reader, open_store
from tests.store.support import opened

ROWS = 2 * _ROWS_AT_ONCE + 10
FIRST = 100_000
NUMBERS = f"WITH RECURSIVE numbers (n) AS (SELECT {FIRST} UNION ALL SELECT n + 1 FROM numbers LIMIT {ROWS})"
COLUMNS = "number, missing, failed, due_us, since_us, entry"
BLOCKED = f"{NUMBERS} INSERT INTO blocked ({COLUMNS}) SELECT n, 0, 0, 0, 0, n * 1000 FROM numbers"
KEYS = f"{NUMBERS} INSERT INTO idempotency SELECT 'tenant', 'key ' || n, x'00', n FROM numbers"


def filled(path: Path, statement: str) -> Path:
    """A database with many rows, each of which stands in its file once."""
    opened(path).close()
    connection = apsw.Connection(str(path))
    connection.execute(statement)
    connection.execute("VACUUM")
    connection.close()
    return path


def flip_a_bit_in_a_key(path: Path, number: int) -> None:
    """A job that is blocked, under another number: a row of SQLite's file format, with one bit changed."""
    key = bytes([0x80 | number >> 14, 0x80 | number >> 7 & 0x7F, number & 0x7F])
    header = b"\x0b\x00\x08\x08\x08\x08\x04\x09\x08\x08\x17"
    row = b"\x14" + key + header + (number * 1_000).to_bytes(4, "big") + b"after"
    content = path.read_bytes()
    assert content.count(row) == 1
    path.write_bytes(content.replace(row, row[:1] + bytes([row[1] ^ 0x04]) + row[2:]))


def reader_of(path: Path) -> SqliteReader:
    return open_reader(path, clock=VirtualClock().monotonic_us)


def test_a_flipped_bit_in_a_key_does_not_send_a_scan_round(tmp_path: Path) -> None:
    path = filled(tmp_path / "sheratan.db", BLOCKED)
    reader = reader_of(path)
    assert [row.number for row in reader.locations()] == list(range(FIRST, FIRST + ROWS))
    reader.close()
    # The key of the last row of a step is now smaller than all before it.
    flip_a_bit_in_a_key(path, FIRST + _ROWS_AT_ONCE - 1)
    reader = reader_of(path)
    with pytest.raises(CorruptData, match="the rows of select_blocked_from are out of order"):
        list(islice(reader.locations(), 5 * ROWS))
    reader.close()


def test_keys_that_come_again_do_not_send_a_scan_round(tmp_path: Path) -> None:
    reader = reader_of(filled(tmp_path / "sheratan.db", KEYS))
    assert [row.number for row in reader.key_rows()] == list(range(FIRST, FIRST + ROWS))
    # SQLite holds each row against such a key itself: it takes a library that does not to get here.
    reader._connection.row_trace = lambda cursor, row: ("tenant", "key", *row[2:])
    with pytest.raises(CorruptData, match="the idempotency keys are out of order"):
        list(islice(reader.key_rows(), 5 * ROWS))
    reader.close()


def test_damage_to_an_index_that_is_empty_is_found(tmp_path: Path) -> None:
    """SQLite's own check says that all is well."""
    path = tmp_path / "a.db"
    store = open_store(path, 1)
    assert store.integrity() == []
    find = "SELECT rootpage FROM sqlite_schema WHERE name = 'node_by_source'"
    [(page,)] = store._connection.execute(find).fetchall()
    store.close()
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4_096] ^= 8
    path.write_bytes(data)
    store = open_store(path, 1)
    assert store._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert "index node_by_source cannot be read: database disk image is malformed" in store.integrity()
    store.close()
