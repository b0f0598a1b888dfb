"""Jobs whose handlers wait: no slot is taken, nothing is woken early, late, twice or for another's signal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.errors import AlreadyEnded, InvalidInput, LimitReached, TooLarge, Unavailable
from sheratan.contracts.jobs import JobError
from sheratan.contracts.limits import Limits
from sheratan.contracts.worker import Assignment, Wait
from sheratan.engine.commands import EndSession
from sheratan.engine.status import Facts, status
from sheratan.engine.verify import verify
from sheratan.engine.waits import SIGNALS_MAX
from sheratan.store.rows import NEVER_US
from tests.engine.world import BIG, SECOND, World, limit_pages

GO = Wait(name="wait:signal:go", occurrence=1, what="signal", key="go")


def sleep(seconds: float, occurrence: int = 1) -> Wait:
    """A sleep from now on."""
    return Wait(name="wait:sleep", occurrence=occurrence, what="sleep", seconds=seconds)


def begun(world: World, **options: Any) -> tuple[str, Assignment]:
    """A job that runs."""
    job = world.submit(backoff_base_seconds=0.0, **options)
    [given] = world.lease(world.register())
    return job, given


def test_a_sleep_is_over_when_its_time_has_come_and_not_before(world: World) -> None:
    job, given = begun(world)
    assert world.park(given, sleep(60))
    assert world.state_of(job) == "waiting"
    assert not world.state.held
    world.tick(59)
    assert world.state_of(job) == "waiting"
    world.tick(1)
    assert world.state_of(job) == "queued"
    [again] = world.lease(world.register("v"))
    assert (again.attempt, again.steps) == (1, 1)
    assert again.fence > given.fence
    assert world.recorded(job) == [(1, "wait:sleep", None)]
    assert world.settle(again)


def test_the_status_counts_jobs_whose_handlers_wait(world: World) -> None:
    _, given = begun(world)
    facts = Facts(ready=True, problems=[], version="t", pid=1, data="d", workers=[], limits=None)
    assert "wait in their handlers" not in status(world.store, facts).doing
    world.park(given, sleep(60))
    assert "0 wait for other jobs, 1 wait in their handlers, 0 have ended" in status(world.store, facts).doing


def test_a_sleep_lasts_through_a_crash_and_does_not_begin_anew(tmp_path: Path) -> None:
    world = World(tmp_path / "sheratan.db")
    job, given = begun(world)
    world.park(given, sleep(60))
    world.clock.advance(50 * SECOND)
    world.crash()
    assert world.state_of(job) == "waiting"
    world.tick(11)
    assert world.state_of(job) == "queued"
    assert verify(world.store).problems == []
    world.close()


def test_an_instant_that_is_over_wakes_at_once(world: World) -> None:
    job, given = begun(world)
    world.park(given, Wait(name="wait:sleep", occurrence=1, what="sleep", until_us=1))
    assert world.state_of(job) == "queued"


def test_a_signal_that_came_early_wakes_at_once_and_is_received_once(world: World) -> None:
    job, given = begun(world)
    sent = world.send(job, "go", "now")
    world.park(given, GO)
    assert world.state_of(job) == "queued"
    assert world.recorded(job) == [(1, GO.name, "now")]
    assert world.last("step.succeeded").cause == sent
    [again] = world.lease(world.register("v"))
    world.park(again, Wait(name=GO.name, occurrence=2, what="signal", key="go"))
    assert world.state_of(job) == "waiting"


def test_a_signal_of_another_name_wakes_nobody(world: World) -> None:
    job, given = begun(world)
    world.park(given, GO)
    world.send(job, "other")
    assert world.state_of(job) == "waiting"
    world.send(job, "go")
    assert world.state_of(job) == "queued"


def test_signals_are_received_in_the_order_in_which_they_came(world: World) -> None:
    job, given = begun(world)
    for number in range(3):
        world.send(job, "go", number)
    world.park(given, GO, Wait(name=GO.name, occurrence=2, what="signal", key="go"))
    assert [output for _, _, output in world.recorded(job)] == [0, 1]
    assert [row.name for row in world.store.signals(given.number)] == ["go"]


def test_the_instant_of_a_wait_holds_although_another_wakes_the_job(world: World) -> None:
    job, given = begun(world)
    world.park(given, sleep(60), GO)
    world.tick(50)
    world.send(job, "go")
    [again] = world.lease(world.register("v"))
    assert again.steps == 1
    world.park(again, sleep(60))
    world.tick(9)
    assert world.state_of(job) == "waiting"
    world.tick(1)
    assert world.state_of(job) == "queued"


def test_a_signal_that_comes_too_late_is_kept_for_the_next_wait(world: World) -> None:
    job, given = begun(world)
    world.park(given, Wait(name=GO.name, occurrence=1, what="signal", key="go", seconds=5))
    world.tick(5)
    world.send(job, "go", "late")
    [(step, name, error)] = world.recorded(job)
    assert (step, name) == (1, GO.name)
    assert isinstance(error, JobError)
    assert (error.error_class, error.type) == ("fatal", "WaitTimedOut")
    [again] = world.lease(world.register("v"))
    world.park(again, Wait(name=GO.name, occurrence=2, what="signal", key="go"))
    assert world.recorded(job)[1][2] == "late"


def test_one_signal_and_the_end_of_a_wait_at_once_are_decided_for_the_signal(world: World) -> None:
    job, given = begun(world)
    world.park(given, Wait(name=GO.name, occurrence=1, what="signal", key="go", seconds=5))
    world.clock.advance(5 * SECOND)
    world.send(job, "go", "just in time")
    assert world.recorded(job) == [(1, GO.name, "just in time")]


@pytest.mark.parametrize("end", ["cancelled while it waits", "succeeded", "failed"])
def test_nothing_is_left_of_a_job_that_has_ended(world: World, end: str) -> None:
    job, given = begun(world, attempts_max=1)
    world.send(job, "unheard")
    world.park(given, GO, sleep(900))
    if end == "cancelled while it waits":
        assert world.cancel(job) == "cancelled"
    else:
        world.send(job, "go")
        [again] = world.lease(world.register("v"))
        world.settle(again) if end == "succeeded" else world.fail(again)
    assert world.store.waits(given.number) == []
    assert world.store.signals(given.number) == []
    with pytest.raises(AlreadyEnded):
        world.send(job, "go")


def test_a_job_without_steps_forgets_its_signals_too(world: World) -> None:
    job, given = begun(world)
    world.send(job, "unheard")
    world.crash()
    [again] = world.lease(world.register("v"))
    world.settle(again)
    assert world.store.signals(given.number) == []
    assert job


def test_a_job_that_is_to_be_cancelled_does_not_wait(world: World) -> None:
    job, given = begun(world)
    world.cancel(job)
    world.park(given, GO)
    assert world.state_of(job) == "cancelled"


def test_who_has_lost_the_lease_cannot_park_the_job(world: World) -> None:
    session = world.register()
    job = world.submit()
    [given] = world.lease(session)
    world.ask(EndSession(session=session))
    assert not world.park(given, GO)
    assert world.state_of(job) == "queued"
    assert world.last("job.fenced_off").data["outcome"] == "waiting"


def test_a_large_value_is_kept_apart_and_given_whole(world: World) -> None:
    job, given = begun(world)
    world.send(job, "go", BIG)
    world.park(given, GO)
    assert world.recorded(job) == [(1, GO.name, BIG)]


def test_a_signal_has_its_limits() -> None:
    world = World(limits=Limits(result_bytes_max=1_000))
    job, _ = begun(world)
    with pytest.raises(TooLarge, match="result_bytes_max"):
        world.send(job, "go", "x" * 1_000)
    for _ in range(SIGNALS_MAX):
        world.send(job, "go")
    with pytest.raises(LimitReached, match="signals wait"):
        world.send(job, "go")


@pytest.mark.parametrize(
    ("waits", "said"),
    [
        ((), "names what it waits for"),
        ((GO, GO), "the same name and occurrence"),
        ((Wait(name="wait:sleep", occurrence=1, what="sleep"),), "without an end"),
    ],
)
def test_waits_that_mean_nothing_are_refused(world: World, waits: tuple[Wait, ...], said: str) -> None:
    _, given = begun(world)
    with pytest.raises(InvalidInput, match=said):
        world.park(given, *waits)


def test_a_commit_that_fails_has_woken_nobody(world: World) -> None:
    job, given = begun(world)
    world.park(given, GO)
    limit_pages(world.store, full=True)
    with pytest.raises(Unavailable):
        world.send(job, "go", BIG)
    assert world.state_of(job) == "waiting"
    limit_pages(world.store, full=False)
    world.send(job, "go")
    assert world.recorded(job) == [(1, GO.name, None)]


def test_many_that_sleep_are_woken_together_and_those_that_sleep_on_cost_nothing(world: World) -> None:
    jobs = [world.submit() for _ in range(40)]
    session = world.register(slots=40)
    for number, given in enumerate(world.lease(session, 40)):
        world.park(given, sleep(10 if number % 2 else 1_000))
    assert world.decider.next_wake_us() == 10 * SECOND
    world.tick(10)
    assert [world.state_of(job) for job in jobs] == ["waiting", "queued"] * 20


def test_who_waits_for_a_signal_alone_sets_no_timer(world: World) -> None:
    _, given = begun(world)
    world.park(given, GO)
    # The time limit of the attempt is looked at once more, and then there is nothing left to look at.
    world.tick(300)
    wake_us = world.decider.next_wake_us()
    assert wake_us is not None
    assert wake_us > NEVER_US // 2
