"""The real store with points at which the process can die: before each statement, inside and after each commit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw

from sheratan.contracts.errors import SheratanError
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.disk import SimulatedDisk
from sheratan.simulation.folder import SimulatedFolder
from sheratan.simulation.hearers import SimulatedHearers
from sheratan.simulation.kept_reads import Changes, KeptReader
from sheratan.simulation.loop import SimulatedLoop
from sheratan.simulation.options import Options
from sheratan.simulation.outside import SimulatedOutside
from sheratan.store.archive import Archive
from sheratan.store.sqlite.reader import SqliteReader
from sheratan.store.sqlite.store import DATABASE_NAME, SqliteStore, connect_owner
from sheratan.store.unit import Unit

__all__ = ["UPKEEP", "Killed", "SimulatedStorage", "SimulatedStore"]

_SLOW_US = (2_000, 20_000, 500_000)


UPKEEP: Final[ContextVar[bool]] = ContextVar("UPKEEP", default=False)
"""Whether what runs is what a server does by itself, and not for anybody who asks."""


class Killed(BaseException):
    """The process ends here. No handler for errors may stop it."""


class SimulatedStorage:
    """Where the database of the world lies: on the simulated disk, or in memory, which no power cut reaches."""

    def __init__(self, loop: SimulatedLoop, choices: Choices, coverage: Coverage, options: Options) -> None:
        self.loop = loop
        self.choices = choices
        self.coverage = coverage
        self.options = options
        self.disk = SimulatedDisk(choices, coverage) if options.storage == "disk" else None
        self.outside = SimulatedOutside(loop, choices, coverage, options, self.disk)
        self.hearers = SimulatedHearers(choices, coverage, options)
        self.changes = Changes()
        self.folder = SimulatedFolder(choices, coverage)
        self.archive = Archive(self.folder)
        self._memory: apsw.Connection | None = None
        self._open: list[SqliteReader] = []
        self.has_failed_sync = False
        """Whether a sync has failed since the store was opened: the one thing that an engine may halt on."""
        if self.disk is not None:
            self.disk.sync_fails = self._sync_fails
            disk = self.disk
            self.folder.is_full = lambda: disk.is_full
            self.folder.sync_fails = lambda: choices.chance(
                "archive.sync_failed", options.rate("archive.sync_failed")
            )

    def open(self, now_us: int, kill: Callable[[], None]) -> tuple[SimulatedStore, SqliteReader]:
        """The store of an engine that starts, and a reader beside it. `kill` is called where the process ends."""
        self.has_failed_sync = False
        if self.disk is None:
            if self._memory is None:
                self._memory = connect_owner(Path(":memory:"), now_us)
            store = SimulatedStore(self._memory, self, kill)
            return store, store
        connection = self._connect(self.disk, now_us, kill)
        store = SimulatedStore(connection, self, kill)
        reader = self.reader()
        self._open += [store, reader]
        return store, reader

    def _connect(self, disk: SimulatedDisk, now_us: int, kill: Callable[[], None]) -> apsw.Connection:
        def dies() -> bool:
            """Whether the process is killed before this write."""
            is_over = self.choices.chance("crash.inside_open", self.options.rate("crash.inside_commit"))
            if is_over:
                self.coverage.hit("crash.inside_open")
                kill()
            return is_over

        disk.dies = dies
        try:
            return connect_owner(
                disk.folder / DATABASE_NAME,
                now_us,
                vfs=disk.name,
                log_pages=self.options.log_pages,
                is_laid_out=self.options.is_log_laid_out,
            )
        except SheratanError:
            if disk.is_dead:
                raise Killed from None
            raise

    def reader(self) -> SqliteReader:
        """A connection of its own that reads what is committed; give it back."""
        if self.disk is None:
            assert self._memory is not None
            return SqliteReader(self._memory)
        path = self.disk.folder / DATABASE_NAME
        return SqliteReader(
            apsw.Connection(
                str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=self.disk.name, statementcachesize=500
            )
        )

    def kept_reader(self, reader: SqliteReader) -> KeptReader:
        """A reader by the same connection, which reads nothing twice that has not changed."""
        return KeptReader(reader._connection, self.changes)

    def give_back(self, reader: SqliteReader) -> None:
        """Close a reader; in memory its connection is the only one."""
        if self.disk is not None:
            reader.close()

    def long_reader(self) -> SqliteReader:
        """A reader of another program, which is gone at the next crash."""
        reader = self.reader()
        self._open.append(reader)
        return reader

    def close_in_order(self, store: SimulatedStore) -> None:
        """Close what a process has open, its own connection last."""
        if self.disk is None:
            return
        at = self._open.index(store)
        with suppress(apsw.Error):
            # SQLite bears it when it cannot tidy up here; what the disk raised comes out all the same.
            self._open[at + 1].close()
            store.close()
        del self._open[at : at + 2]

    def crash(self, *, power: bool) -> None:
        """The process that had the store open is gone."""
        if self.disk is not None:
            self._close_all()
            self.disk.crash(power=power)
            if power:
                self.folder.cut_power()
        elif self._memory is not None:
            self._memory.exec_trace = None

    def close(self) -> None:
        """Give everything back."""
        self._close_all()
        if self._memory is not None:
            self._memory.exec_trace = None
            self._memory.close()
        if self.disk is not None:
            self.disk.remove()

    def _sync_fails(self, is_log: bool) -> bool:
        fault = "disk.sync_failed" if is_log else "disk.checkpoint_failed"
        if self.choices.chance(fault, self.options.rate(fault)):
            self.coverage.hit(fault)
            self.has_failed_sync = True
            return True
        return False

    def archive_of(self, kill: Callable[[], None]) -> Archive:
        """The archive as a process has it; `kill` is called where that ends."""
        return Archive(self.folder.of_process(partial(self._may_die, kill)))

    def _may_die(self, kill: Callable[[], None]) -> None:
        if self.choices.chance("crash.archiving", self.options.rate("crash.archiving")):
            self.coverage.hit("crash.archiving_due" if UPKEEP.get() else "crash.archiving")
            kill()
            raise Killed

    def _close_all(self) -> None:
        if self.disk is not None:
            self.disk.is_dead = True
        for store in self._open:
            # What a killed process had open is not written back.
            with suppress(apsw.Error):
                store.close()
        self._open.clear()


class SimulatedStore(SqliteStore):
    """The real store; its connection asks before each statement whether the process still lives."""

    def __init__(
        self, connection: apsw.Connection, storage: SimulatedStorage, kill: Callable[[], None]
    ) -> None:
        super().__init__(connection)
        self.is_over = False
        """The process that used this store is gone; whoever still holds it learns so at once."""
        self._storage = storage
        self._kill = kill
        self._commits = False
        connection.exec_trace = self._before_statement
        if storage.disk is not None:
            storage.disk.dies = self._dies_inside

    def commit(self, unit: Unit) -> None:
        """Commit, unless the process ends before, within, or right after."""
        storage = self._storage
        self._must_live()
        storage.loop.pass_time(self._latency_us())
        if storage.loop.is_in_thread:
            storage.coverage.hit("commit.in_a_thread")
        self._commits = True
        try:
            super().commit(unit)
        except SheratanError:
            self._must_live()
            raise
        finally:
            self._commits = False
            if self.is_over:
                self._let_go()
        if storage.choices.chance("crash.after_commit", storage.options.rate("crash.after_commit")):
            storage.coverage.hit("crash.after_commit")
            self._die()

    def close(self) -> None:
        """Give the files back; in memory the database lives on for the next engine."""
        self._connection.exec_trace = None
        if self._storage.disk is not None:
            super().close()

    def _let_go(self) -> None:
        """The process died within a transaction, and the kernel takes its locks back: another may go on beside it."""
        trace, self._connection.exec_trace = self._connection.exec_trace, None
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._connection.exec_trace = trace

    def _latency_us(self) -> int:
        storage = self._storage
        if storage.choices.chance("disk.slow", storage.options.rate("disk.slow")):
            storage.coverage.hit("disk.slow")
            return storage.choices.pick("disk.slow_us", _SLOW_US)
        return 100

    def _before_statement(self, _: object, text: str, bindings: Any) -> bool:
        self._must_live()
        storage = self._storage
        storage.changes.note(text)
        if text == "BEGIN IMMEDIATE" and storage.choices.chance(
            "disk.busy", storage.options.rate("disk.busy")
        ):
            storage.coverage.hit("disk.busy")
            raise apsw.BusyError("another program writes to the simulated database")
        if self._commits and storage.choices.chance(
            "crash.statement", storage.options.rate("crash.statement")
        ):
            storage.coverage.hit("crash.before_commit" if text == "COMMIT" else "crash.before_statement")
            self._die()
        return True

    def _dies_inside(self) -> bool:
        storage = self._storage
        rate = storage.options.rate("crash.inside_commit")
        if self._commits and storage.choices.chance("crash.inside_commit", rate):
            storage.coverage.hit("crash.inside_commit")
            self.is_over = True
            self._kill()
            return True
        return False

    def _die(self) -> None:
        self.is_over = True
        self._kill()
        raise Killed

    def _must_live(self) -> None:
        if self.is_over:
            raise Killed
