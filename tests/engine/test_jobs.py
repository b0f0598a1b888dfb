"""The walk of a job: in, out to a worker, back with an end; in order, later, again."""

from __future__ import annotations

import pytest

from sheratan.contracts.errors import LimitReached, NotFound
from sheratan.contracts.jobs import ErrorClass, JobError, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import EndSession, Heartbeat
from sheratan.engine.timers import SESSION_SILENCE_US_MAX
from sheratan.store.rows import Ready, Result, Timer
from tests.engine.world import SECOND, World

LAST = Options(priority=9)


def test_a_job_goes_in_to_a_worker_and_succeeds(world: World) -> None:
    job = world.submit(value={"n": 1})
    assert world.state_of(job) == "queued"
    [given] = world.lease(world.register())
    assert (given.id, given.attempt, bytes(given.input)) == (job, 1, b'{"n":1}')
    assert world.state_of(job) == "running"
    assert world.settle(given, output=[1, 2])
    record = world.record(job)
    assert (record.state, record.output, record.attempt) == ("succeeded", [1, 2], 1)
    assert world.why(job) == ["job.submitted", "worker.leased", "job.succeeded"]


def test_a_worker_that_waits_is_given_a_job_as_soon_as_one_comes(world: World) -> None:
    answer = world.ask_lease(world.register())
    assert not answer.given
    job = world.submit()
    assert [given.id for given in answer.value] == [job]


def test_a_later_lease_call_ends_an_earlier_one_with_nothing(world: World) -> None:
    session = world.register()
    first, second = world.ask_lease(session), world.ask_lease(session)
    assert first.value == []
    world.submit()
    assert len(second.value) == 1


def test_urgent_jobs_go_first_and_equally_urgent_ones_in_order_of_arrival(world: World) -> None:
    jobs = [world.submit(priority=priority) for priority in (5, 0, 9, 0, 5)]
    given = world.lease(world.register(), 5)
    assert [one.id for one in given] == [jobs[1], jobs[3], jobs[0], jobs[4], jobs[2]]


def test_order_holds_across_kinds_and_queues(world: World) -> None:
    jobs = [
        world.submit("work", priority=3),
        world.submit("other", priority=1, queue="b"),
        world.submit("other", priority=3),
    ]
    assert [one.id for one in world.lease(world.register(), 3)] == [jobs[1], jobs[0], jobs[2]]


def test_a_worker_is_never_given_more_than_it_asked_for(world: World) -> None:
    for _ in range(5):
        world.submit()
    session = world.register()
    assert len(world.lease(session, 2)) == 2
    assert world.store.counts()["ready"] == 3


def test_a_worker_is_given_only_kinds_that_it_offers_and_the_decision_says_so(world: World) -> None:
    world.submit("other")
    job = world.submit("work")
    assert [one.id for one in world.lease(world.register(kinds=["work"]), 5)] == [job]
    decision = world.last("worker.leased").decision
    assert decision is not None
    [[lane, reason]] = decision["rejected"]
    assert lane == "default/other"
    assert "does not offer this kind" in reason


def test_no_more_jobs_run_than_the_engine_may_run() -> None:
    world = World(limits=Limits(running_jobs_max=2))
    for _ in range(4):
        world.submit()
    session, second = world.register(), world.register("v")
    given = world.lease(session, 4)
    assert len(given) == 2
    answer = world.ask_lease(second, 4)
    assert not answer.given
    world.settle(given[0])
    assert len(answer.value) == 1
    world.check()


def test_one_lease_call_gives_at_most_its_limit_of_jobs() -> None:
    world = World(limits=Limits(lease_jobs_max=3))
    for _ in range(5):
        world.submit()
    assert len(world.lease(world.register(), 5)) == 3
    world.check()


def test_of_two_waiting_workers_the_less_busy_one_is_served_first(world: World) -> None:
    busy, free = world.register("busy"), world.register("free")
    world.submit()
    world.lease(busy)
    answers = world.ask_lease(busy), world.ask_lease(free)
    world.submit()
    assert (answers[0].given, answers[1].given) == (False, True)


def test_a_freed_slot_counts_for_the_lease_call_that_waits(world: World) -> None:
    session = world.register()
    world.submit()
    [given] = world.lease(session)
    answer = world.ask_lease(session, 1)
    world.batch(world.settlement(given, session=session), world.submission(), world.submission())
    assert len(answer.value) == 2


def test_a_lane_with_more_jobs_than_fit_in_memory_is_worked_off_in_order() -> None:
    world = World(limits=Limits(running_jobs_max=10_000, lease_jobs_max=1_000))
    for _ in range(3):
        world.ask(world.submissions(*(Submission(kind="work") for _ in range(1_000))))
    session = world.register()
    taken: list[int] = []
    while len(taken) < 3_000:
        taken += [given.number for given in world.lease(session, 700)]
    assert taken == sorted(taken)
    world.check()


@pytest.mark.parametrize("slots", [300, 400, 1_000])
def test_urgent_jobs_beyond_the_window_go_before_less_urgent_ones_of_another_lane(slots: int) -> None:
    world = World(limits=Limits(running_jobs_max=10_000, lease_jobs_max=1_000))
    for _ in range(3):
        world.ask(world.submissions(*(Submission(kind="work") for _ in range(1_000))))
    world.ask(world.submissions(*(Submission(kind="other", options=LAST) for _ in range(500))))
    session = world.register()
    kinds = [given.kind for given in world.lease(session, 400)]
    while len(kinds) < 3_000:
        kinds += [given.kind for given in world.lease(session, min(slots, 3_000 - len(kinds)))]
    assert set(kinds) == {"work"}
    world.check()


# ---------------------------------------------------------------------------------------------------------------------
# Later


def test_a_delayed_job_is_not_given_out_before_its_time_and_exactly_then(world: World) -> None:
    job = world.submit(delay_seconds=10)
    answer = world.ask_lease(world.register())
    world.tick(9.999999)
    assert (world.state_of(job), answer.given) == ("scheduled", False)
    world.tick(0.000001)
    assert [given.id for given in answer.value] == [job]
    assert "job.due" in world.why(job)


def test_delays_end_in_the_order_in_which_they_are_due(world: World) -> None:
    late, early = world.submit(delay_seconds=2), world.submit(delay_seconds=1)
    world.tick(5)
    assert world.types(early) == world.types(late) == ["job.submitted", "job.due"]
    due = [entry.subject for entry in world.entries() if entry.type == "job.due"]
    assert due == [early, late]


def test_more_delays_than_ring_at_once_all_end(world: World) -> None:
    later = Submission(kind="work", options=Options(delay_seconds=1.0))
    world.ask(world.submissions(*[later] * 1_000))
    world.tick(1)
    assert world.store.counts()["ready"] == 1_000
    assert world.types().count("job.due") == 1_000


def test_a_job_that_waits_too_long_in_its_queue_fails(world: World) -> None:
    job = world.submit(queue_timeout_seconds=5)
    world.tick(4.9)
    assert world.state_of(job) == "queued"
    world.tick(0.1)
    assert world.state_of(job) == "failed"
    entry = world.last("job.failed")
    assert entry.data["error"]["type"] == "QueueTimeout"
    assert entry.decision is not None
    assert entry.decision["rule"] == "job.timeout@1"
    error = world.record(job).error
    assert error is not None
    assert (error.error_class, error.type) == ("timeout", "QueueTimeout")


def test_the_queue_timeout_starts_when_the_delay_ends(world: World) -> None:
    job = world.submit(delay_seconds=10, queue_timeout_seconds=5)
    world.tick(10)
    world.tick(4.9)
    assert world.state_of(job) == "queued"
    world.tick(0.1)
    assert world.state_of(job) == "failed"


def test_a_job_that_was_started_in_time_does_not_run_into_its_queue_timeout(world: World) -> None:
    job = world.submit(queue_timeout_seconds=5, backoff_base_seconds=0.0)
    session = world.register()
    world.fail(world.lease(session)[0])
    world.tick(100)
    assert world.state_of(job) == "queued"
    assert list(world.store.alarms()) == []


def test_an_attempt_that_runs_too_long_is_taken_away_and_tried_again(world: World) -> None:
    job = world.submit(run_timeout_seconds=30, backoff_base_seconds=0.0)
    [given] = world.lease(world.register())
    world.tick(29.9)
    assert world.state_of(job) == "running"
    world.tick(0.1)
    assert world.state_of(job) == "queued"
    assert [(one.number, one.fence, one.reason) for one in world.stops] == [
        (given.number, given.fence, "timeout")
    ]
    assert world.why(job)[-3:] == ["job.timed_out", "job.retried", "job.due"]
    assert not world.settle(given)


def test_an_attempt_that_runs_too_long_for_the_last_time_fails(world: World) -> None:
    job = world.submit(run_timeout_seconds=30, attempts_max=1)
    world.lease(world.register())
    world.tick(30)
    record = world.record(job)
    assert (record.state, record.error and record.error.error_class) == ("failed", "timeout")


def test_an_attempt_that_ended_in_time_is_not_touched_by_its_deadline(world: World) -> None:
    first = world.submit(run_timeout_seconds=30, backoff_base_seconds=0.0)
    session = world.register()
    world.fail(world.lease(session)[0])
    world.tick(29)
    world.lease(session)
    world.tick(2)
    assert world.state_of(first) == "running"


# ---------------------------------------------------------------------------------------------------------------------
# Again


@pytest.mark.parametrize("error_class", ["retryable", "timeout", "rate_limited"])
def test_a_passing_fault_is_tried_again_until_the_attempts_are_used_up(
    world: World, error_class: ErrorClass
) -> None:
    job = world.submit(attempts_max=3, backoff_base_seconds=0.0)
    session = world.register()
    for attempt in (1, 2, 3):
        [given] = world.lease(session)
        assert given.attempt == attempt
        world.fail(given, error_class)
    record = world.record(job)
    assert (record.state, record.attempt) == ("failed", 3)
    assert record.error is not None
    assert record.error.error_class == error_class


@pytest.mark.parametrize("error_class", ["fatal", "bug"])
def test_a_final_fault_is_not_tried_again(world: World, error_class: ErrorClass) -> None:
    job = world.submit(attempts_max=10)
    world.fail(world.lease(world.register())[0], error_class)
    assert world.state_of(job) == "failed"


def test_backoff_waits_as_long_as_its_decision_says(world: World) -> None:
    job = world.submit(attempts_max=5, backoff_base_seconds=8.0, backoff_max_seconds=100.0)
    session = world.register()
    for ceiling in (8, 16, 32, 64):
        world.fail(world.lease(session)[0])
        decision = world.last("job.retried").decision
        assert decision is not None
        delay_us = decision["chosen"]["delay_us"]
        assert 0 <= delay_us <= ceiling * SECOND
        timer = world.location(job)
        assert type(timer) is Timer
        assert timer.due_us == world.clock.now_us() + delay_us
        world.tick((delay_us - 1) / SECOND)
        assert world.state_of(job) == "scheduled"
        world.tick(1 / SECOND)
        assert world.state_of(job) == "queued"


def test_the_pause_that_a_provider_asks_for_is_kept(world: World) -> None:
    job = world.submit(backoff_base_seconds=1.0)
    world.fail(world.lease(world.register())[0], "rate_limited", after=123.5)
    world.tick(123.4)
    assert world.state_of(job) == "scheduled"
    world.tick(0.1)
    assert world.state_of(job) == "queued"


def test_a_failed_attempt_without_an_error_is_a_bug(world: World) -> None:
    job = world.submit()
    world.run(world.register(), "failed")
    record = world.record(job)
    assert record.error is not None
    assert (record.error.error_class, record.error.type) == ("bug", "UnknownError")


def test_an_error_that_quotes_what_is_no_valid_text_is_kept_escaped(world: World) -> None:
    job = world.submit(attempts_max=1)
    [given] = world.lease(world.register())
    error = JobError(error_class="fatal", type="OSError", message="no file \udcff.txt", traceback="\udcff")
    assert world.settle(given, "failed", error=error)
    kept = world.record(job).error
    assert kept is not None
    assert kept.message == r"no file \udcff.txt"


def test_every_error_is_kept_with_its_attempt_and_told(world: World) -> None:
    job = world.submit(attempts_max=2, backoff_base_seconds=0.0)
    session = world.register()
    world.fail(world.lease(session)[0])
    world.fail(world.lease(session)[0])
    assert len(world.store.failures(world.location(job).number)) == 2


def test_a_job_handed_back_unfinished_goes_on_without_a_used_attempt(world: World) -> None:
    job = world.submit(attempts_max=1)
    session = world.register()
    for _ in range(5):
        world.run(session, "released")
    assert world.location(job)[3:5] == (1, 0)
    world.run(session)
    assert world.state_of(job) == "succeeded"


def test_a_worker_that_hands_a_job_back_is_not_given_it_again_by_its_open_lease_call(world: World) -> None:
    job = world.submit()
    session = world.register()
    [given] = world.lease(session)
    waiting = world.ask_lease(session)
    world.settle(given, "released", session=session)
    assert waiting.value == []
    assert world.state_of(job) == "queued"


def test_a_lease_call_whose_caller_has_gone_is_given_nothing(world: World) -> None:
    waiting = world.ask_lease(world.register())
    waiting.given = True
    job = world.submit()
    assert world.state_of(job) == "queued"


# ---------------------------------------------------------------------------------------------------------------------
# Lost workers


def test_the_jobs_of_a_worker_that_goes_are_run_again(world: World) -> None:
    job = world.submit(attempts_max=1)
    session = world.register()
    world.lease(session)
    world.ask(EndSession(session=session))
    ready = world.location(job)
    assert type(ready) is Ready
    assert (ready.attempt, ready.losses) == (2, 1)
    assert world.last("job.requeued").cause == world.last("worker.ended").seq
    world.run(world.register())
    assert world.state_of(job) == "succeeded"


def test_a_remote_worker_that_falls_silent_is_lost(world: World) -> None:
    job = world.submit()
    session = world.register(local=False)
    world.lease(session)
    world.tick(SESSION_SILENCE_US_MAX / SECOND)
    assert world.state_of(job) == "running"
    world.tick(0.000001)
    assert world.state_of(job) == "queued"
    with pytest.raises(NotFound, match=f"session {session}"):
        world.ask(Heartbeat(session=session))


def test_a_heartbeat_keeps_a_remote_worker_on_duty(world: World) -> None:
    job = world.submit(run_timeout_seconds=1_000)
    session = world.register(local=False)
    world.lease(session)
    for _ in range(10):
        world.tick(29)
        world.ask(Heartbeat(session=session))
    assert world.state_of(job) == "running"


def test_a_worker_in_the_engine_itself_is_not_lost_by_silence(world: World) -> None:
    job = world.submit(run_timeout_seconds=1_000)
    world.lease(world.register(local=True))
    world.tick(900)
    assert world.state_of(job) == "running"


def test_a_lease_call_that_waits_is_answered_when_its_worker_is_lost(world: World) -> None:
    answer = world.ask_lease(world.register(local=False))
    world.tick(31)
    assert answer.value == []


def test_a_job_that_takes_down_its_workers_fails_at_the_limit_of_losses() -> None:
    world = World(limits=Limits(worker_losses_max=3))
    job = world.submit(attempts_max=1)
    for loss in (1, 2, 3):
        assert world.state_of(job) == "queued", loss
        session = world.register()
        world.lease(session)
        world.ask(EndSession(session=session))
    result = world.location(job)
    assert type(result) is Result
    assert (result.state, result.attempt, result.losses) == ("failed", 3, 3)
    world.check()


def test_losses_do_not_use_up_attempts(world: World) -> None:
    job = world.submit(attempts_max=2, backoff_base_seconds=0.0)
    session = world.register()
    world.lease(session)
    world.ask(EndSession(session=session))
    session = world.register()
    world.fail(world.lease(session)[0])
    assert world.state_of(job) == "queued"
    world.fail(world.lease(session)[0])
    assert world.state_of(job) == "failed"


def test_what_ran_when_the_engine_died_is_run_again(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.crash()
    assert world.state_of(job) == "queued"
    recovery = world.last("engine.started").decision
    assert recovery is not None
    assert recovery["chosen"] == "take_over"
    assert not world.settle(given)
    assert world.record(job).worker_losses == 1


def test_a_clean_stop_is_told_from_a_crash(world: World) -> None:
    world.restart()
    decision = world.last("engine.started").decision
    assert decision is not None
    assert decision["chosen"] == "resume"


def test_a_refused_queue_is_named_with_its_limit() -> None:
    world = World(limits=Limits(queue_jobs_max=2))
    world.submit()
    world.submit()
    with pytest.raises(LimitReached, match=r"limits\.queue_jobs_max"):
        world.submit()
    world.submit(queue="another")
    assert world.store.counts()["ready"] == 3
    world.check()
