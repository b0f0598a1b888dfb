"""What is committed outlives a sync that failed earlier, or later, and a power cut after it."""

from __future__ import annotations

import resource
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import apsw
import pytest

from sheratan.contracts.errors import CorruptData
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.disk import SimulatedDisk
from sheratan.store.sqlite import migrate
from sheratan.store.sqlite.log import checkpoint_at
from sheratan.store.sqlite.migrate import Migration, known_migrations
from sheratan.store.sqlite.store import DATABASE_NAME, SqliteStore, connect_owner
from tests.store.support import add_job, new_unit, opened

LOST = [1] * 10_000
"""The draws of a disk that gets nothing of what it was not asked to keep; without them it gets everything."""


class Machine:
    """A disk and the store of whichever process runs."""

    def __init__(self, *, sync: list[int], power: list[int]) -> None:
        self.disk = SimulatedDisk(Choices(1, {"sync": sync, "power": power}), Coverage())
        self.store = self.start()

    @property
    def path(self) -> Path:
        return self.disk.folder / DATABASE_NAME

    def start(self) -> SqliteStore:
        self.store = SqliteStore(connect_owner(self.path, 1, vfs=self.disk.name))
        self.store.take_over()
        return self.store

    def crash(self, *, power: bool) -> None:
        """Nothing is tidied up, as after SIGKILL."""
        self.disk.is_dead = True
        with suppress(apsw.Error):
            self.store.close()
        self.disk.crash(power=power)
        self.disk.dies = lambda: False
        self.disk.sync_fails = lambda is_log: False

    def add(self, jobs: int = 1) -> None:
        _add(self.store, jobs)

    def fail_syncs(self, *, of_log: bool) -> None:
        """Have the syncs of the log or of the database fail, until the machine is started anew."""
        self.disk.sync_fails = lambda is_log: is_log == of_log

    def checkpoint_always(self) -> None:
        """Have every commit move the log into the database."""
        self.store._connection.set_wal_hook(checkpoint_at(1))

    def jobs(self) -> int:
        """How many jobs there are; nothing is damaged."""
        assert self.store.integrity() == []
        count = self.store.counts()["ready"]
        assert self.store.shard().next_number == count + 1
        return count


def _add(store: SqliteStore, jobs: int) -> None:
    unit = new_unit(store)
    for _ in range(jobs):
        add_job(unit, size=2_000)
    store.commit(unit)


@pytest.fixture
def machine() -> Iterator[Callable[..., Machine]]:
    made: list[Machine] = []

    def make(*, sync: list[int], power: list[int]) -> Machine:
        made.append(Machine(sync=sync, power=power))
        return made[-1]

    yield make
    for one in made:
        one.crash(power=False)
        one.disk.remove()


def test_what_was_acknowledged_after_a_failed_sync_and_a_restart_outlives_a_power_cut(
    machine: Callable[..., Machine],
) -> None:
    host = machine(sync=LOST, power=LOST)
    host.add()
    host.fail_syncs(of_log=True)
    with pytest.raises(CorruptData, match="sync failed"):
        host.add()
    host.crash(power=False)
    store = host.start()
    assert store.counts()["ready"] == 2, "what failed is seen by who reads, as memory has it"
    host.add()
    host.crash(power=True)
    host.start()
    assert host.jobs() == 3


def test_a_power_cut_while_a_server_opens_what_a_failed_sync_left_damages_nothing(
    machine: Callable[..., Machine],
) -> None:
    writes = 0
    while True:
        host = machine(sync=LOST, power=[])
        host.add(30)
        host.store.close()
        host.start()
        host.fail_syncs(of_log=True)
        with pytest.raises(CorruptData, match="sync failed"):
            host.add(30)
        host.crash(power=False)
        left = count(-writes)
        host.disk.dies = lambda left=left: next(left) == 0
        try:
            host.start()
        except CorruptData:
            writes += 1
        else:
            break
        host.crash(power=True)
        host.start()
        assert host.jobs() in (30, 60)
    assert writes > 0


def test_a_store_that_has_failed_is_closed_without_counting_on_its_checkpoints(
    machine: Callable[..., Machine],
) -> None:
    host = machine(sync=LOST, power=LOST)
    _checkpoint_in_part(host)
    host.fail_syncs(of_log=False)
    with pytest.raises(CorruptData, match="sync failed"):
        host.add()
    host.disk.sync_fails = lambda is_log: False
    host.store.close()
    host.crash(power=True)
    host.start()
    assert host.jobs() == 162


def _checkpoint_in_part(host: Machine) -> None:
    """Have a reader stop a checkpoint halfway: what that has written is not synced, and not written again."""
    host.add(100)
    host.store.close()
    host.start()
    host.add(30)
    reader = apsw.Connection(str(host.path), flags=apsw.SQLITE_OPEN_READONLY, vfs=host.disk.name)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM shard").fetchall()
    host.add(30)
    host.checkpoint_always()
    host.add()
    log, moved = host.store._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    assert 0 < moved < log
    reader.execute("ROLLBACK")
    reader.close()


def test_a_checkpoint_that_fails_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    _add(store, 200)
    store.close()
    store = SqliteStore(connect_owner(path, 1, log_pages=4))
    store.take_over()
    try:
        # On the real file system, where SQLite's own hook would say nothing: the log still fits, the database not.
        with _file_bytes_max(path.stat().st_size), pytest.raises(CorruptData, match="disk I/O"):
            _add(store, 20)
        store.close()
        store = opened(path)
        assert store.counts()["ready"] == 220
    finally:
        store.close()


@contextmanager
def _file_bytes_max(size: int) -> Generator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_checkpoint_that_finds_the_disk_full_is_made_later(machine: Callable[..., Machine]) -> None:
    host = machine(sync=[], power=LOST)
    host.add(60)
    host.checkpoint_always()
    host.add()
    host.disk.is_full = True
    # The log begins anew in the room that it has; the database would have to grow.
    host.add(20)
    host.disk.is_full = False
    host.add()
    host.crash(power=True)
    host.start()
    assert host.jobs() == 82


def test_a_server_that_fails_while_it_opens_writes_nothing_more(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = machine(sync=LOST, power=[])
    host.add(30)
    host.crash(power=False)
    more = Migration(1_000, "more", "CREATE TABLE more (number INTEGER) STRICT;", "checksum")
    migrations = [*known_migrations(), more]
    monkeypatch.setattr(migrate, "known_migrations", lambda: migrations)
    logs_synced = count()
    written_since_failure: list[str] = []
    has_failed = False

    def fails(is_log: bool) -> bool:
        """The log that is written anew is synced, the migration is not; what comes later would be."""
        nonlocal has_failed
        is_migration = is_log and next(logs_synced) == 1
        has_failed |= is_migration
        return is_migration

    def dies() -> bool:
        if has_failed:
            written_since_failure.append("a write")
        return False

    host.disk.sync_fails, host.disk.dies = fails, dies
    with pytest.raises(CorruptData, match="sync failed"):
        host.start()
    assert has_failed
    assert written_since_failure == []


def test_a_database_that_cannot_be_opened_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    store._connection.execute("UPDATE migration SET checksum = 'changed'")
    store.close()
    with pytest.raises(CorruptData, match="does not know") as refusal:
        connect_owner(path, 1)
    held = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [name for name in held if name.startswith(str(tmp_path))], refusal
