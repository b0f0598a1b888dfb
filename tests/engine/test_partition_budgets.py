"""Budgets of partitions: one that has spent its own waits, and holds up nobody beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.spending import Window
from sheratan.engine.explain import story
from tests.engine.pricing import price, priced
from tests.engine.test_budgets import budget, limit, used
from tests.engine.world import World

P = "partition:p"


def lease(world: World, slots: int = 10) -> list[str]:
    """The jobs that a new worker gets, if any are left for it."""
    answer = world.ask_lease(world.register(slots=slots), slots)
    return [one.id for one in answer.value] if answer.given else []


def names(world: World, jobs: list[str]) -> list[str | None]:
    return [world.record(job).partition for job in jobs]


def rejected(world: World) -> list[Any]:
    decision = world.last("worker.leased").decision
    assert decision is not None
    found: list[Any] = decision["rejected"]
    return found


def test_a_partition_that_has_spent_its_budget_waits_and_others_go_on(world: World) -> None:
    priced(world)
    limit(world, P, 120)
    for _ in range(4):
        world.submit(partition="p")
    others = [world.submit(partition="q"), world.submit(), world.submit(partition="q")]
    started = lease(world)
    assert names(world, started).count("p") == 2
    assert set(others) <= set(started)
    assert used(world, P) == (100, 0)
    assert ["default/work/p", "budget:partition:p/credits pays for 2 attempts now"] in rejected(world)
    assert lease(world) == []


def test_a_budget_of_a_partition_counts_in_every_queue_and_kind(world: World) -> None:
    priced(world)
    price(world, 30, "other")
    limit(world, P, 100)
    for kind, queue in (("work", "default"), ("other", "default"), ("work", "b"), ("other", "b")):
        world.submit(kind, queue=queue, partition="p")
    started = lease(world)
    while more := lease(world):
        started += more
    reserved, charged = used(world, P)
    assert charged == 0
    assert 70 < reserved <= 100
    assert len(started) in (2, 3)


def test_a_job_says_that_it_waits_for_the_budget_of_its_partition(world: World) -> None:
    priced(world)
    limit(world, P, 40, "day")
    job = world.submit(partition="p")
    assert lease(world) == []
    told = story(world.store, job)
    assert told.waiting_for is not None
    assert "the budget of partition:p, 40 credits per day, to have 50 for an attempt" in told.waiting_for
    [blocked] = world.record(job).blocked_by
    assert (blocked.what, blocked.subject) == ("budget", P)


@pytest.mark.parametrize("change", ["freed", "raised", "removed", "cheaper", "free", "window"])
def test_what_lets_a_partition_start_again_does_so_at_once(world: World, change: str) -> None:
    priced(world)
    per: Window | None = "minute" if change == "window" else None
    limit(world, P, 60, per)
    first, second = world.submit(partition="p", attempts_max=1), world.submit(partition="p")
    session = world.register(slots=2)
    [given] = world.lease(session, 2)
    assert given.id == first
    waiting = world.ask_lease(session, 1)
    assert not waiting.given
    if change == "freed":
        world.fail(given, "fatal")
    elif change == "raised":
        limit(world, P, 100, per)
    elif change == "removed":
        limit(world, P, None)
    elif change == "cheaper":
        price(world, 10)
    elif change == "free":
        price(world, None)
    else:
        wake_us = world.decider.next_wake_us()
        assert wake_us is not None
        assert wake_us == (budget(world, P).ends_us or 0) - world.clock.now_us()
        world.tick(wake_us / 1_000_000)
    [again] = waiting.value
    assert again.id == second
    world.check()


def test_what_a_new_window_is_not_enough_for_either_wakes_nobody(world: World) -> None:
    priced(world)
    limit(world, P, 40, "minute")
    world.submit(partition="p")
    assert lease(world) == []
    world.tick(120)
    assert lease(world) == []
    wake_us = world.decider.next_wake_us()
    assert wake_us is None or wake_us > 0


def test_partitions_without_budget_left_take_no_places_from_those_that_have_some(world: World) -> None:
    priced(world, amount=10)
    spent = [f"p{number}" for number in range(20)]
    for name in spent:
        limit(world, f"partition:{name}", 0)
        world.submit(partition=name)
    jobs = [world.submit(partition="q") for _ in range(3)]
    assert [one for _ in range(3) for one in lease(world, 1)] == jobs
    assert lease(world) == []
    world.check()


def test_a_dear_kind_does_not_keep_a_cheap_one_of_its_partition_from_the_rest_of_the_budget(
    world: World,
) -> None:
    priced(world, amount=10)
    price(world, 80, "other")
    limit(world, P, 50)
    dear = world.submit("other", partition="p")
    cheap = [world.submit(partition="p") for _ in range(6)]
    assert lease(world) == cheap[:5]
    assert used(world, P) == (50, 0)
    assert world.record(dear).state == "queued"


def test_a_budget_of_a_partition_that_has_no_job_yet_holds_for_its_first(world: World) -> None:
    priced(world)
    limit(world, "partition:customers/4711", 0)
    job = world.submit(partition="customers/4711")
    waiting = world.ask_lease(world.register())
    assert not waiting.given
    limit(world, "partition:customers/4711", 50)
    assert [one.id for one in waiting.value] == [job]
    assert used(world, "partition:customers/4711") == (50, 0)


def test_a_crash_forgets_no_budget_of_a_partition(tmp_path: Path) -> None:
    world = World(tmp_path / "engine.db")
    priced(world)
    limit(world, P, 60)
    world.submit(partition="p")
    world.submit(partition="p")
    assert len(lease(world)) == 1
    world.restart()
    assert used(world, P)[0] <= 60
    lease(world)
    assert used(world, P) == (50, 0)
    assert lease(world) == []
