"""The one way to write: all of a unit or nothing, by the owner alone, onto what it believes to be there."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from sheratan.contracts.errors import CorruptData, DataDirectoryInUse, InternalError, TimedOut, Unavailable
from sheratan.contracts.principal import ENGINE
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.disk import SimulatedDisk
from sheratan.store.rows import FailedRow, FailureRow, KeyRow, Lease, Result, Timer
from sheratan.store.sqlite.store import SqliteStore, open_reader, open_store
from tests.engine.world import limit_pages
from tests.store.support import add_job, new_unit, opened, table_rows


def test_a_unit_is_written_whole_and_read_back(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    unit = new_unit(store)
    rows = [add_job(unit) for _ in range(300)]
    store.commit(unit)
    reader = open_reader(tmp_path / "a.db", clock=lambda: 0)
    assert reader.shard().head == unit.end
    assert list(reader.locations()) == rows
    assert reader.entry_line(7) == unit.lines[7]
    assert reader.entry_line(300) is None
    reader.close()
    store.close()


def test_an_earlier_owner_writes_nothing_after_another_has_taken_over(tmp_path: Path) -> None:
    first = opened(tmp_path / "a.db")
    second = opened(tmp_path / "a.db")
    before = table_rows(second._connection)
    unit = new_unit(first)
    add_job(unit)
    with pytest.raises(DataDirectoryInUse, match="taken over"):
        first.commit(unit)
    assert table_rows(second._connection) == before
    unit = new_unit(second)
    add_job(unit)
    second.commit(unit)
    assert second.shard().epoch == 2
    first.close()
    second.close()


def test_a_store_that_was_not_taken_over_writes_nothing() -> None:
    store = opened()
    store._epoch = 0
    unit = new_unit(store)
    add_job(unit)
    with pytest.raises(DataDirectoryInUse):
        store.commit(unit)


def test_a_unit_built_on_an_older_head_is_refused() -> None:
    store = opened()
    old, new = new_unit(store), new_unit(store)
    add_job(old)
    add_job(new)
    store.commit(new)
    before = table_rows(store._connection)
    with pytest.raises(DataDirectoryInUse):
        store.commit(old)
    assert table_rows(store._connection) == before


@pytest.mark.parametrize("table", ["ready", "timer", "lease"])
def test_a_job_that_is_not_where_it_should_be_aborts_the_whole_unit(table: str) -> None:
    store = opened()
    unit = new_unit(store)
    ready = add_job(unit)
    store.commit(unit)
    timer = Timer(5, ready.number, 1, 1, 0, 1, ready.entry)
    lease = Lease(ready.number, 1, 0, ready.entry, 1, 1, 0, ready.entry)
    believed = {"ready": ready, "timer": timer, "lease": lease}[table]
    store._connection.execute("DELETE FROM ready")
    before = table_rows(store._connection)
    unit = new_unit(store)
    add_job(unit)
    entry = unit.record("job.cancelled", "job", {}, ENGINE)
    after = Result(ready.number, "cancelled", 0, 0, 1, None, None, entry)
    unit.move(believed, after)
    with pytest.raises(CorruptData, match=f"not in {table}"):
        store.commit(unit)
    assert table_rows(store._connection) == before


def with_ended_jobs(store: SqliteStore) -> list[int]:
    """Two jobs that have ended, one of which failed, and a third that is open; returns their numbers."""
    unit = new_unit(store)
    rows = [add_job(unit) for _ in range(3)]
    for row, state in zip(rows, ("succeeded", "failed"), strict=False):
        fence = unit.record("worker.leased", "worker:w/1", {}, ENGINE)
        lease = Lease(row.number, 1, 0, fence, 1, 1, 0, fence)
        unit.move(row, lease)
        entry = unit.record(f"job.{state}", "job", {}, ENGINE)  # type: ignore[arg-type]
        unit.move(lease, Result(row.number, state, 1, 0, 1, None, None, entry))
    error = b'{"error_class":"fatal","type":"Oops","message":"no"}'
    unit.failures.append(FailureRow(rows[1].number, entry, error))
    unit.failed.append(FailedRow("fatal", rows[1].number))
    unit.failure_texts.append((rows[1].number, "Oops", "no"))
    store.commit(unit)
    return [row.number for row in rows]


@pytest.mark.parametrize("wrong", ["open", "not there", "not found by its error"])
def test_jobs_that_are_not_as_the_engine_believes_are_not_pruned(wrong: str) -> None:
    store = opened()
    ended, failed, still_open = with_ended_jobs(store)
    numbers = {"open": [ended, still_open], "not there": [ended, 77]}.get(wrong, [ended, failed])
    if wrong == "not found by its error":
        store._connection.execute("DELETE FROM failed_job")
    before = table_rows(store._connection)
    unit = new_unit(store)
    add_job(unit)
    unit.pruned[unit.record("retention.pruned", "retention", {}, ENGINE)] = numbers
    with pytest.raises(CorruptData, match="to be pruned"):
        store.commit(unit)
    assert table_rows(store._connection) == before
    good = new_unit(store)
    good.pruned[good.record("retention.pruned", "retention", {}, ENGINE)] = [ended]
    store.commit(good)
    assert [left.number for left in store.remains([ended, failed])] == [ended]


@pytest.mark.parametrize("spoil", ["job", "type", "key", "mention", "alarm"])
def test_a_statement_that_fails_takes_the_whole_unit_with_it(spoil: str) -> None:
    store = opened()
    unit = new_unit(store)
    ready = add_job(unit)
    unit.keys[("default", "k")] = KeyRow("default", "k", b"d", ready.number)
    store.commit(unit)
    before = table_rows(store._connection)
    unit = new_unit(store)
    add_job(unit)
    if spoil == "job":
        unit.jobs.append(unit.jobs[0])
    elif spoil == "type":
        unit.jobs[0] = unit.jobs[0]._replace(priority="urgent")  # type: ignore[arg-type]
    elif spoil == "key":
        unit.keys[("default", "k")] = KeyRow("default", "k", b"e", 2)
    elif spoil == "mention":
        unit.mentions += [(1, 1), (1, 1)]
    else:
        unit.alarms += [(1, 1), (1, 1)]
    with pytest.raises(CorruptData, match="cannot be written"):
        store.commit(unit)
    assert table_rows(store._connection) == before
    assert not store._connection.in_transaction
    good = new_unit(store)
    add_job(good)
    store.commit(good)


def test_a_full_disk_refuses_the_unit_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    before = table_rows(store._connection)
    limit_pages(store, full=True)
    unit = new_unit(store)
    for _ in range(50):
        add_job(unit, size=2_000)
    with pytest.raises(Unavailable, match="disk is full"):
        store.commit(unit)
    assert table_rows(store._connection) == before
    limit_pages(store, full=False)
    store.commit(unit)
    assert store.counts()["ready"] == 50
    store.close()


def test_a_full_disk_or_another_writer_refuses_an_owner_until_that_has_passed(tmp_path: Path) -> None:
    disk = SimulatedDisk(Choices(1), Coverage())
    try:
        path = disk.folder / "a.db"
        open_store(path, 1, vfs=disk.name).close()
        disk.is_full = True
        store = open_store(path, 1, vfs=disk.name)
        with pytest.raises(Unavailable, match="disk is full"):
            store.take_over()
        disk.is_full = False
        assert store.take_over().epoch == 1
        intruder = apsw.Connection(str(path), vfs=disk.name)
        intruder.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="another program"):
            store.take_over()
        with pytest.raises(Unavailable, match="another program"):
            open_store(path, 1, vfs=disk.name)
        intruder.close()
        store.close()
    finally:
        disk.remove()


def test_another_writer_in_the_file_makes_a_commit_wait_for_another_time(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    intruder = apsw.Connection(str(tmp_path / "a.db"))
    intruder.execute("BEGIN IMMEDIATE")
    unit = new_unit(store)
    add_job(unit)
    with pytest.raises(Unavailable):
        store.commit(unit)
    intruder.execute("ROLLBACK")
    store.commit(unit)
    intruder.close()
    store.close()


def test_what_was_committed_is_there_after_the_process_died(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    unit = new_unit(store)
    add_job(unit)
    store.commit(unit)
    # As after a SIGKILL: the files as they are, without a clean end.
    for name in ("a.db", "a.db-wal"):
        (tmp_path / f"copy-{name}").write_bytes((tmp_path / name).read_bytes())
    again = open_store(tmp_path / "copy-a.db", 1)
    assert again.shard().head == unit.end
    assert again.counts()["ready"] == 1
    again.close()
    store.close()


# ---------------------------------------------------------------------------------------------------------------------
# Units


def test_a_row_cannot_change_its_state_without_an_entry_of_the_same_unit() -> None:
    store = opened()
    unit = new_unit(store)
    row = add_job(unit)
    store.commit(unit)
    unit = new_unit(store)
    with pytest.raises(AssertionError):
        unit.move(row, Result(row.number, "cancelled", 0, 0, 1, None, None, row.entry))


def test_a_row_cannot_move_by_an_entry_of_the_wrong_type() -> None:
    store = opened()
    unit = new_unit(store)
    row = add_job(unit)
    store.commit(unit)
    unit = new_unit(store)
    entry = unit.record("job.due", "job", {}, ENGINE)
    with pytest.raises(InternalError, match="may not go from queued to cancelled"):
        unit.move(row, Result(row.number, "cancelled", 0, 0, 1, None, None, entry))
    assert unit.moves == {}


def test_moves_of_one_job_in_one_unit_are_written_once_where_it_ends_up() -> None:
    store = opened()
    unit = new_unit(store)
    row = add_job(unit)
    fence = unit.record("worker.leased", "worker:w/1", {}, ENGINE)
    lease = Lease(row.number, 1, 0, fence, 1, 1, 0, fence)
    unit.move(row, lease)
    store.commit(unit)
    assert store.counts() == {
        "ready": 0, "timer": 0, "waiting": 0, "lease": 1, "blocked": 0, "result": 0,
    }  # fmt: skip


def test_time_in_a_unit_never_runs_backwards() -> None:
    store = opened()
    unit = new_unit(store, 5_000)
    add_job(unit)
    store.commit(unit)
    assert new_unit(store, 10).at_us == 5_000


# ---------------------------------------------------------------------------------------------------------------------
# Readers


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    opened(tmp_path / "a.db").close()
    reader = open_reader(tmp_path / "a.db", clock=lambda: 0)
    with pytest.raises(apsw.ReadOnlyError):
        reader._connection.execute("UPDATE shard SET epoch = 99")
    reader.close()


def test_a_read_that_takes_too_long_is_cut_off(tmp_path: Path) -> None:
    opened(tmp_path / "a.db").close()
    ticks = iter(range(0, 10**12, 1_000_000))
    reader = open_reader(tmp_path / "a.db", seconds_max=3, clock=lambda: next(ticks))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(apsw.InterruptError):
        reader._connection.execute(endless).fetchall()
    assert reader.shard().epoch == 1, "the next read has its whole time"
    reader.close()


def test_a_read_that_was_cut_off_is_told_as_timed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(tmp_path / "a.db").close()
    ticks = iter(range(0, 10**12, 1_000_000))
    reader = open_reader(tmp_path / "a.db", seconds_max=3, clock=lambda: next(ticks))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    monkeypatch.setattr("sheratan.store.sqlite.scans.sql", {"select_lanes": endless}.__getitem__)
    with pytest.raises(TimedOut):
        reader.lanes()
    reader.close()


def test_a_reader_sees_only_what_was_committed(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    reader = open_reader(tmp_path / "a.db", clock=lambda: 0)
    store._connection.execute("BEGIN IMMEDIATE")
    store._connection.execute("UPDATE shard SET epoch = 50")
    assert reader.shard().epoch == 1
    store._connection.execute("ROLLBACK")
    reader.close()
    store.close()


def test_a_snapshot_sees_one_state_however_much_is_written_meanwhile(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    reader = open_reader(tmp_path / "a.db", clock=lambda: 0)
    with reader.snapshot():
        before = reader.shard()
        unit = new_unit(store)
        add_job(unit)
        store.commit(unit)
        assert reader.shard() == before
        assert reader.counts()["ready"] == 0
    assert reader.counts()["ready"] == 1
    reader.close()
    store.close()


def test_a_run_that_has_not_ended_is_not_pruned() -> None:
    store = opened()
    before = table_rows(store._connection)
    unit = new_unit(store)
    unit.pruned_runs[unit.record("retention.runs_pruned", "retention:workflow:", {}, ENGINE)] = [77]
    with pytest.raises(CorruptData, match="to be pruned"):
        store.commit(unit)
    assert table_rows(store._connection) == before
