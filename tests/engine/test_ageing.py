"""Ageing: a priority that waits for a start gains on more urgent ones, and one start takes what it has gained."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from sheratan.contracts.flow import FlowLimits, PartitionLimits, Rate
from sheratan.contracts.jobs import Options, Submission
from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import Cancel, LeaseJobs, LimitStarts
from sheratan.engine.explain import story
from sheratan.engine.ids import job_id
from sheratan.simulation.memory import memory_faults
from tests.engine.world import SECOND, World


def age(world: World, seconds: float | None, subject: str = "queue:default", **more: Any) -> None:
    limits = FlowLimits(ageing_seconds=seconds, **more)
    world.ask(LimitStarts(subject=subject, limits=limits, reason="a test"))


def stream(world: World, session: int, seconds: int, **options: Any) -> list[str]:
    """Each second an urgent job comes in and one job is run; returns the ids of what was run."""
    ran = list[str]()
    for _ in range(seconds):
        world.submit(priority=0, **options)
        ran += [one.id for one in run(world, session)]
        world.tick(1)
    return ran


def run(world: World, session: int, slots: int = 1) -> list[Assignment]:
    given = world.lease(session, slots)
    for one in given:
        world.settle(one)
    return given


def with_priority(priority: int) -> Submission:
    return Submission(kind="work", options=Options(priority=priority))


def rule_of_last_lease(world: World) -> str:
    decision = world.last("worker.leased").decision
    assert decision is not None
    return str(decision["rule"])


# ---------------------------------------------------------------------------------------------------------------------
# Within a queue and kind


def test_without_ageing_a_job_waits_as_long_as_more_urgent_ones_come(world: World) -> None:
    low, session = world.submit(priority=5), world.register()
    assert low not in stream(world, session, 50)
    assert rule_of_last_lease(world) == "dispatch.order@2"


def test_a_priority_gains_a_step_for_each_stretch_of_waiting(world: World) -> None:
    age(world, 2)
    low, session = world.submit(priority=5), world.register()
    ran = stream(world, session, 13)
    # As urgent as the others after 10 s, and older than the one that comes in then.
    assert ran.index(low) == 10
    assert rule_of_last_lease(world) == "dispatch.order@4"


def test_one_start_takes_what_a_priority_has_gained(world: World) -> None:
    age(world, 2)
    low = [world.submit(priority=5) for _ in range(3)]
    ran = stream(world, world.register(), 34)
    assert [ran.index(one) for one in low] == [10, 20, 30]


def test_a_backlog_that_has_waited_long_does_not_starve_the_urgent_ones(world: World) -> None:
    age(world, 1)
    for _ in range(20):
        world.submit(priority=5)
    world.tick(3_600)
    urgent = [world.submit(priority=0) for _ in range(5)]
    ran = [one.id for one in run(world, world.register(), 6)]
    assert ran[1:] == urgent


def test_priorities_that_have_gained_go_by_how_urgent_they_count(world: World) -> None:
    age(world, 1)
    nine, five = world.submit(priority=9), world.submit(priority=5)
    world.tick(7)
    urgent, seven = world.submit(priority=0), world.submit(priority=7)
    # They count as 2, -2, 0 and 7.
    assert [one.id for one in run(world, world.register(), 4)] == [five, urgent, nine, seven]


def test_an_urgent_backlog_that_is_older_does_not_starve_others_either(world: World) -> None:
    age(world, 2)
    for _ in range(100):
        world.submit(priority=0)
    low, session, ran = world.submit(priority=1), world.register(), list[str]()
    for _ in range(6):
        ran += [one.id for one in run(world, session)]
        world.tick(1)
    assert ran.index(low) == 4


def test_time_is_counted_from_when_ageing_is_set_or_before(world: World) -> None:
    low, session = world.submit(priority=5), world.register()
    stream(world, session, 20)
    age(world, 2)
    world.submit(priority=0)
    assert [one.id for one in run(world, session)] == [low]


def test_a_job_gains_nothing_before_it_is_ready(world: World) -> None:
    age(world, 1)
    session = world.register()
    world.submit(priority=5)
    run(world, session)
    world.tick(60)
    fresh, urgent = world.submit(priority=5), world.submit(priority=0)
    assert [one.id for one in run(world, session, 2)] == [urgent, fresh]


def test_ageing_that_is_lifted_ends_at_once(world: World) -> None:
    age(world, 1)
    low = world.submit(priority=5)
    world.tick(60)
    age(world, None)
    urgent = world.submit(priority=0)
    assert [one.id for one in run(world, world.register(), 2)] == [urgent, low]
    assert rule_of_last_lease(world) == "dispatch.order@2"


def test_the_shortest_ageing_of_queue_kind_and_tenant_holds(world: World) -> None:
    for subject, seconds in (("queue:default", 30), ("kind:work", 10), ("tenant:default", 20)):
        age(world, seconds, subject)
    assert set(world.state.flow.ageing.values()) <= {10 * SECOND}
    low, session = world.submit(priority=1), world.register()
    ran = stream(world, session, 12)
    assert ran.index(low) == 10


def test_ageing_outlives_the_engine_and_what_was_gained_is_counted_from_the_rows(tmp_path: Path) -> None:
    world = World(tmp_path / "w.db")
    age(world, 2)
    low = world.submit(priority=5)
    world.tick(20)
    world.crash()
    urgent = world.submit(priority=0)
    assert [one.id for one in run(world, world.register(), 2)] == [low, urgent]
    world.check()
    world.close()


# ---------------------------------------------------------------------------------------------------------------------
# Where most jobs are not in memory


@pytest.mark.usefixtures("small_windows")
def test_a_job_that_is_not_in_memory_gains_too(world: World) -> None:
    age(world, 1)
    urgent = [world.submit(priority=0) for _ in range(30)]
    low, lower = world.submit(priority=5), world.submit(priority=6)
    world.tick(60)
    assert len(world.state.windows[1]) < 10
    given = run(world, world.register(), 4)
    assert [one.id for one in given] == [urgent[0], low, lower, urgent[1]]


@pytest.mark.usefixtures("small_windows")
def test_what_comes_in_or_leaves_behind_the_window_is_noticed(world: World) -> None:
    urgent = [world.submit(priority=0) for _ in range(30)]
    gone, low = world.submit(priority=5), world.submit(priority=5)
    age(world, 1)
    world.ask(Cancel(id=gone, reason="a test"))
    lower = world.submit(priority=6)
    world.tick(60)
    given = run(world, world.register(), 4)
    assert [one.id for one in given] == [urgent[0], low, lower, urgent[1]]


@pytest.mark.usefixtures("small_windows")
def test_what_is_behind_the_window_is_looked_at_when_ageing_is_set(world: World) -> None:
    urgent = [world.submit(priority=0) for _ in range(30)]
    low = world.submit(priority=5)
    session = world.register()
    run(world, session)
    world.tick(60)
    age(world, 1)
    assert [one.id for one in run(world, session, 2)] == [urgent[1], low]


@pytest.mark.usefixtures("small_windows")
def test_two_workers_of_one_batch_get_what_is_next_behind_the_window(world: World) -> None:
    age(world, 1)
    for _ in range(30):
        world.submit(priority=0)
    low, lower = world.submit(priority=5), world.submit(priority=6)
    first, second = world.register("v"), world.register("w")
    run(world, first)
    world.tick(60)
    run(world, first)
    answers = world.batch(LeaseJobs(session=first, slots=1), LeaseJobs(session=second, slots=1))
    assert [answer.value[0].id for answer in answers] == [low, lower]


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_and_goes_the_first_of_each_priority_is_known_or_read(seed: int) -> None:
    world, draw = World(), Random(seed)
    age(world, 2)
    session = world.register(slots=40)
    for _ in range(120):
        what = draw.choice(("submit", "submit", "lease", "cancel", "tick"))
        ready = world.store.ready_page(1, (-1, -1), 100)
        if what == "submit":
            priority = draw.choice((0, 0, 3, 5, 9))
            world.ask(world.submissions(*[with_priority(priority)] * draw.randint(1, 6)))
        elif what == "lease" and ready:
            run(world, session, draw.randint(1, 5))
        elif what == "cancel" and ready:
            world.ask(Cancel(id=job_id(world.store.jobs([draw.choice(ready).number])[0]), reason="a test"))
        else:
            world.tick(draw.randint(1, 9))
        assert memory_faults(world.state) == []
    world.check()


@pytest.mark.usefixtures("small_windows")
def test_all_jobs_of_a_long_queue_are_served_in_order_of_urgency(world: World) -> None:
    age(world, 3_600)
    jobs = [world.submit(priority=nr % 10) for nr in range(50)]
    session, ran = world.register(), list[str]()
    while world.store.counts()["ready"]:
        ran += [one.id for one in run(world, session, 7)]
    assert ran == [jobs[nr] for nr in sorted(range(50), key=lambda nr: (nr % 10, nr))]


# ---------------------------------------------------------------------------------------------------------------------
# Beside other queues, under limits, with partitions


def test_a_lane_that_waits_gains_on_more_urgent_ones(world: World) -> None:
    age(world, 2, "queue:slow")
    low = world.submit(queue="slow", priority=5)
    ran = stream(world, world.register(), 13)
    # Against another lane it takes turns, once it counts as equally urgent.
    assert ran.index(low) == 10


def test_a_lane_that_is_served_gains_nothing_however_old_its_jobs_are(world: World) -> None:
    age(world, 10, "tenant:default")
    for _ in range(100):
        world.submit(queue="old")
    session = world.register()
    for _ in range(20):
        run(world, session)
        world.tick(5)
    fresh = world.submit(queue="fresh", priority=4)
    assert [one.id for one in run(world, session)] == [fresh]


def test_an_aged_job_waits_for_its_limits_like_others(world: World) -> None:
    age(world, 1, rate=Rate(count=1, period_seconds=10, burst=5))
    low = world.submit(priority=5, cost=5)
    world.tick(60)
    urgent = world.submit(priority=0)
    session = world.register()
    assert [one.id for one in run(world, session, 2)] == [low]
    answer = world.ask_lease(session, 2)
    world.tick(9.9)
    assert not answer.given
    world.tick(0.1)
    assert [one.id for one in answer.value] == [urgent]


def test_a_partition_with_low_jobs_gains_on_those_with_urgent_ones(world: World) -> None:
    age(world, 2)
    low, session = world.submit(priority=5, partition="low"), world.register()
    ran = stream(world, session, 13, partition="urgent")
    assert ran.index(low) == 10
    assert rule_of_last_lease(world) == "dispatch.order@4"


def test_a_partition_that_its_limit_stops_passes_its_gain_to_the_next(world: World) -> None:
    age(world, 1, per_partition=PartitionLimits(concurrency=1))
    jobs = {
        (name, nr): world.submit(priority=5, partition=name) for name in ("full", "free") for nr in range(2)
    }
    session = world.register()
    held = world.lease(session)
    assert [one.id for one in held] == [jobs["full", 0]]
    world.tick(60)
    world.submit(priority=0, partition="urgent")
    assert [one.id for one in world.lease(session)] == [jobs["free", 0]]


def test_a_partition_with_low_jobs_gains_however_many_urgent_ones_there_are(world: World) -> None:
    age(world, 1)
    low = world.submit(priority=5, partition="low")
    urgent = [world.submit(priority=0, partition=f"p{nr}") for nr in range(5)]
    session = world.register()
    run(world, session)
    world.tick(60)
    assert [one.id for one in run(world, session)] == [urgent[1]]
    assert [one.id for one in run(world, session)] == [low]


def test_of_the_partitions_of_a_priority_only_the_next_one_gains(world: World) -> None:
    age(world, 1)
    low, lower = (world.submit(priority=5, partition=name) for name in "ab")
    world.tick(60)
    urgent = world.submit(priority=0, partition="c")
    assert [one.id for one in run(world, world.register(), 3)] == [low, urgent, lower]


def test_many_partitions_leave_only_what_matters_in_a_decision(world: World) -> None:
    age(world, 1)
    for nr in range(50):
        world.submit(partition=f"p{nr}", priority=nr % 3)
    world.tick(60)
    run(world, world.register())
    decision = world.last("worker.leased").decision
    assert decision is not None
    assert len(decision["input"]["partitions"]) <= 4


# ---------------------------------------------------------------------------------------------------------------------
# What is told of it


def test_why_says_how_long_a_priority_had_waited(world: World) -> None:
    age(world, 10)
    low = world.submit(priority=5)
    world.tick(40)
    world.submit(priority=3)
    run(world, world.register())
    told = story(world.store, low).lines[1]
    assert told.rule == "dispatch.order@4"
    assert told.text.endswith("Priority 5 had waited 40.000 s for a start, so its job 1 counted as 1.")
    assert (
        "a step of priority for 10.000 s without a start" in story(world.store, "queue:default").lines[0].text
    )


def test_several_that_have_gained_are_told_in_one_sentence(world: World) -> None:
    age(world, 10)
    for priority in (5, 6, 7):
        world.submit(priority=priority)
    world.tick(40)
    run(world, world.register(), 3)
    decision = world.last("worker.leased").decision
    assert decision is not None
    assert decision["because"].endswith("so its job 1 counted as 1; 2 more had gained by waiting, too.")
