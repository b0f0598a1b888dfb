"""The loop around the decider: it answers after the commit, survives what fails, and always comes to an end."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from sheratan.ambient.folder import HostFolder
from sheratan.contracts.archive import ArchiveJournal
from sheratan.contracts.errors import (
    CorruptData,
    InternalError,
    LimitReached,
    TimedOut,
    Unavailable,
)
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.journal import Entry
from sheratan.contracts.limits import Limits
from sheratan.engine.archive import prepare_segment
from sheratan.engine.commands import Cancel, Heartbeat, Pause, Pending, StartDraining
from sheratan.store.archive import Archive
from sheratan.store.unit import state_of
from tests.engine.running import Running, running_engine
from tests.engine.world import BIG, PERSON, Answer, check_chain

SECONDS_MAX = 20


def states(running: Running, ids: list[str]) -> set[str]:
    """In which states these jobs are, as committed."""
    return {state_of(running.store.location(parse_job_id(one).number)) for one in ids}


async def until_settled(running: Running) -> None:
    """Let the loop turn until a command has been decided after everything that is in the inbox now."""
    await running.ask(Heartbeat(session=await running.register()))


def test_many_callers_share_a_few_commits(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            pages = len(list(running.store.pages()))
            ids = await asyncio.gather(*(running.submit() for _ in range(300)))
            assert len(set(ids)) == 300
            assert len(list(running.store.pages())) - pages <= 3
            check_chain(running.store)

    asyncio.run(scenario())


def test_a_segment_leaves_the_journal_on_the_writers_thread(tmp_path: Path) -> None:
    """Its pages may be thousands, and the loop goes on meanwhile."""

    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            archive = Archive(HostFolder(tmp_path / "archive"))
            command = prepare_segment(running.store, archive, ArchiveJournal(), Limits())
            assert command is not None
            threads: set[int] = set()

            def trace(_: object, text: str, bindings: object) -> bool:
                if text.startswith("DELETE FROM page"):
                    threads.add(threading.get_ident())
                return True

            running.store._connection.exec_trace = trace
            await running.ask(command)
            assert len(threads) == 1
            assert threading.get_ident() not in threads

    asyncio.run(scenario())


def test_a_caller_hears_nothing_before_the_commit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            seen: list[int] = []

            class Watch(Answer):
                def set_result(self, result: Any, /) -> None:
                    seen.append(running.store.counts()["ready"])
                    super().set_result(result)

            running.engine._driver.put(Pending(running.submission(), PERSON, Watch()))
            await running.submit()
            assert seen == [2]

    asyncio.run(scenario())


def test_a_caller_that_gives_up_does_no_harm(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            task = asyncio.create_task(running.submit())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await running.submit()
            assert running.store.counts()["ready"] == 2

    asyncio.run(scenario())


def test_commands_above_their_limit_are_refused_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path, Limits(commands_waiting_max=5)) as running:
            answers = [Answer() for _ in range(6)]
            put = running.engine._driver.put
            for answer in answers[:5]:
                put(Pending(running.submission(criticality="critical"), PERSON, answer))
            with pytest.raises(LimitReached, match=r"limits\.commands_waiting_max"):
                put(Pending(running.submission(criticality="critical"), PERSON, answers[5]))
            await asyncio.sleep(0)
            await running.submit()
            assert [answer.given for answer in answers] == [True] * 5 + [False]

    asyncio.run(scenario())


def test_more_commands_than_fit_in_one_batch_are_all_decided(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path, Limits(commands_batch_max=3)) as running:
            pages = len(list(running.store.pages()))
            await asyncio.gather(*(running.submit() for _ in range(10)))
            assert running.store.counts()["ready"] == 10
            assert len(list(running.store.pages())) - pages == 4

    asyncio.run(scenario())


def test_a_command_that_trips_over_a_bug_does_not_take_its_batch_mates_with_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            poison = Pause(subject="queue:q", reason=["no", "text"])  # type: ignore[arg-type]
            answers = await asyncio.gather(
                running.submit(), running.ask(poison), running.submit(), return_exceptions=True
            )
            assert isinstance(answers[1], InternalError)
            assert isinstance(answers[1].__cause__, AttributeError)
            assert states(running, [str(answers[0]), str(answers[2])]) == {"queued"}
            assert running.engine.halted is None
            check_chain(running.store)

    asyncio.run(scenario())


def test_a_lone_command_that_trips_over_a_bug_changes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            before = running.store.shard()
            with pytest.raises(InternalError, match="AttributeError"):
                await running.ask(Pause(subject="queue:q", reason=[]))  # type: ignore[arg-type]
            assert running.store.shard() == before
            await running.submit()
            types = [entry.type for entry in check_chain(running.store)]
            assert "engine.resumed" not in types, "a bug is no outage"

    asyncio.run(scenario())


# ---------------------------------------------------------------------------------------------------------------------
# A full disk


def test_a_full_disk_is_told_to_callers_and_passes_without_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            job = await running.submit()
            session = await running.register()
            [given] = await running.lease(session)
            waiting = asyncio.create_task(running.lease(session))
            await until_settled(running)
            running.fill_disk()
            with pytest.raises(Unavailable, match="disk is full"):
                await running.submit(value=BIG)
            assert await waiting == []
            running.free_disk()
            assert await running.settle(given)
            assert states(running, [job]) == {"succeeded"}
            await running.submit(value=BIG)
            check_chain(running.store)

    asyncio.run(scenario())


def test_an_engine_finds_out_by_itself_that_it_can_commit_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            running.fill_disk()
            with pytest.raises(Unavailable):
                await running.submit(value=BIG)
            running.free_disk()
            async with asyncio.timeout(SECONDS_MAX):
                await running.until_it_can_commit()
            assert running.engine.problems == []
            assert check_chain(running.store)[-1].type == "engine.resumed"

    asyncio.run(scenario())


def test_a_large_batch_that_does_not_fit_fails_as_a_whole(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            running.fill_disk()
            answers = await asyncio.gather(
                *(running.submit(value=str(n) * 500) for n in range(400)), return_exceptions=True
            )
            assert all(isinstance(answer, Unavailable) for answer in answers)
            assert running.store.counts()["ready"] == 0
            running.free_disk()
            await running.submit()

    asyncio.run(scenario())


def test_delays_that_end_on_a_full_disk_hold_up_no_caller_and_ring_once_there_is_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            ids = await asyncio.gather(*(running.submit(delay_seconds=1.0) for _ in range(400)))
            running.fill_disk()
            async with asyncio.timeout(SECONDS_MAX):
                passed = asyncio.Event()
                asyncio.get_running_loop().call_later(1.2, passed.set)
                await passed.wait()
                with pytest.raises(Unavailable):
                    await running.submit(value=BIG)
                assert states(running, list(ids)) == {"scheduled"}
                running.free_disk()
                session = await running.register()
                for _ in range(400):
                    [given] = await running.lease(session)
                    await running.settle(given)
            assert states(running, list(ids)) == {"succeeded"}

    asyncio.run(scenario())


# ---------------------------------------------------------------------------------------------------------------------
# Halting and stopping


async def halt(running: Running) -> None:
    """Make rows and memory disagree, and have the engine find out."""
    job = await running.submit()
    running.store._connection.execute("DELETE FROM ready")
    with pytest.raises(CorruptData):
        await running.ask(Cancel(id=job, reason=""))


def test_an_engine_whose_rows_disagree_with_its_memory_halts_and_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            await halt(running)
            assert running.store.system().state == "halted"
            with pytest.raises(Unavailable, match="halted"):
                await running.submit()

    asyncio.run(scenario())


def test_a_halted_engine_writes_nothing_more_when_time_passes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            await running.submit(delay_seconds=0.05)
            due = asyncio.get_running_loop().time() + 0.2
            await halt(running)
            before = running.store.shard()
            passed = asyncio.Event()
            asyncio.get_running_loop().call_at(due, passed.set)
            async with asyncio.timeout(SECONDS_MAX):
                await passed.wait()
            assert running.store.shard() == before

    asyncio.run(scenario())
    # The loop came to rest although a timer was overdue, and the engine stopped: it did not spin.


def test_a_bug_in_what_time_brings_halts_the_engine_instead_of_spinning(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            await running.submit(delay_seconds=0.5)
            running.store._connection.execute("DELETE FROM job")
            running.engine.state.cached.clear()
            async with asyncio.timeout(SECONDS_MAX):
                await running.until_halted()
                with pytest.raises(Unavailable, match="halted"):
                    await running.submit()

    asyncio.run(scenario())


def test_a_stopped_engine_refuses_callers_instead_of_leaving_them_waiting(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            pass
        async with asyncio.timeout(SECONDS_MAX):
            with pytest.raises(Unavailable):
                await running.submit()

    asyncio.run(scenario())


def test_an_engine_that_stops_says_so_and_loses_nothing_it_was_asked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            asked = asyncio.create_task(running.submit())
            await asyncio.sleep(0)
            await running.engine.stop()
            assert states(running, [await asked]) == {"queued"}
            assert running.store.shard().clean

    asyncio.run(scenario())


def test_those_who_wait_for_a_job_are_told_when_the_engine_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            job = await running.submit()
            waiting = asyncio.create_task(running.engine.wait_end(parse_job_id(job), None))
            await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="stopped"):
            await waiting

    asyncio.run(scenario())


def test_a_drained_engine_refuses_new_jobs_over_the_loop(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            await running.engine.drain("an update")
            with pytest.raises(Unavailable, match="draining"):
                await running.submit()
            await running.ask(StartDraining(reason="again"))

    asyncio.run(scenario())


# ---------------------------------------------------------------------------------------------------------------------
# Waiting


def test_waiting_for_a_job_ends_with_its_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            job = await running.submit(delay_seconds=0.02)
            waiting = asyncio.create_task(running.engine.wait_end(parse_job_id(job), SECONDS_MAX))
            [given] = await running.lease(await running.register())
            await running.settle(given, output="out")
            ended = await waiting
            assert ended is not None
            assert (ended[1].state, ended[1].output) == ("succeeded", b'"out"')
            assert await running.engine.wait_end(parse_job_id(job), SECONDS_MAX) is None

    asyncio.run(scenario())


def test_waiting_in_vain_ends_with_timed_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            job = await running.submit()
            with pytest.raises(TimedOut):
                await running.engine.wait_end(parse_job_id(job), 0.01)
            with pytest.raises(TimedOut):
                await running.engine.run(running.submission(), PERSON, 0.01)
            assert running.engine._ends == {}

    asyncio.run(scenario())


def test_running_a_job_that_exists_waits_for_its_end_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            one = asyncio.create_task(running.engine.run(running.submission(key="k"), PERSON, SECONDS_MAX))
            [given] = await running.lease(await running.register())
            two = asyncio.create_task(running.engine.run(running.submission(key="k"), PERSON, SECONDS_MAX))
            await asyncio.sleep(0)
            await running.settle(given)
            (first, ended), (second, _) = await asyncio.gather(one, two)
            assert first == second
            assert ended is not None
            assert running.engine._ends == {}

    asyncio.run(scenario())


def test_watchers_see_every_entry_after_its_commit_until_they_stop(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            seen: list[Entry] = []
            end = running.engine.watch(seen.append)
            await running.submit()
            end()
            await running.submit()
            assert [entry.type for entry in seen] == ["job.submitted"]

    asyncio.run(scenario())


def test_those_who_wait_for_a_job_are_told_when_the_engine_halts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            job = await running.submit()
            waiting = asyncio.create_task(running.engine.wait_end(parse_job_id(job), SECONDS_MAX))
            await asyncio.sleep(0)
            running.engine._driver._give_up("a test says so")
            with pytest.raises(Unavailable, match="a test says so"):
                await waiting

    asyncio.run(scenario())


def test_waiting_for_the_number_of_a_job_with_another_salt_does_not_wait_for_that_job(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            address = parse_job_id(await running.submit())
            other = address._replace(salt=address.salt ^ 1)
            assert await running.engine.wait_end(other, SECONDS_MAX) is None
            running.engine.state.cached.clear()
            assert await running.engine.wait_end(other, SECONDS_MAX) is None

    asyncio.run(scenario())


def test_a_watcher_that_fails_is_dropped_and_the_commit_stands(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            shown: list[Entry] = []

            def fail(entry: Entry) -> None:
                raise RuntimeError("cannot bear to look")

            running.engine.watch(fail)
            running.engine.watch(shown.append)
            first = await running.submit()
            second = await running.submit()
            assert states(running, [first, second]) == {"queued"}
            assert len(shown) == 2

    asyncio.run(scenario())


def test_a_disk_that_is_full_is_a_problem_until_a_commit_succeeds(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            assert running.engine.problems == []
            running.fill_disk()
            with pytest.raises(Unavailable):
                await running.submit(value=BIG)
            [problem] = running.engine.problems
            assert "disk is full" in problem
            running.free_disk()
            await running.submit(value=BIG)
            assert running.engine.problems == []

    asyncio.run(scenario())


def test_a_worker_that_has_hung_up_on_its_lease_call_is_given_no_job(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_engine(tmp_path) as running:
            session = await running.register()
            asked = asyncio.create_task(running.lease(session))
            await until_settled(running)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            job = await running.submit()
            assert states(running, [job]) == {"queued"}
            assert [given.id for given in await running.lease(session)] == [job]

    asyncio.run(scenario())
