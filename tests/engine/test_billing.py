"""What attempts at jobs cost: reserved before they start, settled where they end, each once and whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.errors import Conflict, InvalidInput, LimitReached, NotFound
from sheratan.contracts.flow import FlowLimits
from sheratan.contracts.jobs import JobError
from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.contracts.limits import Limits
from sheratan.contracts.worker import Assignment, Report, Wait
from sheratan.engine.billing_views import list_charges, list_prices
from sheratan.engine.commands import (
    ApplyTransfers,
    ChangeState,
    EndSession,
    LeaseJobs,
    LimitSpending,
    LimitStarts,
    PriceKind,
    Settle,
)
from sheratan.engine.explain import story
from sheratan.engine.prepare import prepare_reports
from tests.engine.booking import apply, known, move, opened, seen, stands, void
from tests.engine.pricing import PAYER, price, priced
from tests.engine.world import World


def charged(world: World, job: str) -> list[tuple[int, int | None]]:
    """What was reserved for each attempt at a job, and what it was charged."""
    return [(one.reserved, one.amount) for one in list_charges(world.store, job)]


def has(world: World) -> tuple[int, int]:
    """What the tenant has to give, and what the operator has got; and all that is wrong is told."""
    world.check()
    return known(world, PAYER).available, stands(world, "operator")[3]


def started(world: World, **options: Any) -> tuple[str, Assignment]:
    """A job that runs."""
    job = world.submit(**options)
    [given] = world.lease(world.register("w"))
    return job, given


def reports(world: World, given: Assignment, outcome: Any, charge: int | None, **more: Any) -> None:
    """An attempt has ended, and says what it has cost."""
    report = Report(number=given.number, fence=given.fence, outcome=outcome, charge=charge, **more)
    [counted] = world.ask(Settle(session=0, reports=prepare_reports([report], world.limits)))
    assert counted


def test_an_attempt_reserves_what_it_may_cost_and_is_charged_when_it_succeeds(world: World) -> None:
    priced(world)
    job, given = started(world)
    assert given.charge_max == 50
    assert charged(world, job) == [(50, None)]
    assert has(world) == (950, 0)
    world.settle(given)
    assert charged(world, job) == [(50, 50)]
    assert has(world) == (950, 50)


@pytest.mark.parametrize("end", ["failed", "cancelled", "released", "lost", "waiting", "changed"])
def test_an_attempt_that_does_not_succeed_gives_all_of_it_back(world: World, end: Any) -> None:
    priced(world)
    job, given = started(world, attempts_max=1)
    if end == "lost":
        world.ask(EndSession(session=next(iter(world.state.sessions))))
    elif end == "waiting":
        world.park(given, Wait(name="sleep", occurrence=1, what="sleep", seconds=60))
    elif end == "changed":
        world.change(given)
    elif end == "failed":
        world.fail(given)
    else:
        if end == "cancelled":
            world.cancel(job)
        world.settle(given, end)
    assert charged(world, job) == [(50, 0)]
    assert has(world) == (1_000, 0)


def test_each_attempt_reserves_anew_and_only_the_one_that_succeeds_is_charged(world: World) -> None:
    priced(world)
    job, given = started(world, attempts_max=2, backoff_base_seconds=0.0)
    world.fail(given)
    [again] = world.lease(world.register("v"))
    assert charged(world, job) == [(50, 0), (50, None)]
    world.settle(again)
    assert charged(world, job) == [(50, 0), (50, 50)]
    assert has(world) == (950, 50)


@pytest.mark.parametrize(("says", "costs"), [(None, 0), (0, 0), (20, 20), (50, 50), (70, 50)])
def test_by_meter_an_attempt_is_charged_what_it_says_and_at_most_what_is_reserved(
    world: World, says: int | None, costs: int
) -> None:
    priced(world, metered=True)
    job, given = started(world)
    reports(world, given, "succeeded", says)
    assert charged(world, job) == [(50, costs)]
    assert has(world) == (1_000 - costs, costs)


def test_by_meter_an_attempt_that_fails_is_charged_too(world: World) -> None:
    priced(world, metered=True)
    job, given = started(world, attempts_max=1)
    error = JobError(error_class="retryable", type="Boom", message="it went wrong")
    reports(world, given, "failed", 30, error=error)
    assert charged(world, job) == [(50, 30)]


def test_what_an_attempt_says_counts_for_nothing_where_the_price_is_fixed(world: World) -> None:
    priced(world)
    job, given = started(world)
    reports(world, given, "succeeded", 7)
    assert charged(world, job) == [(50, 50)]
    world.check()


def test_a_job_waits_while_its_tenant_cannot_pay_and_goes_on_when_it_can(world: World) -> None:
    priced(world, has=40)
    job = world.submit()
    waiting = world.ask_lease(world.register())
    assert not waiting.given
    told = story(world.store, job)
    assert told.waiting_for is not None
    assert "tenant:default to have 50 credits for an attempt; it has 40 credits to give" in told.waiting_for
    apply(world, move(1, 10, "system:issue", PAYER))
    [given] = waiting.value
    world.settle(given)
    assert has(world) == (0, 50)


def test_no_more_start_than_can_be_paid_for_and_what_comes_back_starts_the_next(world: World) -> None:
    priced(world, amount=30, has=100)
    jobs = [world.submit() for _ in range(5)]
    session = world.register(slots=10)
    first = world.lease(session, 10)
    assert len(first) == 3
    waiting = world.ask_lease(session, 7)
    assert has(world) == (10, 0)
    world.fail(first[0], "fatal")
    [next_one] = waiting.value
    for given in (*first[1:], next_one):
        world.settle(given)
    assert [world.state_of(job) for job in jobs] == ["failed", *["succeeded"] * 3, "queued"]
    assert has(world) == (10, 90)


def test_how_many_start_is_counted_by_the_dearest_of_them(world: World) -> None:
    priced(world, amount=30, has=100)
    price(world, 60, "other")
    for kind in ("work", "other", "work"):
        world.submit(kind)
    session = world.register(slots=5)
    assert [len(world.lease(session, 5)), len(world.lease(session, 5))] == [1, 1]
    world.check()


def test_two_workers_of_one_batch_do_not_spend_the_same(world: World) -> None:
    priced(world, amount=60, has=100)
    for _ in range(2):
        world.submit()
    sessions = [world.register(name) for name in ("v", "w")]
    answers = world.batch(*(LeaseJobs(session=session, slots=1) for session in sessions))
    assert [answer.given for answer in answers] == [True, False]
    assert has(world) == (40, 0)


def test_a_lane_that_can_be_paid_for_is_not_held_up_by_a_dearer_one(world: World) -> None:
    priced(world, amount=60, has=100)
    price(world, 500, "other")
    dear, cheap = world.submit("other"), world.submit()
    [given] = world.lease(world.register(slots=5), 5)
    assert given.id == cheap
    assert world.state_of(dear) == "queued"
    lease = world.last("worker.leased")
    assert lease.decision is not None
    assert ["default/other", "its tenant cannot pay for an attempt, 1 job waiting"] in lease.decision[
        "rejected"
    ]
    world.check()


def test_kinds_that_cost_nothing_start_whatever_the_accounts_say(world: World) -> None:
    priced(world, has=0)
    world.submit()
    free = world.submit("other")
    [given] = world.lease(world.register(slots=5), 5)
    assert given.id == free
    assert given.charge_max is None
    assert list_charges(world.store, free) == []


@pytest.mark.parametrize("how", ["partitions", "ageing", "a limit"])
def test_funds_bound_starts_where_other_rules_choose_too(world: World, how: str) -> None:
    priced(world, amount=30, has=100)
    if how == "ageing":
        world.ask(LimitStarts(subject="kind:work", limits=FlowLimits(ageing_seconds=1.0), reason=""))
    elif how == "a limit":
        world.ask(LimitStarts(subject="kind:work", limits=FlowLimits(concurrency=9), reason=""))
    for number in range(5):
        world.submit(partition=f"p{number % 2}" if how == "partitions" else None)
    given = world.lease(world.register(slots=10), 10)
    assert len(given) == 3
    for one in given:
        world.settle(one)
    assert has(world) == (10, 90)


def test_a_price_holds_for_attempts_that_start_later(world: World) -> None:
    priced(world)
    job, given = started(world)
    price(world, 70, metered=True)
    world.settle(given)
    assert charged(world, job) == [(50, 50)]
    later, dearer = started(world)
    assert charged(world, later) == [(70, None)]
    price(world, None)
    reports(world, dearer, "succeeded", 60)
    assert charged(world, later) == [(70, 60)]
    free, given = started(world)
    world.settle(given)
    assert list_charges(world.store, free) == []
    assert list_prices(world.store, "default") == []
    assert has(world) == (890, 110)
    assert [line.type for line in story(world.store, "price:work").lines] == ["price.set"] * 3


def test_a_crash_gives_back_what_was_reserved_for_the_attempts_that_it_ends(tmp_path: Path) -> None:
    world = World(tmp_path / "engine.db")
    priced(world)
    job, _ = started(world)
    world.crash()
    assert charged(world, job) == [(50, 0)]
    assert has(world) == (1_000, 0)
    [again] = world.lease(world.register())
    world.crash(losing=[world.settlement(again)])
    assert charged(world, job) == [(50, 0), (50, 0)]
    [again] = world.lease(world.register())
    world.settle(again)
    world.restart()
    assert has(world) == (950, 50)


def test_an_engine_that_stops_gives_back_what_was_reserved_for_what_runs(tmp_path: Path) -> None:
    world = World(tmp_path / "engine.db")
    priced(world)
    job, _ = started(world)
    world.restart()
    assert charged(world, job) == [(50, 0)]
    assert has(world) == (1_000, 0)


def test_attempts_that_a_halted_system_has_lost_are_settled_by_the_next_engine(tmp_path: Path) -> None:
    world = World(tmp_path / "engine.db")
    priced(world)
    job, _ = started(world)
    world.ask(ChangeState(to="halted", reason="a look"))
    world.restart()
    assert charged(world, job) == [(50, 0)]
    assert has(world) == (1_000, 0)


def test_a_commit_that_fails_has_reserved_and_charged_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "engine.db")
    priced(world)
    job, given = started(world)
    world.fill_disk()
    with pytest.raises(Exception, match="full"):
        world.settle(given, output="x" * 60_000)
    world.free_disk()
    assert charged(world, job) == [(50, None)]
    world.settle(given)
    assert has(world) == (950, 50)


def test_nobody_resolves_what_is_reserved_for_an_attempt_or_takes_its_ids(world: World) -> None:
    priced(world)
    job, given = started(world)
    [charge] = list_charges(world.store, job)
    for phase, field in (("void", "pending"), ("post", "pending")):
        with pytest.raises(InvalidInput, match="those of attempts") as refused:
            apply(world, void(1, 0, pending=charge.transfer, phase=phase))
        assert refused.value.field == f"transfers[0].{field}"
    with pytest.raises(InvalidInput, match="those of attempts"):
        apply(world, move(1, 1, id=charge.transfer))
    world.settle(given)
    assert has(world) == (950, 50)


def test_an_account_is_not_closed_while_attempts_run_that_it_pays_for(world: World) -> None:
    priced(world)
    _, given = started(world)
    closing = move(1, 0, PAYER, "operator", phase="pending", closes="debit")
    with pytest.raises(Conflict, match="closes: tenant:default has something reserved for job number 1"):
        apply(world, closing)
    with pytest.raises(Conflict, match="closes: operator has something reserved for job number 1"):
        apply(world, move(2, 0, PAYER, "operator", phase="pending", closes="credit"))
    opened(world, PAYER, "operator", unit="tokens")
    other = move(4, 0, PAYER, "operator", phase="pending", closes="debit", unit="tokens")
    assert seen(world, other) == [("applied", 0)]
    world.settle(given)
    assert seen(world, closing) == [("applied", 0)]
    job = world.submit()
    waiting = world.ask_lease(world.register("v"))
    assert not waiting.given
    assert world.state_of(job) == "queued"
    apply(world, void(3, 1))
    assert len(waiting.value) == 1
    assert seen(world, closing) == [("exists", 0)]
    world.check()


def test_an_account_is_not_closed_before_the_attempts_are_settled_that_end_in_the_same_batch(
    world: World,
) -> None:
    priced(world)
    job, given = started(world)
    report = Report(number=given.number, fence=given.fence, outcome="succeeded", output=1)
    closing = move(1, 0, PAYER, "operator", phase="pending", closes="debit")
    _, closed = world.batch(
        Settle(session=0, reports=prepare_reports([report], world.limits)),
        ApplyTransfers(transfers=(closing,), reason="a test"),
    )
    with pytest.raises(Conflict, match="reserved for job number"):
        _ = closed.value
    assert charged(world, job) == [(50, 50)]
    assert has(world) == (950, 50)


def test_nothing_starts_while_who_is_paid_is_closed(world: World) -> None:
    priced(world)
    apply(world, move(1, 0, "operator", PAYER, phase="pending", closes="debit"))
    world.submit()
    waiting = world.ask_lease(world.register())
    assert not waiting.given
    apply(world, void(2, 1))
    assert len(waiting.value) == 1
    world.check()


def test_what_the_operator_can_hold_bounds_what_starts(world: World) -> None:
    priced(world, amount=30)
    nearly_full = AMOUNT_MAX - 1_000
    assert seen(
        world,
        move(1, nearly_full, "system:issue", "operator"),
        move(2, 5_000, "operator", PAYER),
        move(3, 960, PAYER, "operator"),
    ) == [("applied", nearly_full), ("applied", 5_000), ("applied", 960)]
    jobs = [world.submit() for _ in range(2)]
    [given] = world.lease(world.register(slots=2), 2)
    world.settle(given)
    assert [world.state_of(job) for job in jobs] == ["succeeded", "queued"]
    world.check()


def test_prices_that_make_no_sense_are_refused(world: World) -> None:
    with pytest.raises(NotFound, match="no account in credits") as refused:
        price(world, 5)
    assert refused.value.field == "unit"
    opened(world, PAYER)
    with pytest.raises(NotFound, match="has no price"):
        price(world, None)
    price(world, 5)
    assert [(one.kind, one.amount) for one in list_prices(world.store, "default")] == [("work", 5)]
    world.check()


def test_no_reason_of_a_price_or_a_budget_holds_a_secret(world: World) -> None:
    priced(world)
    secret = "ghp_" + "a1B2" * 9
    for command in (
        PriceKind(kind="work", unit="credits", amount=5, metered=False, reason=secret),
        LimitSpending(subject=PAYER, unit="credits", amount=5, per=None, reason=secret),
    ):
        with pytest.raises(InvalidInput, match="seems to hold"):
            world.ask(command)


def test_no_more_kinds_have_prices_than_there_may_be_queues() -> None:
    world = World(limits=Limits(queues_max=1))
    opened(world, PAYER)
    price(world, 5)
    price(world, 6)
    with pytest.raises(LimitReached, match=r"limits\.queues_max"):
        price(world, 5, "other")
    world.check()


def test_one_entry_tells_of_so_many_attempts_at_most(world: World) -> None:
    priced(world, amount=1)
    for _ in range(502):
        world.submit()
    sessions = [world.register(f"w{number}", slots=256) for number in range(2)]
    answers = world.batch(*(LeaseJobs(session=session, slots=256) for session in sessions))
    assert has(world) == (498, 0)
    given = [one for answer in answers for one in answer.value]
    ended = [Report(number=one.number, fence=one.fence, outcome="succeeded", output=1) for one in given]
    world.ask(Settle(session=0, reports=prepare_reports(ended, world.limits)))
    told = [entry for entry in world.entries() if "attempts" in entry.data]
    assert [len(entry.data["attempts"]) for entry in told] == [500, 2, 500, 2]
    assert has(world) == (498, 502)


def test_a_job_tells_what_it_cost_and_who_paid(world: World) -> None:
    priced(world)
    job, given = started(world)
    world.settle(given)
    told = [line.text for line in story(world.store, job).lines if line.type == "ledger.transferred"]
    assert len(told) == 2
    assert "reserves 50 minor units of credits from tenant:default to operator" in told[0]
    assert "moves 50 minor units of credits from tenant:default to operator" in told[1]
