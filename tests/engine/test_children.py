"""Jobs that a running job spawns: once however often it is asked, and awaited without a slot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.errors import InvalidInput, LimitReached, LostLease, TooLarge, Unavailable
from sheratan.contracts.jobs import JobError, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.worker import Assignment, Wait
from sheratan.engine.commands import ChangeState, Settle, StartDraining
from sheratan.engine.verify import verify
from tests.engine.world import World

CHILD = Submission(kind="work", input={"n": 1})


def begun(world: World, **options: Any) -> tuple[str, Assignment]:
    """A job that runs."""
    job = world.submit(backoff_base_seconds=0.0, **options)
    [given] = world.lease(world.register("parent"))
    return job, given


def ends_of(ids: list[str], seconds: float | None = None, occurrence: int = 1) -> Wait:
    """A wait for the ends of jobs."""
    return Wait(name="wait:jobs", occurrence=occurrence, what="jobs", jobs=tuple(ids), seconds=seconds)


def submitted(world: World) -> int:
    return world.types().count("job.submitted")


def test_jobs_are_spawned_once_however_often_it_is_asked(world: World) -> None:
    job, given = begun(world)
    ids = world.spawn(given, 1, CHILD, CHILD)
    assert len(set(ids)) == 2
    assert world.spawn(given, 1, CHILD, CHILD) == ids
    assert submitted(world) == 3
    assert world.recorded(job) == [(1, "spawn:work", ids)]
    assert world.record(ids[0]).submitted_by_job == job


def test_jobs_that_are_asked_for_twice_in_one_batch_are_spawned_once(world: World) -> None:
    _, given = begun(world)
    call = world.spawn_command(given, 1, CHILD)
    first, again = world.batch(call, call)
    assert first.value == again.value
    assert submitted(world) == 2


def test_many_jobs_are_known_again_after_a_crash(tmp_path: Path) -> None:
    world = World(tmp_path / "db")
    job, given = begun(world)
    ids = world.spawn(given, 1, *[CHILD] * 200)
    world.crash()
    [again] = [one for one in world.lease(world.register("next"), 1) if one.id == job]
    assert again.steps == 1
    assert world.spawn(again, 1, *[CHILD] * 200) == ids
    assert submitted(world) == 201
    assert verify(world.store).problems == []
    world.close()


def test_an_attempt_that_was_given_up_spawns_nothing(world: World) -> None:
    _, given = begun(world)
    world.fail(given)
    before = submitted(world)
    with pytest.raises(LostLease):
        world.spawn(given, 1, CHILD)
    assert submitted(world) == before


def test_an_attempt_that_another_has_followed_spawns_nothing(world: World) -> None:
    job, given = begun(world)
    world.fail(given)
    world.tick(1)
    [again] = world.lease(world.register("next"))
    assert again.id == job
    before = submitted(world)
    with pytest.raises(LostLease):
        world.spawn(given, 1, CHILD)
    assert submitted(world) == before
    assert world.recorded(job) == []


def test_another_step_under_a_number_that_is_recorded_is_refused(world: World) -> None:
    _, given = begun(world)
    world.spawn(given, 1, CHILD)
    with pytest.raises(InvalidInput, match="not this one"):
        world.spawn(given, 1, CHILD, name="spawn:other")
    with pytest.raises(InvalidInput, match="step 3 follows step 1"):
        world.spawn(given, 3, CHILD)
    assert submitted(world) == 2


def test_jobs_that_are_refused_leave_no_step() -> None:
    world = World(limits=Limits(fan_out_jobs_max=1, queue_jobs_max=2, steps_max=1))
    job, given = begun(world)
    with pytest.raises(LimitReached, match="fan_out_jobs_max"):
        world.spawn(given, 1, CHILD, CHILD)
    full = [world.submit(), world.submit()]
    with pytest.raises(LimitReached, match="queue_jobs_max"):
        world.spawn(given, 1, CHILD)
    assert world.recorded(job) == []
    world.cancel(full[0])
    world.spawn(given, 1, CHILD)
    with pytest.raises(TooLarge, match="steps_max"):
        world.spawn(given, 2, CHILD)
    assert len(world.recorded(job)) == 1


def test_an_engine_that_drains_takes_no_children_in(world: World) -> None:
    job, given = begun(world)
    world.ask(StartDraining(reason=""))
    with pytest.raises(Unavailable) as refused:
        world.spawn(given, 1, CHILD)
    assert refused.value.field == "intake"
    assert world.recorded(job) == []


def test_a_job_goes_on_when_the_last_of_those_has_ended_that_it_waits_for(world: World) -> None:
    job, given = begun(world)
    ids = world.spawn(given, 1, CHILD, CHILD)
    assert world.park(given, ends_of(ids))
    assert world.record(job).waiting_for == "2 other jobs to end"
    first, second = world.lease(world.register("child"), 5)
    world.settle(first)
    assert world.state_of(job) == "waiting"
    assert world.record(job).waiting_for == "1 other job to end"
    world.settle(second, "failed", error=JobError(error_class="fatal", type="Boom", message="no"))
    assert world.state_of(job) == "queued"
    [again] = world.lease(world.register("next"))
    assert (again.id, again.attempt, again.steps) == (job, 1, 2)
    assert world.recorded(job)[1] == (2, "wait:jobs", None)
    [woken] = [entry for entry in world.entries() if entry.data.get("name") == "wait:jobs"]
    assert woken.cause == world.location(ids[1]).entry


def test_jobs_that_end_in_one_batch_wake_once(world: World) -> None:
    job, given = begun(world)
    ids = world.spawn(given, 1, CHILD, CHILD)
    world.park(given, ends_of(ids))
    running = world.lease(world.register("child"), 5)
    world.batch(*(world.settlement(one) for one in running))
    assert world.state_of(job) == "queued"
    assert world.types(job).count("job.woken") == 1


@pytest.mark.parametrize("ends_first", [True, False])
def test_what_ends_in_the_batch_in_which_the_wait_begins_is_seen(world: World, ends_first: bool) -> None:
    job, given = begun(world)
    ids = world.spawn(given, 1, CHILD)
    [running] = world.lease(world.register("child"))
    calls = [world.settlement(running), world.park_command(given, ends_of(ids))]
    world.batch(*(calls if ends_first else reversed(calls)))
    assert world.state_of(job) == "queued"


def test_jobs_that_have_ended_are_not_waited_for(world: World) -> None:
    job, given = begun(world)
    [child] = world.spawn(given, 1, CHILD)
    world.run(world.register("child"))
    world.park(given, ends_of([child]))
    assert world.state_of(job) == "queued"


def test_jobs_that_take_too_long_are_not_waited_for_any_more(world: World) -> None:
    job, given = begun(world)
    ids = world.spawn(given, 1, CHILD)
    world.park(given, ends_of(ids, seconds=60))
    world.tick(60)
    assert world.state_of(job) == "queued"
    assert world.recorded(job)[1][2].type == "WaitTimedOut"
    world.settle(next(one for one in world.lease(world.register("v"), 5) if one.id == ids[0]))
    assert world.types(job).count("job.woken") == 1


def test_a_wait_for_jobs_lasts_through_a_crash(tmp_path: Path) -> None:
    world = World(tmp_path / "db")
    job, given = begun(world)
    ids = world.spawn(given, 1, CHILD, CHILD)
    world.park(given, ends_of(ids))
    world.crash()
    session = world.register("child")
    world.run(session)
    world.crash()
    world.run(world.register("child"))
    assert world.state_of(job) == "queued"
    assert verify(world.store).problems == []
    world.close()


def test_a_wait_for_what_is_not_there_is_refused_and_nothing_of_the_call_is_done(world: World) -> None:
    job, given = begun(world)
    [child] = world.spawn(given, 1, CHILD)
    [running] = world.lease(world.register("child"))
    ghost = child[:-1] + ("0" if child[-1] != "0" else "1")
    ends, waits = world.settlement(running), world.park_command(given, ends_of([ghost]))
    both = type(ends)(session=0, reports=(*ends.reports, *waits.reports))
    with pytest.raises(InvalidInput, match="no such job"):
        world.ask(both)
    assert (world.state_of(job), world.state_of(child)) == ("running", "running")


def test_a_job_does_not_wait_for_itself_or_for_those_that_may_wait_for_it(world: World) -> None:
    job, given = begun(world)
    with pytest.raises(InvalidInput, match="may wait for it in turn"):
        world.park(given, ends_of([job]))
    [child] = world.spawn(given, 1, CHILD)
    [running] = world.lease(world.register("child"))
    with pytest.raises(InvalidInput, match="may wait for it in turn"):
        world.park(running, ends_of([job]))
    assert world.state_of(child) == "running"


@pytest.mark.parametrize("waits", [(), ("job_1",), "twice", "many"])
def test_a_wait_that_makes_no_sense_is_refused(waits: tuple[str, ...] | str) -> None:
    world = World(limits=Limits(after_jobs_max=2))
    _, given = begun(world)
    ids = world.spawn(given, 1, CHILD, CHILD, CHILD)
    named = {"twice": [ids[0], ids[0]], "many": ids}[waits] if isinstance(waits, str) else list(waits)
    with pytest.raises(InvalidInput):
        world.park(given, ends_of(named))


def test_a_job_that_ends_waits_for_nothing_any_more(world: World) -> None:
    job, given = begun(world)
    [child] = world.spawn(given, 1, Submission(kind="work", options=Options(key="shared")))
    world.park(given, ends_of([child]))
    world.cancel(job)
    assert list(world.store.all_awaited()) == []


@pytest.mark.parametrize("end", ["cancelled", "failed", "succeeded"])
def test_what_a_job_has_spawned_is_cancelled_when_it_ends_without_success(world: World, end: str) -> None:
    job, given = begun(world, attempts_max=1)
    queued, running, ended = world.spawn(given, 1, CHILD, CHILD, CHILD)
    session = world.register("child")
    world.run(session)
    [held] = world.lease(session)
    ended, running, queued = queued, running, ended
    assert world.state_of(ended) == "succeeded"
    assert held.id == running
    if end == "cancelled":
        world.park(given, ends_of([queued]))
        world.cancel(job)
    elif end == "failed":
        world.fail(given)
    else:
        world.settle(given)
    assert world.state_of(job) == end
    assert world.state_of(ended) == "succeeded"
    assert world.state_of(queued) == ("queued" if end == "succeeded" else "cancelled")
    assert [stop.number for stop in world.stops] == ([] if end == "succeeded" else [held.number])
    if end != "succeeded":
        entry = world.last("job.cancel_requested")
        assert entry.cause == world.location(job).entry
        assert job in entry.data["reason"]


def test_what_was_spawned_in_the_batch_in_which_its_parent_ends_is_cancelled_too(world: World) -> None:
    job, given = begun(world)
    spawned, _ = world.batch(
        world.spawn_command(given, 1, CHILD),
        world.settlement(given, "failed", error=JobError(error_class="fatal", type="Boom", message="no")),
    )
    assert world.state_of(job) == "failed"
    assert [world.state_of(child) for child in spawned.value] == ["cancelled"]


def test_a_job_that_is_cancelled_with_what_it_waits_for_is_not_woken(world: World) -> None:
    _, given = begun(world, attempts_max=1)
    waiting, awaited = world.spawn(given, 1, CHILD, CHILD)
    children = {one.id: one for one in world.lease(world.register("child"), 2)}
    world.park(children[waiting], ends_of([awaited]))
    fatal = JobError(error_class="fatal", type="Boom", message="no")
    ends = world.settlement(children[awaited]), world.settlement(given, "failed", error=fatal)
    world.ask(Settle(session=0, reports=tuple(report for end in ends for report in end.reports)))
    assert world.state_of(waiting) == "cancelled"
    assert "job.woken" not in world.types(waiting)
    assert list(world.store.all_awaited()) == []
    assert world.record(waiting).attempt == 1


def test_a_job_that_another_had_made_under_the_same_key_is_left_alone(world: World) -> None:
    shared = world.submit(key="shared")
    job = world.submit()
    given = next(one for one in world.lease(world.register(), 5) if one.id == job)
    assert world.spawn(given, 1, Submission(kind="work", options=Options(key="shared"))) == [shared]
    world.fail(given, "fatal")
    assert world.state_of(shared) == "running"
    assert world.stops == []


def test_grandchildren_are_cancelled_too(world: World) -> None:
    job, given = begun(world)
    [child] = world.spawn(given, 1, CHILD)
    [runs] = world.lease(world.register("child"))
    [grandchild] = world.spawn(runs, 1, CHILD)
    world.park(runs, ends_of([grandchild]))
    world.park(given, ends_of([child]))
    world.cancel(job)
    assert [world.state_of(one) for one in (job, child, grandchild)] == ["cancelled"] * 3


def test_a_start_of_a_halted_system_wakes_who_waited_for_what_was_lost() -> None:
    world = World(limits=Limits(worker_losses_max=1))
    job, given = begun(world)
    assert world.park(given, ends_of(world.spawn(given, 1, CHILD)))
    world.lease(world.register())
    world.ask(ChangeState(to="halted", reason="a look"))
    world.crash()
    assert world.types(job)[-2:] == ["step.succeeded", "job.woken"]
    world.check()
