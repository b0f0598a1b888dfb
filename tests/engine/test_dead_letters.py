"""Dead letters: failed jobs wait for a person, who replays, edits or discards them; poison needs a word of its own."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sheratan.contracts.api import GetDeadLetter, ListDeadLetters
from sheratan.contracts.dead_letters import DeadLetter, Edit
from sheratan.contracts.errors import Conflict, InvalidInput, NotFound, TooLarge, UnknownKind
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.jobs import ErrorClass, KindDescription
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import Cancel, Discard, EndSession, Replay, RetryJob
from sheratan.engine.edits import prepare_edit
from sheratan.engine.explain import story
from sheratan.engine.prepare import KindRegistry
from sheratan.engine.search import dead_letter, list_dead_letters
from sheratan.engine.verify import verify
from tests.engine.world import World


def letters(world: World, **wanted: Any) -> list[DeadLetter]:
    return list_dead_letters(world.store, ListDeadLetters(**wanted), world.limits).items


def dead(world: World) -> list[str]:
    return [one.id for one in letters(world)]


def failed(world: World, error_class: ErrorClass = "fatal", **options: Any) -> str:
    job = world.submit(**options)
    [given] = world.lease(world.register("failing"))
    assert given.id == job
    world.fail(given, error_class)
    return job


def poisoned(world: World, **options: Any) -> str:
    job = world.submit(**options)
    for turn in range(world.limits.worker_losses_max):
        session = world.register(f"lost-{turn}")
        world.lease(session)
        world.ask(EndSession(session=session))
    assert world.state_of(job) == "failed"
    return job


def test_a_failed_job_is_a_dead_letter_that_says_what_happened(world: World) -> None:
    job = world.submit(value={"n": 1}, attempts_max=2, backoff_base_seconds=0.0, tags=("b", "a", "b"))
    session = world.register("first")
    world.fail(world.lease(session)[0], "timeout")
    other = world.register("second")
    world.fail(world.lease(other)[0], "rate_limited")
    [letter] = letters(world)
    assert (letter.id, letter.attempt, letter.attempts_max, letter.worker_losses) == (job, 2, 2, 0)
    assert letter.worker == f"worker:second/{other}"
    assert (letter.error_class, letter.quarantined, letter.tags) == ("rate_limited", False, ["a", "b"])
    assert letter.first_error is not None
    assert letter.last_error is not None
    assert (letter.first_error.error_class, letter.last_error.error_class) == ("timeout", "rate_limited")
    assert letter.failed_us == world.record(job).finished_us
    assert letter.input is None
    assert dead_letter(world.store, GetDeadLetter(id=job)).input == {"n": 1}


def test_what_is_run_again_goes_on_with_the_trace_of_its_caller(world: World) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    replayed, edited, retried = (failed(world, traceparent=trace) for _ in range(3))
    edit = prepare_edit(world.store, edited, Edit(priority=3), world.registry, world.limits)
    world.ask(Replay(id=replayed))
    world.ask(Replay(id=edited, edited=edit))
    world.ask(RetryJob(id=retried))
    given = world.lease(world.register("again"), 3)
    assert [one.traceparent for one in given] == [trace] * 3


def test_only_failed_jobs_are_dead_letters(world: World) -> None:
    session = world.register()
    world.submit()
    world.run(session)
    world.cancel(world.submit())
    assert dead(world) == []
    with pytest.raises(NotFound, match="no dead letter"):
        dead_letter(world.store, GetDeadLetter(id=world.submit()))


def test_a_job_that_waited_too_long_is_one_without_a_worker(world: World) -> None:
    world.submit(queue_timeout_seconds=1.0)
    world.tick(2)
    [letter] = letters(world)
    assert (letter.worker, letter.attempt, letter.error_class) == (None, 0, "timeout")


def test_a_replay_is_a_new_job_and_the_old_one_stays_as_it_is(world: World) -> None:
    job = failed(world, value=7, tags=("nightly",), priority=3, key="once", queue="side")
    before = world.record(job)
    again = world.ask(Replay(id=job, reason="the provider is back"))
    assert dead(world) == []
    assert world.record(job) == before
    record = world.record(again)
    assert (record.origin, record.input, record.tags, record.priority, record.queue) == (
        job, 7, ["nightly"], 3, "side",
    )  # fmt: skip
    entry = world.last("job.replayed")
    assert entry.data == {"as": again, "reason": "the provider is back"}
    assert entry.decision is not None
    assert entry.decision["chosen"] == "replay"
    assert entry.cause == world.last("job.submitted").seq
    assert "had it run again as" in story(world.store, job).lines[-1].text
    assert world.why(job)[-1] == "job.replayed"


def test_nobody_replays_or_discards_twice(world: World) -> None:
    job, other = failed(world), failed(world)
    world.ask(Replay(id=job))
    world.ask(Discard(id=other, reason="gone"))
    for gone in (job, other):
        with pytest.raises(Conflict, match="was replayed or discarded before"):
            world.ask(Replay(id=gone))
        with pytest.raises(Conflict, match="was replayed or discarded before"):
            world.ask(Discard(id=gone, reason=""))
    third = failed(world, priority=0)
    answers = world.batch(Replay(id=third), Discard(id=third, reason=""), Replay(id=third))
    assert [answer.error is None for answer in answers] == [True, False, False]
    with pytest.raises(Conflict, match="only a failed job is a dead letter"):
        world.ask(Replay(id=world.submit()))


def test_a_retry_of_a_dead_letter_replays_it_and_another_one_repeats_it_once_more(world: World) -> None:
    job = failed(world)
    world.ask(RetryJob(id=job))
    assert dead(world) == []
    assert world.types().count("job.replayed") == 1
    world.ask(RetryJob(id=job))
    assert world.types().count("job.replayed") == 1


def test_a_discarded_job_keeps_its_result_and_says_why(world: World) -> None:
    job = failed(world)
    entry = world.ask(Discard(id=job, reason="the customer has left"))
    assert dead(world) == []
    assert world.state_of(job) == "failed"
    assert world.record(job).error is not None
    line = story(world.store, job).lines[-1]
    assert (line.entry, line.type) == (entry, "job.discarded")
    assert "the customer has left" in line.text


@pytest.mark.parametrize("what", ["replay", "discard"])
def test_a_reason_that_seems_to_hold_a_secret_is_refused(world: World, what: str) -> None:
    job, secret = failed(world), "ghp_" + "a1B2" * 9
    command = Replay(id=job, reason=secret) if what == "replay" else Discard(id=job, reason=secret)
    with pytest.raises(InvalidInput, match="reason"):
        world.ask(command)
    assert dead(world) == [job]


# ----------------------------------------------------------------------------------------------------------------------
# Poison


def test_a_job_that_takes_down_its_workers_is_quarantined(world: World) -> None:
    job = poisoned(world)
    [letter] = letters(world)
    assert (letter.id, letter.quarantined, letter.error_class, letter.worker_losses) == (
        job, True, "lost_lease", 3,
    )  # fmt: skip


def test_poison_is_replayed_only_by_an_explicit_word(world: World) -> None:
    job = poisoned(world)
    for command in (Replay(id=job), RetryJob(id=job)):
        with pytest.raises(Conflict, match="say poison") as caught:
            world.ask(command)
        assert caught.value.field == "poison"
    again = world.ask(Replay(id=job, poison=True))
    entry = world.last("job.replayed")
    assert entry.decision is not None
    assert "released from quarantine" in entry.decision["because"]
    assert world.record(again).origin == job
    with pytest.raises(Conflict, match="say poison"):
        world.ask(RetryJob(id=job))
    assert world.ask(RetryJob(id=job, poison=True))


def test_poison_is_told_in_the_batch_in_which_it_becomes_so() -> None:
    world = World(limits=Limits(worker_losses_max=1))
    job, session = world.submit(), world.register()
    world.lease(session)
    ended, replayed, discarded = world.batch(
        EndSession(session=session), Replay(id=job), Discard(id=job, reason="")
    )
    assert ended.error is None
    assert isinstance(replayed.error, Conflict)
    assert discarded.error is None
    assert dead(world) == []
    world.check()
    assert verify(world.store).problems == []


# ----------------------------------------------------------------------------------------------------------------------
# Edits


def edited(world: World, job: str, **changes: Any) -> str:
    new = prepare_edit(world.store, job, msgspec.convert(changes, Edit), world.registry, world.limits)
    return str(world.ask(Replay(id=job, edited=new)))


def test_an_edit_changes_what_it_names_and_nothing_else(world: World) -> None:
    job = failed(
        world, value={"n": 1}, queue="side", priority=2, attempts_max=4, backoff_base_seconds=0.5,
        backoff_max_seconds=7.0, run_timeout_seconds=30.0, queue_timeout_seconds=900.0, tags=("eu",), cost=7,
    )  # fmt: skip
    again = edited(world, job, input={"n": 2}, priority=1)
    [old] = world.store.jobs([parse_job_id(job).number])
    [new] = world.store.jobs([parse_job_id(again).number])
    assert old[5:11] == new[5:11]
    assert (new.priority, new.cost, world.record(again).queue) == (1, 7, "side")
    assert (world.record(again).input, world.record(again).tags) == ({"n": 2}, ["eu"])
    changes = world.last("job.replayed").data["edited"]
    assert set(changes) == {"input", "priority"}
    assert changes["priority"] == [2, 1]
    assert changes["input"][1] == world.last("job.submitted").data["input"]


def test_every_option_can_be_edited(world: World) -> None:
    job = failed(world, tags=("eu",))
    again = edited(
        world, job, queue="side", attempts_max=9, backoff_base_seconds=2.0, backoff_max_seconds=3.0,
        run_timeout_seconds=4.0, queue_timeout_seconds=5.0, tags=("us", "b"),
    )  # fmt: skip
    [new] = world.store.jobs([parse_job_id(again).number])
    assert new[5:10] == (9, 2_000_000, 3_000_000, 4_000_000, 5_000_000)
    assert world.record(again).tags == ["b", "us"]
    assert set(world.last("job.replayed").data["edited"]) == {
        "queue", "attempts_max", "backoff_base_us", "backoff_cap_us", "run_timeout_us", "queue_timeout_us", "tags",
    }  # fmt: skip


def test_an_edited_input_goes_through_the_schema_of_its_kind(world: World) -> None:
    def check(data: bytes) -> None:
        if data != b"1":
            raise InvalidInput("not one", field="input")

    job = failed(world)
    world.registry.declare(KindDescription(name="work"), check)
    with pytest.raises(InvalidInput, match="not one"):
        edited(world, job, input=2)
    with pytest.raises(TooLarge):
        edited(world, job, input="x" * 2_000_000)
    with pytest.raises(TooLarge, match="attempts_max"):
        edited(world, job, attempts_max=1_000)
    assert dead(world) == [job]
    assert edited(world, job, input=1)


def test_an_input_of_a_kind_that_nobody_offers_cannot_be_checked(world: World) -> None:
    job = failed(world)
    world.registry = KindRegistry()
    with pytest.raises(UnknownKind):
        edited(world, job, input=2)
    assert edited(world, job, priority=9)


# ----------------------------------------------------------------------------------------------------------------------
# Tags


def test_tags_are_part_of_what_an_idempotency_key_stands_for(world: World) -> None:
    job = world.submit(key="k", tags=("b", "a"))
    assert world.submit(key="k", tags=("a", "b", "a")) == job
    with pytest.raises(Conflict, match="another tags"):
        world.submit(key="k", tags=("a",))


def test_too_many_tags_are_refused() -> None:
    world = World(limits=Limits(tags_max=2))
    world.submit(tags=("a", "b", "a"))
    with pytest.raises(TooLarge, match=r"limits\.tags_max"):
        world.submit(tags=("a", "b", "c"))


def test_a_retry_in_the_very_batch_keeps_tags_and_a_large_input(world: World) -> None:
    [submitted] = world.batch(world.submission(value="x" * 5_000, tags=("eu",)))
    [(job, _)] = submitted.value
    other = world.submission(value="y" * 5_000, tags=("us",))
    number = world.state.next_number
    receipt, _ = world.batch(other, Cancel(id=job, reason=""))
    [(second, _)] = receipt.value
    assert parse_job_id(second).number == number
    _, retried = world.batch(Cancel(id=second, reason=""), RetryJob(id=second))
    assert world.record(retried.value).tags == ["us"]
    assert world.record(retried.value).input == "y" * 5_000


def test_a_restart_finds_the_same_dead_letters(world: World) -> None:
    kept, gone = failed(world), failed(world)
    world.ask(Replay(id=gone))
    world.crash()
    assert dead(world) == [kept]
    world.crash(losing=[Discard(id=kept, reason="")])
    assert dead(world) == [kept]
