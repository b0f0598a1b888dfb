"""Deadlines of whole jobs: whatever they wait for or do, by then they have ended; and so has what they submit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sheratan.contracts.dead_letters import Edit
from sheratan.contracts.errors import IdempotencyConflict, InvalidInput, TooLarge
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.jobs import JobRecord, Options, Submission
from sheratan.contracts.proposals import Proposal
from sheratan.contracts.worker import Assignment, Wait
from sheratan.engine.commands import Replay, RetryJob, Submit, SubmitGated
from sheratan.engine.edits import prepare_edit
from sheratan.engine.explain import story
from sheratan.engine.gate_commands import NewGate
from sheratan.engine.prepare import prepare
from sheratan.engine.verify import verify
from sheratan.store.rows import JobRow
from tests.engine.runs import node, wf
from tests.engine.world import World

US = 1_000_000
HOUR_US = 3_600 * US
FOR_EVER = {"run_timeout_seconds": 90_000.0}


def row(world: World, job: str) -> JobRow:
    """A job as it is stored."""
    [found] = world.store.jobs([parse_job_id(job).number])
    return found


def left(world: World, job: str) -> float | None:
    """How many seconds it is until a job's deadline."""
    deadline_us = world.record(job).deadline_us
    return None if deadline_us is None else (deadline_us - world.clock.now_us()) / US


def exceeded(world: World, job: str) -> JobRecord:
    """A job that has failed by its deadline, and is a dead letter."""
    record = world.record(job)
    assert record.state == "failed"
    assert record.error is not None
    assert (record.error.type, record.error.error_class) == ("DeadlineExceeded", "timeout")
    assert world.store.is_dead_letter(parse_job_id(job).number)
    assert verify(world.store).problems == []
    return record


def submit_by(world: World, given: Assignment, **options: Any) -> str:
    """A running job submits another; returns that."""
    jobs = prepare([Submission(kind="other", options=Options(**options))], world.registry, world.limits)
    [(job, _)] = world.ask(Submit(jobs=jobs, by_job=given.number, fence=given.fence))
    return str(job)


def test_a_job_in_its_queue_fails_at_its_deadline_and_not_before(world: World) -> None:
    job = world.submit(deadline_seconds=60)
    assert left(world, job) == 60
    world.tick(59.9)
    assert world.state_of(job) == "queued"
    world.tick(0.1)
    assert exceeded(world, job).attempt == 0
    decision = world.last("job.failed").decision
    assert decision is not None
    assert decision["rule"] == "job.timeout@1"
    assert decision["input"] == {"what": "deadline", "limit_us": 60 * US, "elapsed_us": 60 * US}
    told = " ".join(line.text for line in story(world.store, job).lines)
    assert "It fails unless it has ended within 60.000 s." in told
    assert "The job had not ended by its deadline: 60.000 s against 60.000 s." in told
    assert list(world.store.alarms()) == []


def test_a_job_that_is_delayed_fails_at_its_deadline(world: World) -> None:
    job = world.submit(delay_seconds=90, deadline_seconds=60)
    world.tick(60)
    assert exceeded(world, job).attempt == 0
    assert world.store.counts()["timer"] == 0


def test_a_job_that_runs_after_another_fails_at_its_deadline(world: World) -> None:
    job = world.submit(after=[world.submit("other")], deadline_seconds=60)
    world.tick(60)
    exceeded(world, job)
    assert world.state.blocked == 0


WAITS = [
    Wait(name="sleep", occurrence=1, what="sleep", seconds=90),
    Wait(name="go", occurrence=1, what="signal", key="go"),
]


@pytest.mark.parametrize("wait", WAITS)
def test_a_job_whose_handler_waits_fails_at_its_deadline(world: World, wait: Wait) -> None:
    job = world.submit(deadline_seconds=60)
    [given] = world.lease(world.register())
    assert world.park(given, wait)
    world.send(job, "unheard")
    world.tick(60)
    assert exceeded(world, job).attempt == 1
    assert list(world.store.all_waits()) == list(world.store.all_signals()) == []


def test_a_job_that_waits_for_its_children_fails_and_they_are_cancelled(world: World) -> None:
    job = world.submit(deadline_seconds=60)
    [given] = world.lease(world.register())
    [child] = world.spawn(given, 1, Submission(kind="other"))
    assert world.park(given, Wait(name="gather", occurrence=1, what="jobs", jobs=(child,)))
    world.tick(60)
    exceeded(world, job)
    # They have the same deadline: either way they have ended.
    assert world.state_of(child) in ("failed", "cancelled")
    assert not world.store.any_awaited()


def test_a_job_whose_code_has_changed_fails_at_its_deadline(world: World) -> None:
    job = world.submit(deadline_seconds=60)
    [given] = world.lease(world.register())
    assert world.change(given)
    world.tick(60)
    assert exceeded(world, job).attempt == 0
    assert list(world.store.blocking_codes()) == []


def test_a_running_attempt_is_ended_as_by_its_run_timeout_and_is_the_last(world: World) -> None:
    job = world.submit(deadline_seconds=60, attempts_max=5, backoff_base_seconds=0.0, **FOR_EVER)
    [given] = world.lease(world.register())
    assert given.run_timeout_us == 60 * US
    world.tick(59.9)
    assert world.state_of(job) == "running"
    world.tick(0.1)
    assert exceeded(world, job).attempt == 1
    assert [one.reason for one in world.stops] == ["timeout"]
    assert world.why(job)[-2:] == ["job.timed_out", "job.failed"]
    assert "the deadline of the job is over" in story(world.store, job).lines[-1].text
    assert not world.settle(given)


def test_of_run_timeout_and_deadline_the_earlier_one_bounds_an_attempt(world: World) -> None:
    world.submit(deadline_seconds=60, run_timeout_seconds=40, backoff_base_seconds=0.0)
    session = world.register()
    [first] = world.lease(session)
    assert first.run_timeout_us == 40 * US
    world.tick(40)
    [second] = world.lease(session)
    assert second.run_timeout_us == 20 * US
    world.tick(10)
    assert world.settle(second)


@pytest.mark.parametrize("step", [-HOUR_US, HOUR_US])
def test_no_clock_change_ends_a_running_attempt_early_or_late(world: World, step: int) -> None:
    job = world.submit(deadline_seconds=60, **FOR_EVER)
    world.lease(world.register())
    world.tick(30)
    world.clock.step(step)
    world.tick(29.9)
    assert world.state_of(job) == "running"
    world.tick(0.1)
    exceeded(world, job)


def test_an_attempt_that_outruns_a_clock_which_was_set_ends_the_job_when_it_gives_its_slot_back(
    world: World,
) -> None:
    for leaves in ("wait", "code", "released"):
        job = world.submit(deadline_seconds=60, **FOR_EVER)
        [given] = world.lease(world.register())
        world.clock.step(HOUR_US)
        world.tick(1)
        assert world.state_of(job) == "running"
        if leaves == "wait":
            assert world.park(given, WAITS[0])
        elif leaves == "code":
            assert world.change(given)
        else:
            assert world.settle(given, "released")
        exceeded(world, job)


def test_an_attempt_that_succeeds_in_the_last_moment_has_succeeded(world: World) -> None:
    job = world.submit(deadline_seconds=60)
    [given] = world.lease(world.register())
    world.tick(59.9)
    assert world.settle(given)
    world.tick(3_600)
    assert world.state_of(job) == "succeeded"
    assert verify(world.store).problems == []


def test_a_failed_attempt_is_not_tried_again_where_that_would_be_too_late(world: World) -> None:
    job = world.submit(deadline_seconds=60)
    [given] = world.lease(world.register())
    world.fail(given, "rate_limited", after=60)
    record = world.record(job)
    assert record.state == "failed"
    assert record.error is not None
    assert record.error.error_class == "rate_limited"
    decision = world.last("job.failed").decision
    assert decision is not None
    assert (decision["rule"], decision["input"]["left_us"]) == ("retry.backoff@3", 60 * US)
    because = "Not tried again: that would be after 60.000 s, and the deadline is over in 60.000 s."
    assert because in story(world.store, job).lines[-1].text
    assert verify(world.store).problems == []


def test_a_failed_attempt_is_tried_again_in_time(world: World) -> None:
    job = world.submit(deadline_seconds=60)
    session = world.register()
    world.fail(world.lease(session)[0], "rate_limited", after=59)
    assert world.state_of(job) == "scheduled"
    world.tick(59)
    assert world.lease(session)[0].run_timeout_us == US
    world.tick(1)
    assert exceeded(world, job).attempt == 2


def test_an_attempt_that_was_lost_is_not_tried_again_after_the_deadline(world: World) -> None:
    job = world.submit(deadline_seconds=60, **FOR_EVER)
    soon = world.submit(deadline_seconds=90, **FOR_EVER)
    world.lease(world.register(), 2)
    world.clock.advance(60 * US)
    world.crash()
    assert world.state_of(job) == "failed"
    assert "the deadline of the job is over" in story(world.store, job).lines[-1].text
    assert world.state_of(soon) == "queued"
    assert verify(world.store).problems == []


def test_an_engine_that_was_down_ends_what_is_over_before_it_starts_anything(world: World) -> None:
    jobs = [world.submit(deadline_seconds=60) for _ in range(3)]
    world.crash()
    world.clock.advance(HOUR_US)
    answer = world.ask_lease(world.register())
    world.tick()
    assert not answer.given
    assert {world.state_of(job) for job in jobs} == {"failed"}


def test_nothing_is_started_while_more_deadlines_are_over_than_ring_at_once(world: World) -> None:
    later = Submission(kind="work", options=Options(deadline_seconds=60.0))
    world.ask(world.submissions(*[later] * 1_000))
    world.clock.advance(60 * US)
    answer = world.ask_lease(world.register(), 10)
    world.tick()
    assert not answer.given
    assert world.store.counts()["result"] == 1_000
    assert verify(world.store).problems == []


def test_the_limit_on_waiting_holds_where_it_is_over_before_the_deadline(world: World) -> None:
    job = world.submit(deadline_seconds=60, queue_timeout_seconds=5)
    same = world.submit(deadline_seconds=60, queue_timeout_seconds=60)
    assert len(list(world.store.alarms())) == 3
    world.tick(5)
    error = world.record(job).error
    assert error is not None
    assert error.type == "QueueTimeout"
    world.tick(55)
    exceeded(world, same)


def test_a_job_that_is_submitted_has_the_earlier_deadline_of_both(world: World) -> None:
    world.submit(deadline_seconds=60)
    [given] = world.lease(world.register())
    world.tick(10)
    found = {seconds: left(world, submit_by(world, given, deadline_seconds=seconds)) for seconds in (20, 900)}
    assert found == {20: 20, 900: 50}
    child = submit_by(world, given)
    assert left(world, child) == 50
    assert row(world, child).deadline_after_us == 0
    assert "deadline_after_us" not in world.last("job.submitted").data
    assert verify(world.store).problems == []


def test_jobs_in_every_way_of_submitting_inherit_the_deadline(world: World) -> None:
    world.submit(deadline_seconds=60)
    [given] = world.lease(world.register())
    [spawned] = world.spawn(given, 1, Submission(kind="other", options=Options(deadline_seconds=900.0)))
    answer = world.propose(given, 2, Proposal(kind="other", input=1))
    [proposed] = [one for one in answer.verdicts if isinstance(one, str)]
    new = world.submission("other").jobs[0]
    gate = NewGate(what="debounce", key="ab" * 32, period_us=US)
    gated = world.ask(SubmitGated(job=new, gate=gate, by_job=given.number, fence=given.fence)).id
    assert {left(world, job) for job in (spawned, proposed, gated)} == {60}
    grandchild = submit_by(world, next(one for one in world.lease(world.register(), 9) if one.id == spawned))
    assert left(world, grandchild) == 60


def test_what_is_submitted_by_nobody_or_by_one_without_a_deadline_has_none(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    assert left(world, job) is left(world, submit_by(world, given)) is None


def test_a_job_that_comes_in_after_the_deadline_of_its_parent_fails_at_once(world: World) -> None:
    world.submit(deadline_seconds=60, **FOR_EVER)
    [given] = world.lease(world.register())
    world.clock.step(HOUR_US)
    child = submit_by(world, given)
    assert exceeded(world, child).attempt == 0


@pytest.mark.parametrize("how", ["retry", "replay"])
def test_a_job_that_is_run_again_has_its_deadline_anew(world: World, how: str) -> None:
    job = world.submit(deadline_seconds=60)
    world.tick(60)
    again = world.ask(RetryJob(id=job) if how == "retry" else Replay(id=job))
    assert left(world, again) == 60
    world.tick(60)
    exceeded(world, again)


def test_a_job_that_is_run_again_has_not_the_deadline_that_it_has_inherited(world: World) -> None:
    world.submit(deadline_seconds=60)
    [given] = world.lease(world.register())
    own, none = submit_by(world, given, deadline_seconds=900.0), submit_by(world, given)
    world.tick(60)
    assert left(world, world.ask(RetryJob(id=own))) == 900
    assert left(world, world.ask(RetryJob(id=none))) is None
    assert verify(world.store).problems == []


def test_a_dead_letter_is_run_again_with_another_deadline(world: World) -> None:
    job = world.submit(deadline_seconds=60)
    world.tick(60)
    edit = msgspec.convert({"deadline_seconds": 90}, Edit)
    new = prepare_edit(world.store, job, edit, world.registry, world.limits)
    again = world.ask(Replay(id=job, edited=new))
    assert left(world, again) == 90
    assert world.last("job.replayed").data["edited"] == {"deadline_after_us": [60 * US, 90 * US]}
    other = msgspec.convert({"priority": 1}, Edit)
    same = prepare_edit(world.store, again, other, world.registry, world.limits)
    assert same.deadline_after_us == 90 * US


def test_the_jobs_of_a_node_have_its_deadline(world: World) -> None:
    run = world.start_run(wf(node("a", deadline_seconds=60), node("b", after=["a"])))
    world.tick(60)
    [job] = world.run_record(run).nodes[0].jobs
    exceeded(world, job)
    assert world.run_record(run).state == "failed"


def test_the_jobs_of_a_schedule_have_its_deadline(world: World) -> None:
    submission = Submission(kind="work", options=Options(deadline_seconds=60.0))
    world.schedule(every_seconds=100, submission=submission)
    world.tick(100)
    assert left(world, world.last("job.submitted").subject) == 60
    assert world.schedule(every_seconds=100, submission=submission) == "unchanged"


def test_a_schedule_without_a_deadline_is_defined_as_before_there_were_any(world: World) -> None:
    world.schedule(every_seconds=100)
    definition = world.schedule_row().definition
    assert definition is not None
    assert b"deadline" not in definition


def test_a_deadline_belongs_to_the_request_of_a_key(world: World) -> None:
    world.submit(key="k", deadline_seconds=60)
    with pytest.raises(IdempotencyConflict) as refused:
        world.submit(key="k", deadline_seconds=61)
    assert refused.value.field == "deadline_after_us"


@pytest.mark.parametrize(
    ("seconds", "error"), [(0, InvalidInput), (-1.0, InvalidInput), (34_560_001, TooLarge)]
)
def test_what_is_no_deadline_is_refused_by_field(
    world: World, seconds: float, error: type[Exception]
) -> None:
    wanted = Submission(kind="work", options=Options(deadline_seconds=seconds))
    with pytest.raises(error) as refused:
        world.submissions(wanted)
    assert isinstance(refused.value, InvalidInput | TooLarge)
    assert "deadline_seconds" in f"{refused.value.field} {refused.value}"


def test_deadlines_outlast_a_restart_and_a_failed_commit(world: World) -> None:
    job = world.submit(deadline_seconds=60, **FOR_EVER)
    world.restart()
    world.lease(world.register())
    world.tick(20)
    world.crash(losing=[world.submission()])
    assert world.state_of(job) == "queued"
    world.tick(40)
    exceeded(world, job)
