"""The owner's store: one connection that writes, durably, one unit at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import apsw

from sheratan.contracts.errors import (
    CorruptData,
    DataDirectoryInUse,
    DiskFailed,
    NotFound,
    SheratanError,
    Unavailable,
)
from sheratan.kernel.chain import PAGE_SEPARATOR
from sheratan.store.port import Shard
from sheratan.store.port_system import Latch
from sheratan.store.rows import Blocked, Lease, Location, Ready, Result, Timer
from sheratan.store.run_rows import RunOpen, RunResult
from sheratan.store.sqlite.archive import take_out
from sheratan.store.sqlite.latch import remove_latch, write_latch
from sheratan.store.sqlite.ledger import write_ledger
from sheratan.store.sqlite.library import check_library
from sheratan.store.sqlite.log import LOG_PAGES, checkpoint_at, lay_out_log, leave_log, write_log_anew
from sheratan.store.sqlite.migrate import apply_migrations
from sheratan.store.sqlite.pages import PageWriter
from sheratan.store.sqlite.prune import prune_jobs, prune_runs
from sheratan.store.sqlite.reader import SqliteReader
from sheratan.store.sqlite.statements import delete_rows, insert_rows, sql
from sheratan.store.sqlite.unit_rows import write_rows
from sheratan.store.unit import Unit

__all__ = ["DATABASE_NAME", "SqliteStore", "connect_owner", "open_reader", "open_store"]

DATABASE_NAME = "sheratan.db"

READ_SECONDS_MAX: Final = 5
"""A long read keeps the write-ahead log from being recycled, so every read beside the owner is cut off here."""

_WRITER_PRAGMAS = (
    "page_size = 4096",
    "journal_mode = WAL",
    # Nothing is acknowledged before it would survive a power cut. Group commit hides the cost.
    "synchronous = FULL",
    # In KiB. What jobs touch is new, or was just now, and 64 MB took no processor time off a store of 600,000 jobs;
    # but they filled up as jobs came in, so the server grew by as much.
    "cache_size = -20480",
    "temp_store = MEMORY",
)
_STEPS_PER_CHECK: Final = 100_000

_NAMES: Final[dict[type[Location], str]] = {
    Ready: "ready",
    Timer: "timer",
    Lease: "lease",
    Blocked: "blocked",
    Result: "result",
}
_KEY_COLUMNS: Final[dict[type[Location], int]] = {Ready: 3, Timer: 2, Lease: 1, Blocked: 1}
"""How many of a location's first columns are its key."""

_Keys = defaultdict[type[Location], list[tuple[Any, ...]]]
_Entered = defaultdict[type[Location], list[Location]]


def open_store(path: Path, now_us: int, *, vfs: str | None = None, is_laid_out: bool = False) -> SqliteStore:
    """Open, create or migrate a database for its owner; `:memory:` works too."""
    return SqliteStore(connect_owner(path, now_us, vfs=vfs, is_laid_out=is_laid_out))


def connect_owner(
    path: Path,
    now_us: int,
    *,
    vfs: str | None = None,
    log_pages: int = LOG_PAGES,
    is_laid_out: bool = False,
) -> apsw.Connection:
    """The connection of a database's owner, with every migration applied. `vfs` names another file system.

    `log_pages` is the size at which the log is begun anew; with `is_laid_out` it has that size from the start.
    """
    check_library()
    with _told_apart(f"{path} is not a usable database"):
        write_log_anew(path, vfs)
        connection = apsw.Connection(str(path), vfs=vfs, statementcachesize=300)
        with _closed_unless_ready(connection):
            connection.set_wal_hook(checkpoint_at(log_pages))
            for pragma in _WRITER_PRAGMAS:
                connection.execute(f"PRAGMA {pragma}").fetchall()
            apply_migrations(connection, now_us)
            if is_laid_out:
                lay_out_log(connection, path, log_pages)
        return connection


@contextmanager
def _closed_unless_ready(connection: apsw.Connection) -> Generator[None]:
    """Whatever goes wrong within it, the connection is closed."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, apsw.Error):
            leave_log(connection)
        connection.close()
        raise


@contextmanager
def _told_apart(wrong: str) -> Generator[None]:
    """Within it, what goes wrong is told as `_told` does."""
    try:
        yield
    except _WRONG as error:
        raise _told(error, wrong) from error


_WRONG: Final = (apsw.Error, UnicodeDecodeError)


def _told(error: Exception, wrong: str) -> SheratanError:
    """What passes by itself is Unavailable, and what does not is CorruptData, which begins with `wrong`."""
    if isinstance(error, apsw.FullError):
        return Unavailable("the disk is full; nothing was written")
    if isinstance(error, apsw.BusyError):
        return Unavailable("another program writes to the database; nothing was written")
    if isinstance(error, (apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError)):
        return DiskFailed(f"{wrong}: {error}")
    return CorruptData(f"{wrong}: {error}")


def open_reader(path: Path, *, seconds_max: int = READ_SECONDS_MAX, clock: Callable[[], int]) -> SqliteReader:
    """Open a database for reading only. `clock` gives monotonic microseconds, for the cap on a read's time."""
    check_library()
    if not path.exists():
        raise NotFound(f"{path} does not exist; `sheratan up --data DIR` creates it", field="data")
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=50)
    reader = _TimedReader(connection, seconds_max * 1_000_000, clock)
    try:
        reader.shard()
    except (apsw.Error, CorruptData) as error:
        reader.close()
        raise CorruptData(f"{path} is not a usable database: {error}") from error
    return reader


class _TimedReader(SqliteReader):
    """A reader whose every query is cut off after a while."""

    def __init__(self, connection: apsw.Connection, microseconds: int, clock: Callable[[], int]) -> None:
        super().__init__(connection)
        self._microseconds, self._clock, self._since = microseconds, clock, clock()
        connection.set_progress_handler(self._is_over, _STEPS_PER_CHECK)
        connection.exec_trace = self._begin

    def integrity(self) -> list[str]:
        """What SQLite finds wrong with its own files. Reads all of them, so the cap does not hold for it."""
        self._connection.set_progress_handler(None)
        try:
            return super().integrity()
        finally:
            self._connection.set_progress_handler(self._is_over, _STEPS_PER_CHECK)

    def _begin(self, *_: object) -> bool:
        self._since = self._clock()
        return True

    def _is_over(self) -> bool:
        return self._clock() - self._since > self._microseconds


class SqliteStore(SqliteReader):
    """Reads and the one way to write."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._epoch = 0
        self._pages = PageWriter()

    def take_over(self) -> Shard:
        """Become the owner: raise the epoch, so that an earlier owner can write no more."""
        try:
            self._connection.execute(sql("take_over"))
        except _WRONG as error:
            raise self._not_written(error) from error
        shard = self.shard()
        self._epoch = shard.epoch
        return shard

    def keep_latch(self, latch: Latch) -> None:
        """Keep a halt beside the database, since it cannot be written into it; OSError when that fails, too."""
        write_latch(self._connection.filename, latch)

    def release_latch(self) -> None:
        """The journal says it now."""
        remove_latch(self._connection.filename)

    def commit(self, unit: Unit) -> None:
        """Write a unit, all of it or nothing, and return only when it is durable."""
        connection = self._connection
        try:
            try:
                connection.execute("BEGIN IMMEDIATE")
                self._write(unit)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except _WRONG as error:
            raise self._not_written(error) from error

    def _not_written(self, error: Exception) -> SheratanError:
        if isinstance(error, apsw.Error) and not isinstance(error, (apsw.FullError, apsw.BusyError)):
            # After a failed sync nobody knows what the disk holds, so trying again would prove nothing.
            leave_log(self._connection)
        return _told(error, "the database cannot be written")

    def _write(self, unit: Unit) -> None:
        connection = self._connection
        left, entered = _by_table(unit)
        self._advance(unit, list(map(attrgetter("state"), entered.get(Result, ()))))
        self._write_moves(left, entered)
        write_rows(connection, unit)
        self._write_runs(unit)
        if unit.pruned:
            prune_jobs(connection, unit.pruned)
        if unit.pruned_runs:
            prune_runs(connection, unit.pruned_runs)
        if unit.segment is not None:
            take_out(connection, *unit.segment)
        if not unit.ledger.is_empty:
            write_ledger(connection, unit.ledger)

    def _advance(self, unit: Unit, ends: list[str]) -> None:
        head = unit.end
        values = (
            head.seq,
            head.hash,
            head.at,
            unit.next_number,
            unit.policy,
            unit.engine_entry,
            int(unit.clean),
            *map(ends.count, ("succeeded", "failed", "cancelled")),
        )
        self._connection.execute(sql("advance_shard"), (*values, self._epoch, unit.first_seq))
        if self._connection.changes() != 1:
            raise DataDirectoryInUse(
                "another engine has taken over; this one writes nothing more", field="data"
            )
        if unit.lines:
            page = self._pages.row(unit.first_seq, len(unit.lines), PAGE_SEPARATOR.join(unit.lines))
            self._connection.execute(sql("insert_page"), page)

    def _write_moves(self, left: _Keys, entered: _Entered) -> None:
        for row_type, keys in left.items():
            # The row's presence is the compare-and-swap: a job that is not where the engine believes it
            # to be means that memory and database disagree, and nothing may be built on that.
            if delete_rows(self._connection, f"delete_{_NAMES[row_type]}", keys) != len(keys):
                raise CorruptData(f"a job was not in {_NAMES[row_type]}, where the engine believed it to be")
        for row_type, rows in entered.items():
            insert_rows(self._connection, f"insert_{_NAMES[row_type]}", rows)

    def _write_runs(self, unit: Unit) -> None:
        if not (unit.run_moves or unit.node_jobs or unit.run_mentions):
            return
        connection = self._connection
        moves = unit.run_moves.values()
        left = [(before.number, before.entry) for before, _ in moves if before is not None]
        if delete_rows(connection, "delete_run_open", left) != len(left):
            raise CorruptData("a run did not stand where the engine believed it to")
        insert_rows(connection, "insert_run", unit.runs)
        insert_rows(connection, "insert_run_key", list(unit.run_keys.values()))
        for row_type, name in ((RunOpen, "insert_run_open"), (RunResult, "insert_run_result")):
            insert_rows(connection, name, [after for _, after in moves if type(after) is row_type])
        insert_rows(connection, "insert_run_mention", unit.run_mentions)
        insert_rows(connection, "insert_node", unit.nodes)
        insert_rows(connection, "insert_node_job", unit.node_jobs)


def _by_table(unit: Unit) -> tuple[_Keys, _Entered]:
    """The keys of the rows that jobs leave, and the rows to which they go."""
    left: _Keys = defaultdict(list)
    entered: _Entered = defaultdict(list)
    for before, after in unit.moves.values():
        if before is not None:
            left[type(before)].append(before[: _KEY_COLUMNS[type(before)]])
        entered[type(after)].append(after)
    return left, entered
