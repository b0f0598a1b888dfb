"""Debounce and throttle: which submissions make jobs, when those start, and what is told of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from sheratan.contracts.errors import InvalidInput, LimitReached, LostLease, TooLarge, Unavailable
from sheratan.contracts.gates import Debounce, Gate, SubmitGated, Throttle
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.jobs import JobRecord, Options, Receipt, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.worker import Assignment
from sheratan.engine import commands
from sheratan.engine.commands import Cancel, KeepJobs, StartDraining
from sheratan.engine.explain import story
from sheratan.engine.prepare_gates import prepare_gated
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from sheratan.engine.views import find_view, job_record
from sheratan.kernel.fold import Fold
from sheratan.kernel.gates import debounced_us
from tests.engine.world import SECOND, World

DEBOUNCE = Debounce(key="page-7", window_seconds=5, longest_seconds=8)
THROTTLE = Throttle(key="page-7", period_seconds=10)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    checked(made)


def checked(world: World) -> None:
    world.check()
    assert verify(world.store).problems == []
    assert replay(world.store).differences == []


def command(
    world: World,
    gate: Gate,
    value: Any = None,
    kind: str = "work",
    by: Assignment | None = None,
    **options: Any,
) -> commands.SubmitGated:
    job = Submission(kind=kind, input=value, options=msgspec.convert(options, Options))
    number, fence = (by.number, by.fence) if by else (None, None)
    request = SubmitGated(job=job, gate=gate, by_job=number, fence=fence)
    return prepare_gated(request, world.registry, world.limits)


def send(world: World, gate: Gate, value: Any = None, **more: Any) -> Receipt:
    receipt: Receipt = world.ask(command(world, gate, value, **more))
    return receipt


def record(world: World, job: str) -> JobRecord:
    return job_record(world.store, find_view(world.store, job))


def told(world: World, job: str) -> str:
    return "\n".join(line.text for line in story(world.store, job).lines)


def start_us(world: World, job: str) -> int | None:
    return record(world, job).due_us


def gate_rows(world: World) -> int:
    count: int = world.store._connection.execute("SELECT count(*) FROM gate").fetchall()[0][0]
    return count


# ----------------------------------------------------------------------------------------------------------------------
# Debounce


def test_of_debounced_jobs_the_last_one_runs_and_the_others_say_which(world: World) -> None:
    first = send(world, DEBOUNCE, 1)
    world.tick(3)
    second = send(world, DEBOUNCE, 2)
    assert second == Receipt(id=second.id, supersedes=first.id)
    ended = record(world, first.id)
    assert (ended.state, ended.attempt, ended.superseded_by, ended.input) == ("cancelled", 0, second.id, 1)
    assert f"{second.id} has taken its place." in told(world, first.id)
    world.tick(4.9)
    assert world.state_of(second.id) == "scheduled"
    world.tick(0.1)
    [given] = world.lease(world.register())
    assert (given.id, bytes(given.input)) == (second.id, b"2")
    assert record(world, second.id).superseded_by is None


def test_the_start_is_put_off_no_further_than_the_first_allows(world: World) -> None:
    begun_us = world.clock.now_us()
    jobs: list[str] = []
    for _ in range(4):
        world.tick(2 if jobs else 0)
        jobs.append(send(world, DEBOUNCE).id)
    assert start_us(world, jobs[-1]) == begun_us + 8 * SECOND
    world.tick(2)
    assert world.state_of(jobs[-1]) == "queued"
    assert "8.000 s after the first of them" in told(world, jobs[-2])


def test_without_a_bound_it_is_put_off_for_as_long_as_others_come(world: World) -> None:
    gate = Debounce(key="k", window_seconds=5)
    jobs = [send(world, gate).id]
    for _ in range(10):
        world.tick(4)
        jobs.append(send(world, gate).id)
    assert [world.state_of(job) for job in jobs] == ["cancelled"] * 10 + ["scheduled"]


def test_a_shorter_bound_starts_it_at_once(world: World) -> None:
    first = send(world, Debounce(key="k", window_seconds=10)).id
    world.tick(6)
    second = send(world, Debounce(key="k", window_seconds=1, longest_seconds=2)).id
    assert (world.state_of(first), world.state_of(second)) == ("cancelled", "queued")
    third = send(world, Debounce(key="k", window_seconds=1))
    assert third.supersedes is None


def test_a_job_that_has_started_is_left_alone(world: World) -> None:
    first = send(world, DEBOUNCE).id
    world.tick(5)
    second = send(world, DEBOUNCE)
    assert (world.state_of(first), second.supersedes) == ("queued", None)
    assert start_us(world, second.id) == world.clock.now_us() + 5 * SECOND


def test_a_submission_at_the_very_instant_of_the_start_comes_too_late(world: World) -> None:
    first = send(world, DEBOUNCE).id
    world.clock.advance(5 * SECOND)
    assert send(world, DEBOUNCE).supersedes is None
    assert world.state_of(first) == "queued"


def test_after_the_waiting_job_was_cancelled_it_begins_anew(world: World) -> None:
    first = send(world, DEBOUNCE).id
    world.tick(4)
    world.ask(Cancel(id=first, reason="not now"))
    second = send(world, DEBOUNCE)
    assert second.supersedes is None
    assert record(world, first).superseded_by is None
    assert start_us(world, second.id) == world.clock.now_us() + 5 * SECOND


def test_a_waiting_job_that_was_cancelled_and_pruned_takes_no_harm(world: World) -> None:
    first = send(world, Debounce(key="k", window_seconds=100)).id
    world.ask(Cancel(id=first, reason=""))
    world.ask(KeepJobs(kind="", keep_us=1, reason=""))
    world.tick(1)
    assert send(world, Debounce(key="k", window_seconds=100)).supersedes is None


def test_kinds_keys_and_gates_know_nothing_of_each_other(world: World) -> None:
    receipts = [
        send(world, DEBOUNCE),
        send(world, DEBOUNCE, kind="other"),
        send(world, Debounce(key="page-8", window_seconds=5)),
        send(world, THROTTLE),
    ]
    assert [one.supersedes for one in receipts] == [None] * 4
    assert [one.throttled for one in receipts] == [False] * 4
    assert gate_rows(world) == 4


def test_submissions_of_one_batch_take_each_others_places(world: World) -> None:
    answers = world.batch(*(command(world, DEBOUNCE, value) for value in range(3)))
    receipts = [answer.value for answer in answers]
    assert [one.supersedes for one in receipts] == [None, receipts[0].id, receipts[1].id]
    assert [world.state_of(one.id) for one in receipts] == ["cancelled", "cancelled", "scheduled"]


def test_whoever_runs_after_a_job_does_not_follow_to_the_one_in_its_place(world: World) -> None:
    first = send(world, DEBOUNCE).id
    after = world.submit("work", after=[first])
    send(world, DEBOUNCE)
    assert world.state_of(after) == "cancelled"


def test_an_engine_that_drains_leaves_the_waiting_job_as_it_is(world: World) -> None:
    first = send(world, DEBOUNCE).id
    world.ask(StartDraining(reason=""))
    with pytest.raises(Unavailable):
        send(world, DEBOUNCE)
    assert world.state_of(first) == "scheduled"


def test_a_crash_changes_nothing_that_was_acknowledged(world: World) -> None:
    first = send(world, DEBOUNCE).id
    world.crash(losing=[command(world, DEBOUNCE), command(world, THROTTLE)])
    assert world.state_of(first) == "scheduled"
    assert send(world, DEBOUNCE).supersedes == first
    assert not send(world, THROTTLE).throttled
    world.crash()
    assert send(world, THROTTLE).throttled


# ----------------------------------------------------------------------------------------------------------------------
# Throttle


def test_in_a_period_the_first_submission_makes_a_job_and_the_others_get_its_id(world: World) -> None:
    first = send(world, THROTTLE, 1)
    world.tick(9.9)
    assert send(world, THROTTLE, 2) == Receipt(id=first.id, throttled=True)
    world.tick(0.1)
    assert not send(world, THROTTLE, 3).throttled
    assert world.state_of(first.id) == "queued"


def test_nothing_is_dropped_silently(world: World) -> None:
    job = send(world, THROTTLE, 1).id
    world.tick(4)
    send(world, THROTTLE, "something else", queue="mail")
    [line] = [line for line in story(world.store, job).lines if line.type == "job.throttled"]
    assert "local:tester submitted another job of kind work for queue mail, which was not made" in line.text
    assert "1 job was made, and the period goes on for 6.000 s" in line.text
    assert line.rule == "job.throttle@1"
    entry = world.entries()[line.entry]
    assert (entry.data["queue"], entry.previous) == ("mail", None)
    assert "page-7" not in str(entry), "what people wrote stands in no entry"


def test_a_throttle_may_let_several_in(world: World) -> None:
    gate = Throttle(key="k", period_seconds=10, jobs=3)
    receipts = [send(world, gate) for _ in range(5)]
    assert [one.throttled for one in receipts] == [False, False, False, True, True]
    assert {one.id for one in receipts[2:]} == {receipts[2].id}
    assert send(world, Throttle(key="k", period_seconds=1, jobs=4)).throttled is False, "one more, as it asks"


def test_the_period_is_that_of_the_submission_that_began_it(world: World) -> None:
    send(world, Throttle(key="k", period_seconds=10))
    world.tick(5)
    assert send(world, Throttle(key="k", period_seconds=1)).throttled
    world.tick(5)
    assert not send(world, Throttle(key="k", period_seconds=1)).throttled


def test_a_job_that_was_pruned_is_answered_with_all_the_same(world: World) -> None:
    first = send(world, Throttle(key="k", period_seconds=1_000)).id
    world.ask(Cancel(id=first, reason=""))
    world.ask(KeepJobs(kind="", keep_us=1, reason=""))
    world.tick(1)
    assert send(world, Throttle(key="k", period_seconds=1_000)) == Receipt(id=first, throttled=True)


def test_a_refused_submission_takes_no_place_in_its_period() -> None:
    world = World(limits=Limits(queue_jobs_max=1))
    world.submit("work")
    with pytest.raises(LimitReached):
        send(world, THROTTLE)
    world.settle(world.lease(world.register())[0])
    assert not send(world, THROTTLE).throttled
    checked(world)


def test_keys_that_are_over_make_room(world: World) -> None:
    for number in range(20):
        send(world, Throttle(key=f"k{number}", period_seconds=1))
    world.tick(2)
    for number in range(15):
        send(world, Throttle(key=f"new{number}", period_seconds=100))
    assert gate_rows(world) == 15


# ----------------------------------------------------------------------------------------------------------------------
# What is checked


def test_a_running_job_submits_through_a_gate(world: World) -> None:
    world.submit("other")
    [given] = world.lease(world.register())
    job = send(world, DEBOUNCE, by=given).id
    assert record(world, job).submitted_by_job == given.id
    world.settle(given)
    with pytest.raises(LostLease):
        send(world, DEBOUNCE, by=given)


def test_what_a_running_job_submits_through_a_gate_counts_as_its_own() -> None:
    world = World(limits=Limits(fan_out_jobs_max=1))
    world.submit("other")
    [given] = world.lease(world.register())
    send(world, DEBOUNCE, by=given)
    with pytest.raises(LimitReached, match="fan_out_jobs_max"):
        send(world, DEBOUNCE, by=given)
    checked(world)


@pytest.mark.parametrize(
    ("limits", "options"),
    [({"queues_max": 1}, {"queue": "mail"}), ({"partitions_queued_max": 1}, {"partition": "new"})],
)
def test_lanes_and_partitions_are_bounded(limits: dict[str, int], options: dict[str, str]) -> None:
    world = World(limits=Limits(**limits))
    world.submit("work", partition="known")
    with pytest.raises(LimitReached):
        send(world, THROTTLE, **options)
    checked(world)


@pytest.mark.parametrize(
    ("gate", "options", "error", "field"),
    [
        (DEBOUNCE, {"key": "k"}, InvalidInput, "key"),
        (THROTTLE, {"key": "k"}, InvalidInput, "key"),
        (DEBOUNCE, {"delay_seconds": 1.0}, InvalidInput, "delay_seconds"),
        (DEBOUNCE, {"after": ("job_018bcfe5680070008000000000110846",)}, InvalidInput, "after"),
        (Debounce(key="k" * 257, window_seconds=1), {}, TooLarge, "gate.key"),
        (Debounce(key="\ud800", window_seconds=1), {}, InvalidInput, "gate.key"),
        (Debounce(key="k", window_seconds=4e7), {}, TooLarge, "gate.window_seconds"),
        (Debounce(key="k", window_seconds=1, longest_seconds=4e7), {}, TooLarge, "gate.longest_seconds"),
        (Debounce(key="k", window_seconds=2, longest_seconds=1), {}, InvalidInput, "gate.longest_seconds"),
        (Throttle(key="k", period_seconds=4e7), {}, TooLarge, "gate.period_seconds"),
        (Throttle(key="k", period_seconds=float("nan")), {}, InvalidInput, "gate.period_seconds"),
    ],
)
def test_what_no_gate_can_be_is_refused(
    world: World, gate: Gate, options: dict[str, Any], error: type[Exception], field: str
) -> None:
    with pytest.raises(error) as refused:
        command(world, gate, **options)
    assert getattr(refused.value, "field", None) == field


def test_a_throttled_job_may_be_delayed_and_run_after_others(world: World) -> None:
    first = world.submit("work")
    job = send(world, THROTTLE, after=(first,), delay_seconds=5).id
    assert world.state_of(job) == "blocked"
    assert parse_job_id(job).number == 2


def test_a_start_lies_never_before_the_submission(world: World) -> None:
    assert debounced_us(10, 0, 5, 3) == 10
    assert debounced_us(10, 0, 5, 12) == 12
    assert debounced_us(10, 0, 5, 0) == 15
    assert command(world, Throttle(key="k", period_seconds=1e-9)).gate.period_us == 1


def test_verification_forgets_keys_that_are_over(world: World) -> None:
    """Else whoever verifies a long journal would need memory for every key that was ever used."""
    for turn in range(3):
        gates = [Throttle(key=f"{turn}-{number}", period_seconds=1) for number in range(1_000)]
        world.batch(*(command(world, gate) for gate in gates))
        world.tick(2)
    fold = Fold([])
    for entry in world.entries():
        fold.apply(entry)
    assert len(fold.gates) <= 2_000
