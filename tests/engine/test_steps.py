"""Steps of attempts: recorded once, under the fence, and read by every later attempt."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheratan.contracts.errors import InvalidInput, TooLarge, Unavailable
from sheratan.contracts.jobs import JobError
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import Cancel, EndSession
from sheratan.engine.verify import verify
from tests.engine.world import BIG, World

BOOM = JobError(error_class="retryable", type="Boom", message="it went wrong")


def test_the_next_attempt_finds_what_the_one_before_has_recorded(world: World) -> None:
    job = world.submit(backoff_base_seconds=0.0)
    session = world.register()
    [given] = world.lease(session)
    assert given.steps == 0
    assert world.steps(given, (1, "fetch", {"a": 1}), (2, "send", None)) == [True, True]
    world.fail(given)
    [again] = world.lease(session)
    assert (again.attempt, again.steps) == (2, 2)
    assert world.recorded(job) == [(1, "fetch", {"a": 1}), (2, "send", None)]
    assert world.steps(again, (3, "fetch", 7), occurrence=2) == [True]
    assert world.settle(again, output="done")
    assert [step for step, _, _ in world.recorded(job)] == [1, 2, 3]


@pytest.mark.parametrize("end", ["failed", "released", "lost", "crashed"])
def test_steps_are_kept_however_the_attempt_ends(tmp_path: Path, end: str) -> None:
    world = World(tmp_path / "sheratan.db")
    job = world.submit(backoff_base_seconds=0.0)
    session = world.register()
    [given] = world.lease(session)
    world.steps(given, (1, "fetch", 1))
    if end == "failed":
        world.fail(given)
    elif end == "released":
        world.settle(given, "released")
    elif end == "lost":
        world.ask(EndSession(session=session))
    else:
        world.crash()
    [again] = world.lease(world.register("v"))
    assert again.steps == 1
    assert world.steps(again, (2, "send", 2)) == [True]
    assert world.settle(again)
    assert world.recorded(job) == [(1, "fetch", 1), (2, "send", 2)]
    world.check()
    assert verify(world.store).problems == []
    world.close()


def test_a_step_under_a_stale_fence_changes_nothing_and_is_kept_as_evidence(world: World) -> None:
    job = world.submit()
    first = world.register()
    [stale] = world.lease(first)
    world.ask(EndSession(session=first))
    [current] = world.lease(world.register("v"))
    assert world.steps(stale, (1, "fetch", "late")) == [False]
    assert world.recorded(job) == []
    assert world.last("job.fenced_off").data["outcome"] == "step"
    assert world.steps(current, (1, "fetch", "in time")) == [True]


def test_a_step_whose_answer_was_lost_is_recorded_once(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    for _ in range(3):
        assert world.steps(given, (1, "fetch", 1)) == [True]
    assert world.types(job).count("step.succeeded") == 1


@pytest.mark.parametrize("other", [(1, "get", 1), (1, "fetch", 2), (1, "fetch", BOOM)])
def test_another_step_in_the_place_of_a_recorded_one_is_refused(
    world: World, other: tuple[int, str, object]
) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.steps(given, (1, "fetch", 1))
    with pytest.raises(InvalidInput, match="step 1 is recorded"):
        world.steps(given, other)
    assert world.recorded(job) == [(1, "fetch", 1)]


def test_a_step_that_skips_one_is_refused_with_all_that_came_with_it(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    with pytest.raises(InvalidInput, match="step 3 follows step 1"):
        world.steps(given, (1, "a", 1), (3, "c", 1))
    assert world.recorded(job) == []


def test_a_job_has_a_bounded_number_of_steps() -> None:
    world = World(limits=Limits(steps_max=2))
    world.submit()
    [given] = world.lease(world.register())
    world.steps(given, (1, "a", 1), (2, "b", 1))
    with pytest.raises(TooLarge, match="steps_max"):
        world.steps(given, (3, "c", 1))
    assert world.settle(given)
    world.check()


def test_a_large_output_is_kept_apart_and_comes_back_whole(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.steps(given, (1, "fetch", BIG))
    assert world.recorded(job) == [(1, "fetch", BIG)]


def test_a_failed_step_keeps_its_error(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.steps(given, (1, "fetch", BOOM))
    assert world.recorded(job) == [(1, "fetch", BOOM)]
    assert world.last("step.failed").data["error"]["type"] == "Boom"


def test_steps_stand_in_the_story_of_their_job_while_it_runs_and_after(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.steps(given, (1, "fetch", 1))
    told = ["job.submitted", "worker.leased", "step.succeeded"]
    assert world.why(job) == told
    assert world.record(job).entry == world.last("step.succeeded").seq
    world.cancel(job)
    world.steps(given, (2, "tidy", 1))
    world.settle(given, "cancelled")
    assert world.why(job) == [*told, "job.cancel_requested", "step.succeeded", "job.cancelled"]


def test_a_step_and_a_request_to_cancel_in_one_batch_leave_one_story(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.steps(given, (1, "fetch", 1))
    world.cancel(job)
    world.check()
    assert world.location(job).entry == world.last("job.cancel_requested").seq
    assert world.settle(given, "cancelled")


def test_a_request_to_cancel_a_step_and_the_end_may_share_a_batch(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    step = world.step_command(given, (1, "fetch", 1))
    more = world.step_command(given, (2, "tidy", 1))
    asked = Cancel(id=job, reason="")
    for answer in world.batch(step, asked, more):
        assert answer.value
    world.check()
    assert verify(world.store).problems == []
    assert world.recorded(job) == [(1, "fetch", 1), (2, "tidy", 1)]
    last = world.step_command(given, (3, "end", 1))
    world.batch(asked, last, world.settlement(given, "cancelled"))
    assert world.state_of(job) == "cancelled"
    assert world.why(job)[-3:] == ["job.cancel_requested", "step.succeeded", "job.cancelled"]


def test_a_step_that_could_not_be_written_is_not_recorded(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.steps(given, (1, "fetch", 1))
    world.fill_disk()
    with pytest.raises(Unavailable):
        world.steps(given, (2, "send", BIG))
    world.free_disk()
    assert world.recorded(job) == [(1, "fetch", 1)]
    assert world.steps(given, (2, "send", BIG)) == [True]
    assert world.settle(given)
