"""The write-ahead log: its size, and what becomes of it where a sync fails (https://sqlite.org/wal.html)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

__all__ = ["LOG_PAGES", "checkpoint_at", "lay_out_log", "leave_log", "write_log_anew"]

LOG_PAGES: Final = 4_000
"""Pages in the log when it is copied into the database and begun anew: 16 MB, written again after an unclean end."""

_ROOM_BYTES_MIN: Final = 1 << 30
"""On a disk with less room than this the log grows as it is needed."""

_OPEN_FLAGS: Final = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
_PIECE_BYTES: Final = 1 << 16
"""SQLite's own files take less than 128 KB at once."""


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
        # On a full disk it is smaller, and grows as it is needed.
        with suppress(apsw.FullError):
            connection.execute("CREATE TABLE filling (body BLOB) STRICT")
            connection.execute("INSERT INTO filling VALUES (zeroblob(?))", (pages * page_size,))
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.pragma("cache_size", cache_size)


def write_log_anew(path: Path, vfs: str | None) -> None:
    """Make durable what can be read of the log that an earlier process left behind.

    After a failed sync the kernel takes its pages for written: who starts anew reads commits that the disk never got,
    and no later sync brings them. After a power cut SQLite reads up to the first one missing, so that all commits on
    top of it are lost; and of a checkpoint that the power cuts short pages remain that do not belong together. Only
    what is written again is synced again.
    """
    log = Path(f"{path}-wal")
    if not (log.exists() and log.stat().st_size):
        return
    # A connection of its own: whoever opens the database afterwards reads what was written here, not what lay there.
    connection = apsw.Connection(str(path), vfs=vfs)
    try:
        leave_log(connection)
        # While this one may write nobody else does, even where the lock on the directory was lost.
        connection.execute("BEGIN IMMEDIATE")
        _write_anew(apsw.VFSFile(vfs or "", str(log), [_OPEN_FLAGS, 0]))
    finally:
        connection.close()


def leave_log(connection: apsw.Connection) -> None:
    """Have the connection leave the log as it is when it is closed, for the next process to read from its beginning.

    A checkpoint would count on what an earlier one has written, which a failed sync may have lost.
    """
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


def checkpoint_at(pages_max: int) -> Callable[[apsw.Connection, str, int], int]:
    """A hook for commits: move the log into the database whenever it has so many pages.

    SQLite's own says nothing of a sync that fails in it. A checkpoint that readers kept from ending has synced nothing
    and is counted on all the same, so what it wrote may be lost with that sync, and the log be recycled after the next.
    """

    def checkpoint(connection: apsw.Connection, name: str, pages: int) -> int:
        if pages >= pages_max:
            # When it cannot be done now the commit is durable where it is; a later one tries again.
            with suppress(apsw.BusyError, apsw.FullError):
                connection.wal_checkpoint(name, apsw.SQLITE_CHECKPOINT_PASSIVE)
        return apsw.SQLITE_OK

    return checkpoint


def _write_anew(log: apsw.VFSFile) -> None:
    try:
        size = log.xFileSize()
        for offset in range(0, size, _PIECE_BYTES):
            log.xWrite(log.xRead(min(_PIECE_BYTES, size - offset), offset), offset)
        log.xSync(apsw.SQLITE_SYNC_NORMAL)
    finally:
        log.xClose()
