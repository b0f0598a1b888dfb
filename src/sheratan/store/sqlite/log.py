"""The write-ahead log's size: reached once, at the start, and then written over (https://sqlite.org/wal.html)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import apsw

__all__ = ["LOG_PAGES", "lay_out_log"]

LOG_PAGES: Final = 4_000
"""Pages in the log when it is copied into the database and begun anew."""

_ROOM_BYTES_MIN: Final = 1 << 30
"""On a disk with less room than this the log grows as it is needed."""


def lay_out_log(connection: apsw.Connection, path: Path, pages: int) -> None:
    """Give the log the size of so many pages now; 4,000 take some 35 ms.

    A commit that writes over what is there is durable in two thirds of the time of one that makes the file longer:
    the file system has nothing of its own to write down. SQLite does it by itself: a transaction that does not fit
    into the cache goes to the log before it is committed, and when it is rolled back the file keeps its size.
    """
    if shutil.disk_usage(path.parent).free < _ROOM_BYTES_MIN:
        return
    cache_size, page_size = connection.pragma("cache_size"), connection.pragma("page_size")
    connection.pragma("cache_size", 10)
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE filling (body BLOB) STRICT")
        connection.execute("INSERT INTO filling VALUES (zeroblob(?))", (pages * page_size,))
    except apsw.FullError:
        # Then it is smaller, and grows as it is needed.
        pass
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.pragma("cache_size", cache_size)
