"""Cancelling, in every state and against every other thing that may happen."""

from __future__ import annotations

import pytest

from sheratan.contracts.errors import AlreadyEnded, NotFound
from sheratan.contracts.ids import format_job_id
from sheratan.engine.commands import Cancel, EndSession
from sheratan.engine.state import CANCEL_GRACE_US
from tests.engine.world import SECOND, World


def test_a_queued_job_is_cancelled_at_once_and_never_given_out(world: World) -> None:
    job = world.submit()
    assert world.cancel(job, "changed my mind") == "cancelled"
    assert world.state_of(job) == "cancelled"
    assert not world.ask_lease(world.register()).given
    entry = world.last("job.cancelled")
    assert (entry.data["reason"], entry.actor) == ("changed my mind", "local:tester")


def test_a_delayed_job_is_cancelled_at_once_and_its_time_never_comes(world: World) -> None:
    job = world.submit(delay_seconds=5)
    assert world.cancel(job) == "cancelled"
    world.tick(10)
    assert world.types(job) == ["job.submitted", "job.cancelled"]


def test_a_blocked_job_is_cancelled_at_once_and_stays_so_when_its_parent_ends(world: World) -> None:
    parent = world.submit()
    job = world.submit(after=[parent])
    assert world.cancel(job) == "cancelled"
    world.run(world.register())
    assert world.state_of(job) == "cancelled"


def test_a_job_between_two_attempts_is_cancelled_at_once(world: World) -> None:
    job = world.submit()
    world.fail(world.lease(world.register())[0], "rate_limited", after=60)
    assert world.cancel(job) == "cancelled"
    assert world.record(job).attempt == 1


def test_a_running_job_is_asked_to_stop_and_ends_when_its_worker_says_so(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    assert world.cancel(job) == "requested"
    assert world.state_of(job) == "running"
    assert [(one.number, one.fence, one.reason) for one in world.stops] == [
        (given.number, given.fence, "cancel")
    ]
    assert world.settle(given, "cancelled")
    assert world.state_of(job) == "cancelled"
    assert world.why(job)[-2:] == ["job.cancel_requested", "job.cancelled"]


def test_asking_twice_changes_nothing_but_is_written_down(world: World) -> None:
    job = world.submit()
    world.lease(world.register())
    assert [world.cancel(job), world.cancel(job)] == ["requested", "requested"]
    assert world.why(job).count("job.cancel_requested") == 2
    world.tick(CANCEL_GRACE_US / SECOND)
    assert world.state_of(job) == "cancelled"


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_a_job_that_has_ended_cannot_be_cancelled(world: World, state: str) -> None:
    job = world.submit(attempts_max=1)
    if state == "cancelled":
        world.cancel(job)
    else:
        world.run(world.register(), "succeeded" if state == "succeeded" else "failed")
    with pytest.raises(AlreadyEnded, match=f"already {state}"):
        world.cancel(job)
    assert world.state_of(job) == state


def test_an_unknown_or_misspelt_id_is_refused_by_name(world: World) -> None:
    world.submit()
    with pytest.raises(NotFound):
        world.cancel(format_job_id(0, 0, 1, 0))
    with pytest.raises(NotFound):
        world.cancel(format_job_id(0, 0, 999, 0))
    with pytest.raises(NotFound) as refused:
        world.cancel("job_1")
    assert refused.value.field == "id"


def test_a_success_that_crosses_a_request_to_cancel_wins_and_the_journal_says_so(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    asked, settled = world.batch(Cancel(id=job, reason=""), world.settlement(given))
    assert (asked.value, settled.value) == ("requested", [True])
    assert world.state_of(job) == "succeeded"
    decision = world.last("job.succeeded").decision
    assert decision is not None
    assert "crossed a request to cancel" in decision["because"]


def test_a_cancel_that_comes_after_the_success_is_refused(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    settled, asked = world.batch(world.settlement(given), Cancel(id=job, reason=""))
    assert settled.value == [True]
    with pytest.raises(AlreadyEnded):
        print(asked.value)
    assert world.types(job).count("job.cancelled") == 0


@pytest.mark.parametrize("outcome", ["failed", "released", "cancelled"])
def test_an_attempt_that_does_not_succeed_after_a_cancel_ends_cancelled(world: World, outcome: str) -> None:
    job = world.submit(backoff_base_seconds=0.0)
    [given] = world.lease(world.register())
    world.cancel(job)
    assert world.settle(given, outcome)  # type: ignore[arg-type]
    assert world.state_of(job) == "cancelled"


def test_an_attempt_that_does_not_stop_in_time_is_taken_away(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.cancel(job)
    world.tick((CANCEL_GRACE_US - 1) / SECOND)
    assert world.state_of(job) == "running"
    world.tick(1 / SECOND)
    assert world.state_of(job) == "cancelled"
    decision = world.last("job.cancelled").decision
    assert decision is not None
    assert decision["input"]["what"] == "cancel"
    assert not world.settle(given), "its late success changes nothing"
    assert world.state_of(job) == "cancelled"


def test_a_run_timeout_after_a_cancel_ends_the_job_as_cancelled(world: World) -> None:
    job = world.submit(run_timeout_seconds=5)
    world.lease(world.register())
    world.cancel(job)
    world.tick(5)
    assert world.state_of(job) == "cancelled"


def test_a_cancelled_job_is_not_run_again_when_its_worker_is_lost(world: World) -> None:
    job = world.submit()
    session = world.register()
    world.lease(session)
    world.cancel(job)
    world.ask(EndSession(session=session))
    assert world.state_of(job) == "cancelled"
    assert world.last("job.cancelled").cause == world.last("worker.ended").seq


def test_a_cancelled_job_is_not_run_again_when_the_engine_is_lost(world: World) -> None:
    job = world.submit()
    world.lease(world.register())
    world.cancel(job)
    world.crash()
    assert world.state_of(job) == "cancelled"
    assert world.last("job.cancelled").cause == world.last("engine.started").seq
