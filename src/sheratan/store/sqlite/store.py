"""The owner's store: one connection that writes, durably, one unit at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import apsw

from sheratan.contracts.errors import CorruptData, DataDirectoryInUse, DiskFailed, NotFound, Unavailable
from sheratan.kernel.chain import PAGE_SEPARATOR
from sheratan.store.port import Shard
from sheratan.store.port_system import Latch
from sheratan.store.rows import AwaitedRow, Blocked, Lease, Location, Ready, Result, SignalRow, Timer, WaitRow
from sheratan.store.run_rows import RunOpen, RunResult
from sheratan.store.sqlite.archive import take_out
from sheratan.store.sqlite.latch import remove_latch, write_latch
from sheratan.store.sqlite.ledger import write_ledger
from sheratan.store.sqlite.library import check_library
from sheratan.store.sqlite.log import LOG_PAGES, checkpoint_at, lay_out_log, leave_log, write_log_anew
from sheratan.store.sqlite.migrate import apply_migrations
from sheratan.store.sqlite.pages import PageWriter
from sheratan.store.sqlite.proposals import write_proposals
from sheratan.store.sqlite.prune import prune_jobs, prune_runs
from sheratan.store.sqlite.reader import SqliteReader
from sheratan.store.sqlite.statements import delete_rows, insert_rows, sql
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
    """Within it, what passes by itself is Unavailable, and what does not is CorruptData, which begins with `wrong`."""
    try:
        yield
    except apsw.FullError as error:
        raise Unavailable("the disk is full; nothing was written") from error
    except apsw.BusyError as error:
        raise Unavailable("another program writes to the database; nothing was written") from error
    except (apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError) as error:
        raise DiskFailed(f"{wrong}: {error}") from error
    except (apsw.Error, UnicodeDecodeError) as error:
        raise CorruptData(f"{wrong}: {error}") from error


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

    @contextmanager
    def _writing(self) -> Generator[None]:
        with _told_apart("the database cannot be written"):
            try:
                yield
            except (apsw.FullError, apsw.BusyError):
                raise
            except apsw.Error:
                # After a failed sync nobody knows what the disk holds, so trying again would prove nothing.
                leave_log(self._connection)
                raise

    def take_over(self) -> Shard:
        """Become the owner: raise the epoch, so that an earlier owner can write no more."""
        with self._writing():
            self._connection.execute(sql("take_over"))
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
        with self._writing():
            try:
                connection.execute("BEGIN IMMEDIATE")
                self._write(unit)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _write(self, unit: Unit) -> None:
        connection = self._connection
        left, entered = _by_table(unit)
        self._advance(unit, list(map(attrgetter("state"), entered.get(Result, ()))))
        self._write_moves(left, entered)
        self._write_rows(unit)
        self._write_runs(unit)
        prune_jobs(connection, unit.pruned)
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
            *(ends.count(state) for state in ("succeeded", "failed", "cancelled")),
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

    def _write_rows(self, unit: Unit) -> None:
        connection = self._connection
        insert_rows(connection, "insert_lane", unit.lanes)
        insert_rows(connection, "insert_job", unit.jobs)
        insert_rows(connection, "insert_payload", list(unit.payloads.items()))
        insert_rows(connection, "insert_after", unit.after)
        insert_rows(connection, "insert_key", list(unit.keys.values()))
        insert_rows(connection, "insert_failure", unit.failures)
        insert_rows(connection, "insert_tag", unit.tags)
        _write_dead_letters(connection, unit)
        insert_rows(connection, "replace_bulk", list(unit.bulks.values()))
        insert_rows(connection, "insert_step", unit.steps)
        _change_rows(connection, "wait", unit.waits, 3)
        _change_rows(connection, "awaited", _awaited_rows(unit), 4)
        _change_rows(connection, "signal", unit.signals, 2)
        insert_rows(connection, "replace_schedule", list(unit.schedules.values()))
        _change_rows(connection, "blocking_code", unit.blocking, 2)
        insert_rows(connection, "replace_approval", list(unit.approvals.values()))
        insert_rows(connection, "insert_approval_act", unit.approval_acts)
        insert_rows(connection, "replace_retention", list(unit.retentions.values()))
        _write_gates(connection, unit)
        write_proposals(connection, unit.proposals)
        insert_rows(connection, "insert_mention", unit.mentions)
        insert_rows(connection, "insert_alarm", unit.alarms)
        insert_rows(connection, "replace_flow", list(unit.flows.values()))
        insert_rows(connection, "insert_partition", list(unit.partitions.names.values()))
        delete_rows(connection, "delete_partition_paces", list(unit.partitions.forgotten))
        insert_rows(connection, "replace_partition_pace", list(unit.partitions.paces.values()))
        if unit.paces:
            insert_rows(connection, "replace_pace", [row for row in unit.paces.values() if row is not None])
            delete_rows(connection, "delete_pace", [key for key, row in unit.paces.items() if row is None])
        delete_rows(connection, "delete_alarm", unit.alarms_rung)
        if unit.pulse:
            connection.execute(sql("update_pulse"), (unit.at_us,))
        if unit.system is not None:
            connection.execute(sql("replace_system"), unit.system)
        if unit.alerts:
            insert_rows(connection, "replace_alert", list(unit.alerts.values()))
        if unit.journal_kept is not None:
            connection.execute(sql("replace_journal_kept"), unit.journal_kept)

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


def _awaited_rows(unit: Unit) -> dict[AwaitedRow, bool]:
    return {
        AwaitedRow(*wait, job): stays for wait, jobs in unit.awaited.items() for job, stays in jobs.items()
    }


def _by_table(unit: Unit) -> tuple[_Keys, _Entered]:
    """The keys of the rows that jobs leave, and the rows to which they go."""
    left: _Keys = defaultdict(list)
    entered: _Entered = defaultdict(list)
    for before, after in unit.moves.values():
        if before is not None:
            left[type(before)].append(before[: _KEY_COLUMNS[type(before)]])
        entered[type(after)].append(after)
    return left, entered


def _write_dead_letters(connection: apsw.Connection, unit: Unit) -> None:
    if not (unit.failed or unit.dead_letters):
        return
    insert_rows(connection, "insert_failed_job", unit.failed)
    insert_rows(connection, "insert_failure_text", unit.failure_texts)
    insert_rows(
        connection,
        "insert_dead_letter",
        [(number,) for number, enters in unit.dead_letters.items() if enters],
    )
    gone = [(number,) for number, enters in unit.dead_letters.items() if not enters]
    if delete_rows(connection, "delete_dead_letter", gone) != len(gone):
        raise CorruptData("a job was no dead letter, as the engine believed it to be")


def _write_gates(connection: apsw.Connection, unit: Unit) -> None:
    if unit.gates:
        insert_rows(connection, "replace_gate", list(unit.gates.values()))
        # More than come, so that what is over makes room in the end, and never many at once.
        connection.execute(sql("delete_gates"), (unit.at_us, 2 * len(unit.gates)))


def _change_rows(
    connection: apsw.Connection,
    table: str,
    rows: Mapping[WaitRow, bool]
    | Mapping[AwaitedRow, bool]
    | Mapping[SignalRow, bool]
    | Mapping[tuple[int, str], bool],
    key_columns: int,
) -> None:
    """Insert the rows that are to be there and delete the others, by their first columns."""
    if rows:
        insert_rows(connection, f"insert_{table}", [row for row, stays in rows.items() if stays])
        gone = [row[:key_columns] for row, stays in rows.items() if not stays]
        delete_rows(connection, f"delete_{table}", gone)
