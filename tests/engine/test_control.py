"""Queues that rest, engines that drain, ended jobs that are run again, batch mates that are not harmed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.errors import Conflict, InvalidInput, LimitReached, NotFound, TooLarge, Unavailable
from sheratan.contracts.jobs import JobError, Submission
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import Cancel, Pause, Resume, RetryJob, StartDraining
from sheratan.engine.explain import story
from sheratan.kernel.canonical import digest
from tests.engine.world import World

# ---------------------------------------------------------------------------------------------------------------------
# Pause and resume


def test_a_paused_queue_gives_no_work_and_others_do(world: World) -> None:
    assert world.ask(Pause(subject="queue:default", reason="a rest"))
    world.submit()
    other = world.submit(queue="b")
    session = world.register()
    assert [given.id for given in world.lease(session, 5)] == [other]
    decision = world.last("worker.leased").decision
    assert decision is not None
    [[lane, reason]] = decision["rejected"]
    assert lane == "default/work"
    assert "paused" in reason


def test_a_resumed_queue_serves_the_worker_that_waits(world: World) -> None:
    world.ask(Pause(subject="queue:default", reason=""))
    job = world.submit()
    answer = world.ask_lease(world.register())
    assert not answer.given
    assert world.ask(Resume(subject="queue:default"))
    assert [given.id for given in answer.value] == [job]


def test_pausing_and_resuming_twice_is_told_and_writes_nothing(world: World) -> None:
    assert not world.ask(Resume(subject="queue:default"))
    assert world.ask(Pause(subject="queue:default", reason=""))
    before = world.store.shard()
    assert not world.ask(Pause(subject="queue:default", reason="again"))
    assert world.store.shard() == before


def test_what_runs_goes_on_when_its_queue_is_paused(world: World) -> None:
    job = world.submit()
    [given] = world.lease(world.register())
    world.ask(Pause(subject="queue:default", reason=""))
    assert world.settle(given)
    assert world.state_of(job) == "succeeded"


def test_a_pause_outlives_the_engine(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    world.ask(Pause(subject="queue:default", reason="a rest"))
    world.submit()
    world.crash()
    assert not world.ask_lease(world.register()).given
    lines = story(world.store, "queue:default").lines
    assert [line.type for line in lines] == ["queue.paused"]
    assert "a rest" in lines[0].text
    world.check()
    world.close()


def test_the_story_of_a_queue_links_its_pauses(world: World) -> None:
    world.ask(Pause(subject="queue:q", reason="one"))
    world.ask(Resume(subject="queue:q"))
    world.ask(Pause(subject="queue:q", reason="two"))
    told = story(world.store, "queue:q")
    assert (told.state, [line.type for line in told.lines]) == (
        "paused",
        ["queue.paused", "queue.resumed", "queue.paused"],
    )


# ---------------------------------------------------------------------------------------------------------------------
# Draining


def test_a_draining_engine_takes_nothing_in_and_starts_nothing(world: World) -> None:
    waiting = world.submit()
    session = world.register()
    world.ask(StartDraining(reason="an update"))
    with pytest.raises(Unavailable, match="draining"):
        world.submit()
    assert not world.ask_lease(session).given
    assert world.state_of(waiting) == "queued"
    assert world.last("job.refused").subject == "queue:default"


def test_a_draining_engine_lets_what_runs_end_and_moves_what_follows(world: World) -> None:
    job = world.submit()
    child = world.submit(after=[job])
    [given] = world.lease(world.register())
    world.ask(StartDraining(reason=""))
    assert world.settle(given)
    assert (world.state_of(job), world.state_of(child)) == ("succeeded", "queued")


def test_draining_twice_is_written_down_once(world: World) -> None:
    world.ask(StartDraining(reason="x"))
    world.ask(StartDraining(reason="x"))
    assert world.types("engine") == ["engine.started", "engine.draining"]


def test_a_drained_engine_starts_again_open(world: World) -> None:
    world.ask(StartDraining(reason=""))
    world.restart()
    world.submit()


# ---------------------------------------------------------------------------------------------------------------------
# Run again


@pytest.mark.parametrize("how", ["succeeded", "failed", "cancelled"])
def test_an_ended_job_is_run_again_as_a_new_job_that_names_it(world: World, how: str) -> None:
    job = world.submit(value={"a": 1}, priority=2, attempts_max=1, queue="q")
    if how == "cancelled":
        world.cancel(job)
    else:
        world.run(world.register(), "succeeded" if how == "succeeded" else "failed")
    again = world.ask(RetryJob(id=job))
    old, new = world.record(job), world.record(again)
    assert (old.state, new.state, new.origin) == (how, "queued", job)
    assert (new.input, new.priority, new.attempts_max, new.queue) == ({"a": 1}, 2, 1, "q")


def test_a_large_input_is_run_again_whole(world: World) -> None:
    job = world.submit(value="x" * 5_000)
    world.cancel(job)
    again = world.ask(RetryJob(id=job))
    [given] = world.lease(world.register())
    assert (given.id, len(bytes(given.input))) == (again, 5_002)


def test_a_job_that_has_not_ended_cannot_be_run_again(world: World) -> None:
    job = world.submit()
    with pytest.raises(Conflict, match="queued"):
        world.ask(RetryJob(id=job))
    with pytest.raises(NotFound):
        world.ask(RetryJob(id=job.replace("job_0", "job_1")))


# ---------------------------------------------------------------------------------------------------------------------
# Payloads and limits


def test_large_inputs_and_outputs_are_kept_apart_and_come_back_whole(world: World) -> None:
    value = {"text": "x" * 3_000}
    job = world.submit(value=value)
    row = world.store.jobs([world.location(job).number])[0]
    assert row.input is None
    assert row.payload is not None
    [given] = world.lease(world.register())
    assert b'"text"' in bytes(given.input)
    world.settle(given, output=value)
    assert (world.record(job).input, world.record(job).output) == (value, value)
    assert len(list(world.store.payloads())) == 1, "the same bytes are kept once"


def test_a_large_input_can_be_given_out_in_the_batch_that_brought_it(world: World) -> None:
    answer = world.ask_lease(world.register())
    world.submit(value="y" * 3_000)
    assert bytes(answer.value[0].input) == b'"' + b"y" * 3_000 + b'"'


def test_payloads_stay_outside_the_journal(world: World) -> None:
    world.submit(value="personal" * 2)
    world.run(world.register(), output="private" * 2)
    assert all(b"personal" not in body and b"private" not in body for _, _, body in world.store.pages())
    assert world.last("job.succeeded").data["output"] == digest(b'"privateprivate"')


def test_an_input_above_its_limit_is_refused_and_one_at_its_limit_is_not() -> None:
    world = World(limits=Limits(payload_bytes_max=100))
    world.submit(value="x" * 98)
    before = world.store.shard()
    with pytest.raises(TooLarge, match=r"limits\.payload_bytes_max") as refused:
        world.submit(value="x" * 99)
    assert refused.value.field == "input"
    assert world.store.shard() == before
    world.check()


def test_an_output_above_its_limit_fails_its_attempt_as_a_bug() -> None:
    world = World(limits=Limits(result_bytes_max=100))
    job = world.submit()
    world.run(world.register(), output="x" * 99)
    error = world.record(job).error
    assert error is not None
    assert (error.error_class, error.type) == ("bug", "TooLarge")
    assert "limits.result_bytes_max" in error.message
    world.check()


def test_an_error_above_its_limit_is_shortened_from_the_middle() -> None:
    world = World(limits=Limits(error_bytes_max=100))
    job = world.submit(attempts_max=1)
    [given] = world.lease(world.register())
    error = JobError(error_class="fatal", type="Boom", message="m" * 90, traceback="a" * 500 + "end")
    world.settle(given, "failed", error=error)
    kept = world.record(job).error
    assert kept is not None
    assert len(kept.message) + len(kept.traceback) <= 100
    assert kept.traceback.endswith("end")
    world.check()


def test_too_many_jobs_in_one_call_are_refused_with_the_name_of_the_limit() -> None:
    world = World(limits=Limits(batch_jobs_max=3))
    world.ask(world.submissions(*[Submission(kind="work")] * 3))
    with pytest.raises(TooLarge, match=r"limits\.batch_jobs_max"):
        world.submissions(*[Submission(kind="work")] * 4)


def test_a_call_that_would_overfill_its_queue_takes_nothing_in() -> None:
    world = World(limits=Limits(queue_jobs_max=3))
    world.submit()
    with pytest.raises(LimitReached, match=r"limits\.queue_jobs_max"):
        world.ask(world.submissions(*[Submission(kind="work")] * 3))
    assert world.store.counts()["ready"] == 1
    world.ask(world.submissions(*[Submission(kind="work")] * 2))
    assert world.store.counts()["ready"] == 3
    world.check()


def test_too_many_attempts_or_too_long_a_time_are_refused_with_the_name_of_the_limit(world: World) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"attempts_max": 101}, "attempts_max"),
        ({"delay_seconds": 34_560_001}, "delay_seconds_max"),
        ({"run_timeout_seconds": 604_801}, "run_timeout_seconds_max"),
        ({"queue_timeout_seconds": 34_560_001}, "delay_seconds_max"),
        ({"backoff_max_seconds": 34_560_001}, "delay_seconds_max"),
    ]
    for options, limit in cases:
        with pytest.raises(TooLarge, match=rf"limits\.{limit}") as refused:
            world.submit(**options)
        assert refused.value.field == next(iter(options))


def test_too_many_queues_are_refused_with_the_name_of_the_limit_and_known_ones_go_on() -> None:
    world = World(limits=Limits(queues_max=2))
    world.submit(queue="a")
    world.submit(queue="b")
    with pytest.raises(LimitReached, match=r"limits\.queues_max"):
        world.submit(queue="c")
    world.submit(queue="a")
    assert len(world.store.lanes()) == 2
    world.check()


def test_too_many_paused_queues_are_refused_with_the_name_of_the_limit() -> None:
    world = World(limits=Limits(queues_max=2))
    world.ask(Pause(subject="queue:a", reason=""))
    world.ask(Pause(subject="queue:b", reason=""))
    with pytest.raises(LimitReached, match=r"limits\.queues_max"):
        world.ask(Pause(subject="queue:c", reason=""))
    world.ask(Resume(subject="queue:a"))
    world.check()


def test_a_reason_that_holds_a_credential_is_refused_by_name_and_not_written_down(world: World) -> None:
    job = world.submit()
    secret = "ghp_" + "a1B2" * 9
    for command in (Cancel(id=job, reason=f"leaked {secret}"), Pause(subject="queue:default", reason=secret)):
        with pytest.raises(InvalidInput, match="GitHub token") as refused:
            world.ask(command)
        assert refused.value.field == "reason"
    assert not any(secret.encode() in body for _, _, body in world.store.pages())
    assert world.state_of(job) == "queued"
