"""What the engine cannot bear halts the system for good, and what a restart mends halts this process only."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest

from sheratan.contracts.errors import (
    CorruptData,
    DataDirectoryInUse,
    DiskFailed,
    StateRefuses,
    Unavailable,
)
from sheratan.contracts.ids import parse_job_id
from sheratan.engine.commands import Cancel, ChangeState
from sheratan.store.sqlite.latch import read_latch
from sheratan.store.sqlite.store import open_store
from tests.engine.running import Running, running_engine
from tests.engine.world import PERSON, check_chain

SECONDS_MAX = 20


async def contradict(running: Running) -> None:
    """Have rows and memory disagree, and the engine find out."""
    job = await running.submit()
    running.store._connection.execute("DELETE FROM ready")
    with pytest.raises(CorruptData, match="not in ready"):
        await running.ask(Cancel(id=job, reason=""))


def fail_with(running: Running, error: Exception, statement: str = "COMMIT") -> None:
    """From now on the database raises an error before a statement."""

    def trace(_: object, text: str, bindings: Any) -> bool:
        if text.startswith(statement):
            raise error
        return True

    running.store._connection.exec_trace = trace


def last_entry(running: Running) -> Any:
    return check_chain(running.store)[-1]


def test_rows_that_disagree_with_memory_halt_the_system_in_the_journal(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            await contradict(running)
            entry = last_entry(running)
            assert (entry.type, entry.actor, entry.data["to"]) == ("system.changed", "engine", "halted")
            assert "not in ready" in entry.data["reason"]
            assert running.engine.halted is None
            assert running.store.latch() is None

    asyncio.run(scenario())


def test_a_halt_outlasts_restarts_until_a_person_ends_it(tmp_path: Path) -> None:
    async def halted() -> None:
        async with running_engine(tmp_path) as running:
            await contradict(running)

    async def started() -> None:
        async with running_engine(tmp_path) as running:
            with pytest.raises(StateRefuses, match="halted"):
                await running.submit()

    async def ended() -> None:
        async with running_engine(tmp_path) as running:
            assert await running.ask(ChangeState(to="recovery", reason="looked at"))
            assert await running.ask(ChangeState(to="operational", reason="it is well"))
            await running.submit()

    asyncio.run(halted())
    asyncio.run(started())
    asyncio.run(ended())


def test_a_halt_that_cannot_be_written_down_is_kept_beside_the_database(tmp_path: Path) -> None:
    async def halted() -> None:
        async with running_engine(tmp_path) as running:
            fail_with(running, apsw.CorruptError("database disk image is malformed"))
            with pytest.raises(CorruptData, match="malformed"):
                await running.submit()
            assert "malformed" in (running.engine.halted or "")
            with pytest.raises(Unavailable, match="halted"):
                await running.submit()
            assert running.store.system().state == "operational"

    async def started() -> None:
        async with running_engine(tmp_path) as running:
            entry = last_entry(running)
            assert (entry.type, entry.data["to"]) == ("system.changed", "halted")
            assert "malformed" in entry.data["reason"]
            assert entry.data["evidence"]["latched_us"] <= entry.at
            assert read_latch(str(tmp_path / "engine.db")) is None
            with pytest.raises(StateRefuses):
                await running.submit()

    asyncio.run(halted())
    assert read_latch(str(tmp_path / "engine.db")) is not None
    asyncio.run(started())
    asyncio.run(started_again(tmp_path))


async def started_again(folder: Path) -> None:
    """It is written down once."""
    async with running_engine(folder) as running:
        entries = [entry.type for entry in check_chain(running.store)]
        assert entries.count("system.changed") == 1


@pytest.mark.parametrize("error", [apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError])
def test_a_disk_that_fails_halts_the_process_and_a_restart_mends_it(
    tmp_path: Path, error: type[Exception]
) -> None:
    async def halted() -> None:
        async with running_engine(tmp_path) as running:
            fail_with(running, error("disk I/O error"))
            with pytest.raises(DiskFailed):
                await running.submit()
            assert running.engine.halted is not None
            assert running.engine.unstored_state == "halted"
            running.store._connection.exec_trace = None
            with pytest.raises(Unavailable, match="halted"):
                await running.submit()

    async def started() -> None:
        async with running_engine(tmp_path) as running:
            assert running.store.system().state == "operational"
            await running.submit()

    asyncio.run(halted())
    assert read_latch(str(tmp_path / "engine.db")) is None
    asyncio.run(started())


def test_a_disk_that_fails_again_when_it_is_read_is_still_no_fault_of_what_is_stored(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            fail_with(running, apsw.IOError("disk I/O error"), statement="")
            with pytest.raises(DiskFailed, match="cannot be read again"):
                await running.submit()
            assert running.engine.halted is not None
            running.store._connection.exec_trace = None

    asyncio.run(scenario())
    assert read_latch(str(tmp_path / "engine.db")) is None


def test_who_was_deposed_does_not_halt_the_system_of_the_new_owner(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            other = open_store(tmp_path / "engine.db", 1)
            other.take_over()
            with pytest.raises(DataDirectoryInUse):
                await running.submit()
            assert running.engine.halted is not None
            assert other.system().state == "operational"
            assert other.latch() is None
            other.close()

    asyncio.run(scenario())


def test_who_was_deposed_and_finds_a_fault_leaves_no_latch_either(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            other = open_store(tmp_path / "engine.db", 1)
            other.take_over()
            await running.engine._driver._halt(CorruptData("rows are missing"), "rows are missing")
            assert running.engine.halted == "rows are missing"
            assert other.latch() is None
            other.close()

    asyncio.run(scenario())


def test_those_who_wait_for_a_job_are_told_of_a_halt(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            job = await running.submit()
            waiting = asyncio.create_task(running.engine.wait_end(parse_job_id(job), SECONDS_MAX))
            await asyncio.sleep(0)
            await running.ask(ChangeState(to="halted", reason="a test says so"))
            with pytest.raises(Unavailable, match="a test says so"):
                await waiting

    asyncio.run(scenario())


def test_a_system_that_is_halted_stops_although_its_end_cannot_be_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            await contradict(running)
            fail_with(running, apsw.CorruptError("database disk image is malformed"))
        running.store.close()

    asyncio.run(scenario())


def test_somebody_ends_a_halt_without_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            await contradict(running)
            for state in ("recovery", "operational"):
                assert await running.ask(ChangeState(to=state, reason="looked at"))
            await running.submit()
            assert running.store.system().actor == PERSON.actor

    asyncio.run(scenario())


def test_a_loop_that_is_torn_down_halts_nothing(tmp_path: Path) -> None:
    """The database may be closed by then: nothing can be read, and nothing is wrong with it."""

    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            fail_with(running, apsw.CorruptError("it is closed"), statement="")
            driver = running.engine._driver
            driver._forget((), asyncio.CancelledError())
            with pytest.raises(CorruptData, match="cannot be read again"):
                driver._forget((), CorruptData("rows are missing"))
            running.store._connection.exec_trace = None

    asyncio.run(scenario())
