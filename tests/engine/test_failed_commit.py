"""A commit that fails: its callers are told, nothing of it stays, and the engine goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sheratan.contracts.errors import CorruptData, DataDirectoryInUse, Unavailable
from sheratan.contracts.schedules import ScheduledRun
from sheratan.contracts.worker import Assignment, Registration
from sheratan.engine.commands import (
    Cancel,
    EndSession,
    LeaseJobs,
    Pause,
    RegisterWorker,
    StartDraining,
)
from sheratan.engine.timers import SESSION_SILENCE_US_MAX
from sheratan.engine.window import LOW_JOBS, REFILL_JOBS
from tests.engine.runs import node, wf
from tests.engine.world import BIG, SECOND, World


def test_callers_are_told_and_nothing_is_written_when_the_disk_is_full(world: World) -> None:
    job = world.submit()
    before = world.store.shard()
    world.fill_disk()
    big, small = world.batch(world.submission(value=BIG), world.submission())
    for answer in (big, small):
        assert isinstance(answer.error, Unavailable)
        assert "disk is full" in str(answer.error)
    assert world.store.shard() == before
    assert world.state_of(job) == "queued"
    world.check()


def test_the_engine_goes_on_without_a_restart_once_there_is_room_again(world: World) -> None:
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.submit(value=BIG)
    world.free_disk()
    job = world.submit(value=BIG)
    world.run(world.register())
    assert world.state_of(job) == "succeeded"


def test_a_time_without_commits_is_written_down_once_it_is_over(world: World) -> None:
    world.submit()
    began = world.clock.now_us()
    world.fill_disk()
    world.batch(world.submission(value=BIG), world.submission())
    world.clock.advance(5 * SECOND)
    world.batch(world.submission(value=BIG))
    world.free_disk()
    world.submit()
    world.submit()
    entry = world.last("engine.resumed")
    assert entry.data == {"reason": "the disk is full; nothing was written", "since_us": began, "refused": 3}
    assert entry.at == began + 5 * SECOND
    assert world.types("engine") == ["engine.started", "engine.resumed"]


def test_an_attempt_that_runs_meanwhile_still_settles(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.submit(value=BIG)
    world.free_disk()
    assert world.settle(given, output="done")
    assert world.record(job).output == "done"


def test_a_report_that_could_not_be_written_counts_when_it_comes_again(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.fill_disk()
    [refused] = world.batch(world.settlement(given, output=BIG))
    assert isinstance(refused.error, Unavailable)
    assert world.state_of(job) == "running"
    world.free_disk()
    assert world.settle(given, output=BIG)
    assert world.record(job).output == BIG


def test_a_lease_call_that_waits_is_answered_so_that_the_worker_asks_again(world: World) -> None:
    session = world.register()
    waiting = world.ask_lease(session)
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.submit(value=BIG, delay_seconds=1)
    assert waiting.value == []
    world.free_disk()
    job = world.submit()
    assert [given.id for given in world.lease(session)] == [job]


def test_a_lease_call_that_was_served_in_the_lost_batch_is_answered_too(world: World) -> None:
    waiting = world.ask_lease(world.register())
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.submit(value=BIG)
    assert waiting.value == [], "the job that it was given was never taken in"


def test_a_lease_call_of_a_worker_that_was_lost_in_the_lost_batch_is_answered_too(world: World) -> None:
    session = world.register()
    waiting = world.ask_lease(session)
    world.fill_disk()
    world.batch(EndSession(session=session), world.submission(value=BIG))
    assert waiting.value == []


def test_a_lease_call_in_the_lost_batch_is_refused_like_every_other_command(world: World) -> None:
    session = world.register()
    world.fill_disk()
    asked, _ = world.batch(LeaseJobs(session=session, slots=1), world.submission(value=BIG))
    assert isinstance(asked.error, Unavailable)


def test_no_job_of_the_lost_batch_is_given_out_later(world: World) -> None:
    session = world.register()
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.submit(value=BIG)
    world.free_disk()
    assert not world.ask_lease(session).given


def test_a_worker_that_registered_in_the_lost_batch_is_not_on_duty(world: World) -> None:
    world.fill_disk()
    wanted = RegisterWorker(registration=Registration(name="lost", kinds=(), slots=1), local=True)
    answer, _ = world.batch(wanted, world.submission(value=BIG))
    assert isinstance(answer.error, Unavailable)
    assert world.state.sessions == {}


def test_a_worker_whose_end_could_not_be_written_goes_when_it_says_so_again(world: World) -> None:
    job = world.submit()
    session = world.register()
    world.lease(session)
    world.fill_disk()
    refused, _ = world.batch(EndSession(session=session), world.submission(value=BIG))
    assert isinstance(refused.error, Unavailable)
    world.free_disk()
    assert world.state_of(job) == "running"
    world.ask(EndSession(session=session))
    assert world.state_of(job) == "queued"
    assert world.types().count("worker.ended") == 1


def test_the_story_of_a_worker_has_no_line_from_the_lost_batch(world: World) -> None:
    session = world.register()
    world.submit()
    first = world.last("worker.registered").seq
    world.fill_disk()
    world.batch(LeaseJobs(session=session, slots=1), world.submission(value=BIG))
    world.free_disk()
    world.lease(session)
    assert world.last("worker.leased").previous == first


def test_a_drain_that_could_not_be_written_is_not_in_force(world: World) -> None:
    world.fill_disk()
    world.batch(world.submission(value=BIG), StartDraining(reason="r"))
    world.free_disk()
    world.submit()
    world.ask(StartDraining(reason="r"))
    assert world.types("engine") == ["engine.started", "engine.resumed", "engine.draining"]


def test_a_drain_outlives_a_failed_commit(world: World) -> None:
    world.submit()
    [given] = world.lease(world.register())
    world.ask(StartDraining(reason="r"))
    world.fill_disk()
    world.batch(world.settlement(given, output=BIG))
    world.free_disk()
    with pytest.raises(Unavailable, match="draining"):
        world.submit()


def test_a_pause_that_could_not_be_written_is_not_in_force(world: World) -> None:
    session = world.register()
    world.fill_disk()
    world.batch(Pause(subject="queue:default", reason=""), world.submission(value=BIG))
    world.free_disk()
    world.submit()
    assert len(world.lease(session)) == 1


def test_a_step_of_the_clock_that_could_not_be_written_is_written_later(world: World) -> None:
    world.clock.step(3_600 * SECOND)
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.submit(value=BIG)
    world.free_disk()
    world.submit()
    assert world.last("clock.stepped").data == {"step_us": 3_600 * SECOND}
    assert world.types("engine").count("clock.stepped") == 1


def test_time_limits_are_watched_anew_after_a_failed_commit(world: World) -> None:
    job = world.submit(run_timeout_seconds=30, attempts_max=1)
    cancelled = world.submit()
    world.lease(world.register(), 2)
    world.cancel(cancelled)
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.submit(value=BIG)
    world.free_disk()
    world.tick(10)
    assert world.state_of(cancelled) == "cancelled"
    world.tick(20)
    assert world.state_of(job) == "failed"


def test_a_silent_worker_is_still_found_out_after_a_failed_commit(world: World) -> None:
    job = world.submit()
    session = world.register(local=False)
    world.lease(session)
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.submit(value=BIG)
    world.free_disk()
    world.tick(SESSION_SILENCE_US_MAX / SECOND + 1)
    assert world.state_of(job) == "queued"


def test_delays_still_end_after_a_failed_commit(world: World) -> None:
    job = world.submit(delay_seconds=5)
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.submit(value=BIG, delay_seconds=1)
    world.free_disk()
    world.tick(5)
    assert world.state_of(job) == "queued"


def test_a_cancel_in_the_lost_batch_has_not_happened(world: World) -> None:
    job = world.submit()
    world.fill_disk()
    answer, _ = world.batch(Cancel(id=job, reason=""), world.submission(value=BIG))
    assert isinstance(answer.error, Unavailable)
    assert world.state_of(job) == "queued"


def test_memory_that_disagrees_with_the_rows_is_found_at_the_commit_and_nothing_is_written(
    world: World,
) -> None:
    job = world.submit()
    other = world.submit()
    before = world.store.shard()
    world.store._connection.execute("DELETE FROM ready WHERE number = 1")
    [answer] = world.batch(Cancel(id=job, reason=""))
    assert isinstance(answer.error, CorruptData)
    assert world.store.shard() == before
    world.store._connection.execute("INSERT INTO ready VALUES (1, 5, 1, 1, 0, 1700000000000000, 2, 0)")
    world.crash()
    assert world.state_of(other) == "queued"


def test_a_read_that_fails_before_a_batch_undoes_nothing_of_the_batch_before(world: World) -> None:
    for _ in range(REFILL_JOBS + 1):
        world.submit()
    world.restart()
    stays, goes = world.register("stays", slots=REFILL_JOBS), world.register("goes")
    while len(world.state.held) < REFILL_JOBS - LOW_JOBS - 1:
        world.lease(stays, REFILL_JOBS - LOW_JOBS - 1 - len(world.state.held))
    wanted = RegisterWorker(registration=Registration(name="comes", kinds=(), slots=1), local=True)
    batch = (LeaseJobs(session=stays, slots=1), wanted, EndSession(session=goes))
    comes = world.batch(*batch)[1].value

    def fail(cursor: object, text: str, bindings: object) -> bool:
        if "FROM ready WHERE lane" in text:
            raise MemoryError
        return True

    world.store._connection.exec_trace = fail
    with pytest.raises(MemoryError):
        world.submit()
    world.store._connection.exec_trace = None
    assert set(world.state.sessions) == {stays, comes}


class TwoOwners(NamedTuple):
    """An engine that stood still while another one took over, as when its lock was lost; a job runs in the other."""

    deposed: World
    owner: World
    given: Assignment


@pytest.fixture
def two(tmp_path: Path) -> Iterator[TwoOwners]:
    path = tmp_path / "sheratan.db"
    deposed = World(path)
    deposed.register()
    owner = World(path)
    owner.submit()
    [given] = owner.lease(owner.register())
    yield TwoOwners(deposed, owner, given)
    owner.check()
    deposed.close()
    owner.close()


def test_a_deposed_engine_is_told_so_whatever_runs_in_the_one_that_took_over(two: TwoOwners) -> None:
    before = two.owner.store.shard()
    for _ in range(2):
        [refused] = two.deposed.batch(two.deposed.submission())
        assert isinstance(refused.error, DataDirectoryInUse)
        assert two.deposed.state.orphans == [two.given.number]
    assert two.owner.store.shard() == before


def test_a_deposed_engine_finds_out_where_a_schedule_has_begun_runs_that_it_does_not_know(
    tmp_path: Path,
) -> None:
    deposed = World(tmp_path / "sheratan.db")
    run = ScheduledRun(workflow=wf(node("a", input=1)))
    deposed.schedule(submission=None, run=run, every_seconds=60, overlap="cancel_previous")
    owner = World(tmp_path / "sheratan.db")
    for _ in range(2):
        owner.tick(60)
    deposed.clock.advance(180 * SECOND)
    [refused] = deposed.batch(deposed.submission())
    assert isinstance(refused.error, DataDirectoryInUse)
    owner.check()
    deposed.close()
    owner.close()


def test_a_deposed_engine_that_was_only_told_to_wait_finds_out_at_once(two: TwoOwners) -> None:
    two.owner.store._connection.execute("BEGIN IMMEDIATE")
    [refused] = two.deposed.batch(two.deposed.submission())
    two.owner.store._connection.execute("ROLLBACK")
    assert isinstance(refused.error, Unavailable)
    assert "another program writes" in str(refused.error)
    before = two.owner.store.shard()
    assert two.deposed.decider.next_wake_us() == 0
    unit = two.deposed.decider.decide([]).unit
    assert not unit.is_empty
    with pytest.raises(DataDirectoryInUse):
        two.deposed.store.commit(unit)
    assert two.owner.store.shard() == before
    assert two.owner.settle(two.given, output="done")
