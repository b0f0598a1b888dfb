"""Budgets of money: what would go over one does not start, and what attempts did not cost is free again."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheratan.contracts.errors import InvalidInput, LimitReached, NotFound
from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.contracts.limits import Limits
from sheratan.contracts.spending import BudgetRecord, Window
from sheratan.engine.billing_views import list_budgets
from sheratan.engine.commands import LeaseJobs, LimitSpending
from sheratan.engine.explain import story
from sheratan.kernel.budgets import window_end_us
from tests.engine.booking import opened
from tests.engine.pricing import PAYER, price, priced
from tests.engine.world import World

_DAY_US = 86_400_000_000


def limit(
    world: World, subject: str, amount: int | None, per: Window | None = None, unit: str = "credits",
    reason: str = "not too much",
) -> int:  # fmt: skip
    """Set a budget, or remove it."""
    command = LimitSpending(subject=subject, unit=unit, per=per, amount=amount, reason=reason)
    entry: int = world.ask(command)
    return entry


def used(world: World, subject: str = PAYER) -> tuple[int, int]:
    """What is reserved and charged of a budget; and all that is wrong is told."""
    world.check()
    one = budget(world, subject)
    return one.reserved, one.charged


def budget(world: World, subject: str = PAYER) -> BudgetRecord:
    """A budget as people see it."""
    return next(one for one in list_budgets(world.store, "default") if one.subject == subject)


@pytest.mark.parametrize("subject", [PAYER, "queue:default", "kind:work"])
def test_what_would_go_over_a_budget_waits_and_others_go_on(world: World, subject: str) -> None:
    priced(world)
    limit(world, subject, 120)
    for _ in range(3):
        world.submit()
    free = world.submit("other", queue="b")
    session = world.register(slots=5)
    first = world.lease(session, 5)
    assert len(first) == 3
    assert free in {one.id for one in first}
    assert used(world, subject) == (100, 0)
    for one in first:
        world.settle(one)
    assert used(world, subject) == (0, 100)


@pytest.mark.parametrize(
    ("subject", "queue", "kind"), [("queue:b", "default", "work"), ("kind:other", "b", "work")]
)
def test_a_budget_holds_for_its_own_jobs_alone(world: World, subject: str, queue: str, kind: str) -> None:
    priced(world)
    limit(world, subject, 0)
    world.submit(kind, queue=queue)
    assert len(world.lease(world.register())) == 1
    assert used(world, subject) == (0, 0)


def test_a_budget_of_another_unit_bounds_nothing(world: World) -> None:
    priced(world)
    opened(world, PAYER, unit="tokens")
    limit(world, PAYER, 0, unit="tokens")
    world.submit()
    assert len(world.lease(world.register())) == 1
    world.check()


def test_a_job_waits_for_a_budget_and_says_so(world: World) -> None:
    priced(world, metered=True)
    limit(world, PAYER, 60, "day")
    first, job = world.submit(), world.submit()
    session = world.register(slots=2)
    [given] = world.lease(session, 2)
    assert given.id == first
    waiting = world.ask_lease(session, 1)
    assert not waiting.given
    told = story(world.store, job)
    assert told.waiting_for is not None
    assert "the budget of tenant:default, 60 credits per day, to have 50 for an attempt" in told.waiting_for
    assert "0 are spent and 50 reserved" in told.waiting_for
    [blocked] = world.record(job).blocked_by
    assert (blocked.what, blocked.subject) == ("budget", PAYER)
    assert blocked.entry == world.last("budget.set").seq
    assert blocked.until_us == budget(world).ends_us
    world.settle(given)
    assert waiting.given
    assert used(world) == (50, 0)


def test_what_an_attempt_did_not_cost_is_free_again(world: World) -> None:
    priced(world)
    limit(world, PAYER, 50)
    world.submit(attempts_max=1)
    world.submit()
    session = world.register(slots=2)
    [given] = world.lease(session, 2)
    waiting = world.ask_lease(session, 1)
    world.fail(given, "fatal")
    [again] = waiting.value
    assert used(world) == (50, 0)
    world.settle(again)
    assert used(world) == (0, 50)
    world.submit()
    assert not world.ask_lease(session, 1).given


def test_the_end_of_a_window_lets_what_waits_start(world: World) -> None:
    priced(world)
    limit(world, PAYER, 50, "minute")
    jobs = [world.submit() for _ in range(2)]
    session = world.register(slots=2)
    [given] = world.lease(session, 2)
    world.settle(given)
    assert used(world) == (0, 50)
    waiting = world.ask_lease(session, 1)
    ends_us, wake_us = budget(world).ends_us, world.decider.next_wake_us()
    assert ends_us is not None
    assert wake_us is not None
    assert wake_us == ends_us - world.clock.now_us()
    world.tick(wake_us / 1_000_000)
    [given] = waiting.value
    assert given.id == jobs[1]
    assert used(world) == (50, 0)


def test_what_ends_after_its_window_counts_for_nothing_in_the_next(world: World) -> None:
    priced(world)
    limit(world, PAYER, 100, "minute")
    session = world.register(slots=3)
    for _ in range(3):
        world.submit()
    before, late = world.lease(session, 2)
    world.tick(60)
    world.settle(before)
    assert used(world) == (0, 0)
    [given] = world.lease(session)
    assert used(world) == (50, 0)
    world.settle(late)
    assert used(world) == (50, 0)
    world.settle(given)
    assert used(world) == (0, 50)


def test_another_amount_leaves_what_is_spent_and_another_window_begins_anew(world: World) -> None:
    priced(world)
    limit(world, PAYER, 500, "day")
    world.submit()
    world.submit()
    session = world.register(slots=3)
    first, second = world.lease(session, 2)
    world.settle(first)
    limit(world, PAYER, 40, "day")
    assert used(world) == (50, 50)
    world.submit()
    assert not world.ask_lease(session, 1).given
    limit(world, PAYER, 40, "month")
    assert used(world) == (0, 0)
    world.settle(second)
    assert used(world) == (0, 0)


def test_a_budget_that_is_removed_bounds_nothing_and_begins_anew_when_it_is_set_again(world: World) -> None:
    priced(world)
    limit(world, PAYER, 50)
    world.submit()
    world.submit()
    session = world.register(slots=3)
    [first] = world.lease(session, 2)
    waiting = world.ask_lease(session, 1)
    limit(world, PAYER, None)
    [second] = waiting.value
    assert list_budgets(world.store, "default") == []
    limit(world, PAYER, 50)
    world.settle(first)
    world.settle(second)
    assert used(world) == (0, 0)
    told = story(world.store, "budget:tenant:default/credits")
    assert [line.type for line in told.lines] == ["budget.set"] * 3
    assert told.state == "the budget of tenant:default in credits, 50 minor units"


def test_two_workers_of_one_batch_do_not_spend_the_same_budget(world: World) -> None:
    priced(world)
    limit(world, "kind:work", 60)
    for _ in range(2):
        world.submit()
    sessions = [world.register(name) for name in ("v", "w")]
    answers = world.batch(*(LeaseJobs(session=session, slots=1) for session in sessions))
    assert [answer.given for answer in answers] == [True, False]
    world.check()


def test_how_many_start_is_counted_by_the_dearest_of_the_budget(world: World) -> None:
    priced(world, amount=30)
    price(world, 60, "other")
    limit(world, PAYER, 100)
    for kind in ("work", "other", "work"):
        world.submit(kind)
    session = world.register(slots=5)
    assert [len(world.lease(session, 5)), len(world.lease(session, 5))] == [1, 1]
    world.check()


def test_a_lane_within_budget_is_not_held_up_by_one_that_is_not(world: World) -> None:
    priced(world)
    price(world, 50, "other")
    limit(world, "kind:other", 40)
    world.submit("other")
    cheap = world.submit()
    [given] = world.lease(world.register(slots=5), 5)
    assert given.id == cheap
    lease = world.last("worker.leased")
    assert lease.decision is not None
    assert ["default/other", "an attempt would go over a budget, 1 job waiting"] in lease.decision["rejected"]
    world.check()


@pytest.mark.parametrize("partition", [None, "p"])
def test_budgets_bound_partitions_of_lanes_too(world: World, partition: str | None) -> None:
    priced(world, amount=30)
    limit(world, "queue:default", 100)
    for number in range(5):
        world.submit(partition=partition and f"p{number % 2}")
    assert len(world.lease(world.register(slots=10), 10)) == 3
    world.check()


def test_a_crash_forgets_no_budget(tmp_path: Path) -> None:
    world = World(tmp_path / "engine.db")
    priced(world)
    limit(world, PAYER, 120, "day")
    job, _ = world.submit(), world.submit()
    first, _ = world.lease(world.register(slots=2), 2)
    assert first.id == job
    world.settle(first)
    assert used(world) == (50, 50)
    world.crash()
    assert used(world) == (0, 50)
    world.restart()
    assert used(world) == (0, 50)


def test_a_budget_needs_a_unit_a_tenant_of_ones_own_and_a_place(tmp_path: Path) -> None:
    world = World(tmp_path / "engine.db", limits=Limits(queues_max=2))
    with pytest.raises(NotFound, match="no account in credits"):
        limit(world, PAYER, 1)
    with pytest.raises(NotFound, match="tenant:default has no budget in credits"):
        limit(world, PAYER, None)
    priced(world)
    with pytest.raises(NotFound, match="you act for no tenant other"):
        limit(world, "tenant:other", 1)
    with pytest.raises(InvalidInput, match="GitHub"):
        limit(world, PAYER, 1, reason="ghp_" + "a1B2" * 9)
    limit(world, PAYER, AMOUNT_MAX)
    limit(world, "kind:work", 0)
    with pytest.raises(LimitReached, match="2 budgets"):
        limit(world, "kind:other", 1)
    limit(world, PAYER, 7)
    limit(world, PAYER, None)
    world.check()


@pytest.mark.parametrize(
    ("per", "at_us", "ends_us"),
    [
        (None, 5, None),
        ("minute", 59_999_999, 60_000_000),
        ("minute", 60_000_000, 120_000_000),
        ("hour", 1, 3_600_000_000),
        ("day", _DAY_US - 1, _DAY_US),
        ("month", 30 * _DAY_US, 31 * _DAY_US),
        ("month", 31 * _DAY_US, 59 * _DAY_US),
        ("month", 364 * _DAY_US, 365 * _DAY_US),
    ],
)
def test_windows_are_those_of_the_calendar(per: str | None, at_us: int, ends_us: int | None) -> None:
    assert window_end_us(per, at_us) == ends_us
