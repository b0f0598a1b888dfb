"""Partitions: each with limits of its own, in turns with the others, and never in their way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.errors import IdempotencyConflict, LimitReached
from sheratan.contracts.flow import FlowLimits, PartitionLimits, Rate
from sheratan.contracts.limits import Limits
from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import Cancel, LimitStarts, RetryJob
from sheratan.engine.explain import story
from tests.engine.world import SECOND, World


def limit(world: World, subject: str = "queue:default", **limits: Any) -> None:
    wanted = FlowLimits(per_partition=PartitionLimits(**limits))
    world.ask(LimitStarts(subject=subject, limits=wanted, reason="a test"))


def named(world: World, given: Assignment) -> str | None:
    return world.record(given.id).partition


def ids(given: list[Assignment]) -> list[str]:
    return [one.id for one in given]


# ---------------------------------------------------------------------------------------------------------------------
# Limits


def test_of_each_partition_no_more_run_than_the_limit_lets(world: World) -> None:
    limit(world, concurrency=1)
    jobs = {(name, nr): world.submit(partition=name) for name in "ab" for nr in range(3)}
    session = world.register()
    given = world.lease(session, 8)
    assert ids(given) == [jobs["a", 0], jobs["b", 0]]
    answer = world.ask_lease(session, 8)
    assert not answer.given
    world.settle(given[1])
    assert ids(answer.value) == [jobs["b", 1]]


def test_jobs_without_a_partition_are_free_of_its_limits(world: World) -> None:
    limit(world, concurrency=1)
    world.submit(partition="a")
    world.submit(partition="a")
    free = [world.submit() for _ in range(3)]
    given = world.lease(world.register(), 8)
    assert len(given) == 4
    assert set(free) <= set(ids(given))


def test_a_partition_counts_over_all_kinds_of_its_queue_and_all_queues_of_its_kind(world: World) -> None:
    limit(world, "queue:default", concurrency=1)
    limit(world, "kind:work", concurrency=1)
    session = world.register()
    first = world.submit("work", partition="a")
    world.submit("other", partition="a")
    world.submit("work", queue="beside", partition="a")
    free = world.submit("other", queue="beside", partition="a")
    assert set(ids(world.lease(session, 8))) == {first, free}


def test_a_partition_is_the_same_under_both_its_own_limit_and_that_of_its_queue(world: World) -> None:
    wanted = FlowLimits(concurrency=3, per_partition=PartitionLimits(concurrency=2))
    world.ask(LimitStarts(subject="queue:default", limits=wanted, reason=""))
    for _ in range(4):
        for name in "ab":
            world.submit(partition=name)
    session = world.register()
    running = world.lease(session, 8)
    assert len(running) == 3
    answer = world.ask_lease(session, 8)
    world.settle(running[0])
    assert len(answer.value) == 1


def test_a_new_limit_counts_what_runs_already_and_a_lifted_one_lets_all_start(world: World) -> None:
    jobs = [world.submit(partition="a") for _ in range(4)]
    session = world.register()
    world.lease(session, 2)
    limit(world, concurrency=2)
    answer = world.ask_lease(session, 4)
    assert not answer.given
    world.ask(LimitStarts(subject="queue:default", limits=FlowLimits(), reason=""))
    assert ids(answer.value) == jobs[2:]


def test_each_partition_starts_at_its_own_rate_and_the_engine_wakes_for_it(world: World) -> None:
    limit(world, rate=Rate(count=1, period_seconds=10, burst=2))
    jobs = [world.submit(partition="a") for _ in range(4)]
    session = world.register()
    assert ids(world.lease(session, 8)) == jobs[:2]
    answer = world.ask_lease(session, 8)
    assert world.decider.next_wake_us() == 10 * SECOND
    other = world.submit(partition="b")
    assert ids(answer.value) == [other]
    answer = world.ask_lease(session, 8)
    world.tick(9.999)
    assert not answer.given
    world.tick(0.001)
    assert ids(answer.value) == [jobs[2]]


def test_what_a_job_costs_counts_for_the_rate_of_its_partition_alone(world: World) -> None:
    limit(world, rate=Rate(count=1, period_seconds=10, burst=3))
    world.submit(partition="a", cost=2)
    dear = world.submit(partition="a", cost=2)
    world.submit(partition="b", cost=1)
    session = world.register()
    assert len(world.lease(session, 8)) == 2
    answer = world.ask_lease(session, 8)
    assert world.decider.next_wake_us() == 10 * SECOND
    world.tick(10)
    assert ids(answer.value) == [dear]


@pytest.mark.parametrize("ends", ["crash", "restart"])
def test_limits_of_partitions_outlast_the_engine(tmp_path: Path, ends: str) -> None:
    world = World(tmp_path / "w.db")
    limit(world, concurrency=2, rate=Rate(count=1, period_seconds=60, burst=2))
    for name in "aab":
        world.submit(partition=name)
    world.submit(partition="a")
    assert len(world.lease(world.register(), 8)) == 3
    getattr(world, ends)()
    session = world.register()
    # What was lost with the worker is tried again; but of the first partition the burst is used up.
    assert [named(world, one) for one in world.lease(session, 8)] == ["b"]
    world.check()
    world.close()


def test_another_rate_begins_anew_and_the_same_one_goes_on(world: World) -> None:
    rate = Rate(count=1, period_seconds=60)
    limit(world, rate=rate)
    jobs = [world.submit(partition="a") for _ in range(3)]
    session = world.register()
    world.lease(session, 8)
    limit(world, concurrency=5, rate=rate)
    answer = world.ask_lease(session, 8)
    assert not answer.given
    limit(world, concurrency=5, rate=Rate(count=2, period_seconds=60))
    assert ids(answer.value) == [jobs[1]]


def test_what_is_forgotten_under_another_rate_does_not_come_back_with_a_crash(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    limit(world, rate=Rate(count=1, period_seconds=60))
    first = world.submit(partition="a")
    world.settle(world.lease(world.register())[0])
    limit(world, rate=Rate(count=1, period_seconds=61))
    world.crash()
    second = world.submit(partition="a")
    assert ids(world.lease(world.register(), 8)) == [second] != [first]
    world.check()
    world.close()


# ---------------------------------------------------------------------------------------------------------------------
# Turns


def test_a_partition_with_fifty_times_the_jobs_gets_no_more_turns(world: World) -> None:
    for nr in range(200):
        world.submit(value=nr, partition="many")
    for name in ("a", "b", "c"):
        for _ in range(4):
            world.submit(partition=name)
    session = world.register()
    served = Counter(named(world, world.lease(session)[0]) for _ in range(16))
    shares = list(served.values())
    assert sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares)) >= 0.95
    assert served["many"] == 4


def test_jobs_without_a_partition_take_turns_with_the_partitions(world: World) -> None:
    for _ in range(6):
        world.submit(partition="a")
    free = [world.submit() for _ in range(2)]
    assert set(free) <= set(ids(world.lease(world.register(), 4)))


def test_urgent_jobs_go_first_whatever_their_partition(world: World) -> None:
    world.submit(partition="a")
    world.submit(partition="b")
    urgent = [world.submit(partition="a", priority=0) for _ in range(2)]
    assert ids(world.lease(world.register(), 2)) == urgent


def test_a_lane_with_many_partitions_gets_no_more_turns_than_its_neighbour(world: World) -> None:
    for nr in range(8):
        world.submit(partition=f"p{nr}")
    beside = [world.submit(queue="beside") for _ in range(4)]
    assert len(set(beside) & set(ids(world.lease(world.register(), 4)))) == 2


def test_who_is_served_in_one_call_goes_on_in_the_next_where_it_has_stopped(world: World) -> None:
    for name in "aaabbbccc":
        world.submit(partition=name)
    session = world.register()
    order = [named(world, one) for _ in range(3) for one in world.lease(session, 3)]
    assert order == list("abc" * 3)


def test_partitions_that_are_full_do_not_hold_up_the_others(world: World) -> None:
    limit(world, concurrency=1)
    for nr in range(40):
        world.submit(partition=f"full{nr}")
        world.submit(partition=f"full{nr}")
    session = world.register(slots=100)
    assert len(world.lease(session, 40)) == 40
    free = world.submit(partition="free")
    assert ids(world.lease(session, 8)) == [free]


def test_a_partition_whose_jobs_are_cancelled_leaves_nothing(world: World) -> None:
    jobs = [world.submit(partition="a") for _ in range(2)]
    kept = world.submit(partition="b")
    for job in jobs:
        world.ask(Cancel(id=job, reason=""))
    assert world.state.partitions.queued == 1
    assert ids(world.lease(world.register(), 8)) == [kept]
    assert world.state.partitions.queued == 0
    assert not world.state.busy_lanes


def test_more_jobs_than_are_kept_in_memory_come_in_their_order(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    jobs = {(name, nr): world.submit(partition=name) for nr in range(40) for name in "abc"}
    for window in world.state.windows.values():
        window._most = 8
        if len(window) > 8:
            window._shorten()
    session = world.register(slots=200)
    served: list[str] = []
    while len(served) < len(jobs):
        served += ids(world.lease(session, 5))
    assert served == list(jobs.values())
    world.check()
    world.close()


# ---------------------------------------------------------------------------------------------------------------------
# What is told


def test_a_job_says_which_limit_of_its_partition_holds_it_up(world: World) -> None:
    limit(world, concurrency=1, rate=Rate(count=1, period_seconds=10))
    world.submit(partition="acme")
    held = world.submit(partition="acme")
    world.lease(world.register())
    record = world.record(held)
    assert record.partition == "acme"
    assert [(one.what, one.subject, one.partition) for one in record.blocked_by] == [
        ("concurrency", "queue:default", "acme"),
        ("rate", "queue:default", "acme"),
    ]
    assert record.waiting_for is not None
    assert "partition acme of queue:default, which runs 1 of 1 job" in record.waiting_for
    assert record.blocked_by[1].until_us == world.clock.now_us() + 10 * SECOND


def test_a_decision_names_partitions_and_stays_small_however_many_there_are(world: World) -> None:
    limit(world, concurrency=1)
    for nr in range(300):
        world.submit(partition=f"p{nr}")
        world.submit(partition=f"p{nr}")
    session = world.register(slots=300)
    world.lease(session, 256)
    world.lease(session)
    entry = [one for one in world.entries() if one.type == "worker.leased"][-1]
    assert entry.decision is not None
    assert entry.decision["rule"] == "dispatch.order@3"
    assert [one[2] for one in entry.decision["input"]["partitions"]] == ["p256", "p257"]
    assert len(str(entry.decision)) < 1_500


def test_the_story_tells_partitions_and_their_limits(world: World) -> None:
    limit(world, concurrency=2, rate=Rate(count=1, period_seconds=10))
    job = world.submit(partition="acme")
    assert "It is one of partition acme." in " ".join(line.text for line in story(world.store, job).lines)
    told = " ".join(line.text for line in story(world.store, "queue:default").lines)
    assert "at most 2 jobs at once of each partition" in told
    assert "1 start in 10.000 s with bursts of 1 of each partition" in told


def test_jobs_without_a_partition_are_decided_as_before(world: World) -> None:
    world.submit()
    world.submit(queue="beside")
    world.lease(world.register(), 2)
    entry = [one for one in world.entries() if one.type == "worker.leased"][-1]
    assert entry.decision is not None
    assert entry.decision["rule"] == "dispatch.order@2"


def test_a_key_stands_for_the_partition_too(world: World) -> None:
    world.submit(key="k", partition="a")
    with pytest.raises(IdempotencyConflict, match="another partition") as refusal:
        world.submit(key="k", partition="b")
    assert refusal.value.field == "partition"


def test_more_partitions_with_queued_jobs_than_may_be_are_refused() -> None:
    world = World(limits=Limits(partitions_queued_max=2))
    world.submit(partition="a")
    world.submit(partition="b")
    world.submit(partition="b")
    world.submit()
    with pytest.raises(LimitReached, match="partitions_queued_max") as refusal:
        world.submit(partition="c")
    assert refusal.value.field == "partition"
    world.lease(world.register(), 1)
    world.submit(partition="c")
    world.check()


def test_a_replay_keeps_the_partition(world: World) -> None:
    job = world.submit(partition="acme", attempts_max=1)
    session = world.register()
    world.fail(world.lease(session)[0], "fatal")
    again = world.ask(RetryJob(id=job))
    assert world.record(again).partition == "acme"
