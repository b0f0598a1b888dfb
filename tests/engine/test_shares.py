"""The shares of workers: of what an attempt is charged, in the same commit, the more the more reliable it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.jobs import JobError
from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.contracts.ledger_requests import GetAccount
from sheratan.contracts.worker import Assignment, Report, Wait
from sheratan.engine.billing_views import list_charges, list_prices
from sheratan.engine.commands import EndSession, Settle
from sheratan.engine.explain import story
from sheratan.engine.ledger_views import account_record
from sheratan.engine.prepare import prepare_reports
from sheratan.kernel.billing import payout_id
from tests.engine.booking import apply, correction, known, move, opened, pending, seen, stands
from tests.engine.pricing import PAYER, price, priced
from tests.engine.world import SECOND, World

WORKER = "worker:w"


@pytest.fixture
def shared(world: World) -> World:
    """Jobs of `work` cost 50, and worker `w` gets a share."""
    priced(world, worker_share=True)
    opened(world, WORKER)
    return world


def ran(world: World, *, milliseconds: int = 0, **options: Any) -> tuple[str, Assignment]:
    """A job that worker `w` has run for so long."""
    job = world.submit(**options)
    [given] = world.lease(world.register("w"))
    world.clock.advance(milliseconds * SECOND // 1_000)
    return job, given


def has(world: World) -> tuple[int, int, int]:
    """What the tenant, the operator and the worker have; and all that is wrong is told."""
    world.check()
    stands(world, PAYER)
    return tuple(known(world, name).available for name in (PAYER, "operator", WORKER))  # type: ignore[return-value]


def reliability(world: World) -> tuple[int, int, int] | None:
    """Of a thousand attempts how many succeed, in how many milliseconds, and how many there were."""
    found = account_record(world.store, "default", GetAccount(account=WORKER, unit="credits")).reliability
    return None if found is None else (found.success_permille, found.latency_ms, found.attempts)


def test_a_worker_gets_its_share_in_the_commit_that_charges_the_attempt(shared: World) -> None:
    job, given = ran(shared)
    shared.settle(given)
    # A worker that nobody knows: 0.10 + 0.20 * 0.5 + 0.10 of it stay with the operator.
    assert has(shared) == (950, 15, 35)
    [charge] = list_charges(shared.store, job)
    assert (charge.amount, charge.share, charge.payout) == (50, 35, payout_id(given.number, given.fence))
    decided, moved = shared.entries()[-2:]
    assert (decided.type, moved.type, moved.data["shared"]) == (
        "ledger.shared",
        "ledger.transferred",
        decided.seq,
    )
    assert reliability(shared) == (562, 1_312, 1)


def test_the_margin_follows_what_the_worker_has_done(shared: World) -> None:
    for _ in range(30):
        _, given = ran(shared, milliseconds=300)
        shared.settle(given)
        apply(shared, move(1_000 + given.number, 50, "system:issue", PAYER))
    success, latency, attempts = reliability(shared) or (0, 0, 0)
    assert success > 980
    assert (latency < 330, attempts) == (True, 30)
    before = has(shared)[2]
    _, given = ran(shared)
    shared.settle(given)
    margin = 100 + (1_000 - success) // 5 + latency // 15
    assert has(shared)[2] - before == 50 - 50 * margin // 1_000


@pytest.mark.parametrize("end", ["failed", "retried", "cancelled", "released", "lost", "waiting", "changed"])
def test_what_fails_by_itself_counts_against_its_worker_and_nothing_else_does(
    shared: World, end: str
) -> None:
    job, given = ran(shared, attempts_max=2 if end == "retried" else 1, milliseconds=100)
    if end == "lost":
        shared.ask(EndSession(session=next(iter(shared.state.sessions))))
    elif end == "waiting":
        shared.park(given, Wait(name="sleep", occurrence=1, what="sleep", seconds=60))
    elif end == "changed":
        shared.change(given)
    elif end in ("failed", "retried"):
        shared.fail(given)
    else:
        if end == "cancelled":
            shared.cancel(job)
        shared.settle(given, end)  # type: ignore[arg-type]
    assert has(shared) == (1_000, 0, 0)
    assert reliability(shared) == ((437, 1_325, 1) if end in ("failed", "retried") else None)


def test_a_job_that_has_lost_too_many_workers_tells_nothing_of_the_last(shared: World) -> None:
    shared.submit()
    for _ in range(shared.limits.worker_losses_max):
        [_] = shared.lease(session := shared.register("w"))
        shared.ask(EndSession(session=session))
    assert shared.last("job.failed").data["error"]["class"] == "lost_lease"
    assert (has(shared), reliability(shared)) == ((1_000, 0, 0), None)


def test_an_attempt_that_fails_and_is_charged_by_meter_is_shared_too(world: World) -> None:
    priced(world, metered=True, worker_share=True)
    opened(world, WORKER)
    _, given = ran(world, attempts_max=1)
    error = JobError(error_class="bug", type="E", message="")
    report = Report(number=given.number, fence=given.fence, outcome="failed", error=error, charge=20)
    world.ask(Settle(session=0, reports=prepare_reports([report], world.limits)))
    assert has(world) == (980, 6, 14)
    assert reliability(world) == (437, 1_312, 1)


def test_a_worker_without_an_account_gets_nothing_and_the_operator_all(world: World) -> None:
    priced(world, worker_share=True)
    job, given = ran(world)
    world.settle(given)
    assert known(world, "operator").available == 50
    assert list_charges(world.store, job)[0].payout is None
    assert "ledger.shared" not in world.types()
    # An account of another unit is none.
    opened(world, "worker:v", unit="tokens")
    world.submit()
    [given] = world.lease(world.register("v"))
    world.settle(given)
    assert known(world, "operator").available == 100
    world.check()


def test_where_a_price_has_no_share_nothing_is_shared(shared: World) -> None:
    price(shared, 50)
    _, given = ran(shared)
    shared.settle(given)
    assert (has(shared), reliability(shared)) == ((950, 50, 0), None)


def test_a_share_is_that_of_the_price_that_held_when_the_attempt_started(shared: World) -> None:
    _, given = ran(shared)
    price(shared, 50)
    shared.settle(given)
    assert has(shared) == (950, 15, 35)


@pytest.mark.parametrize("how", ["closed", "full"])
def test_a_share_that_the_account_cannot_take_stays_with_the_operator(shared: World, how: str) -> None:
    if how == "closed":
        apply(shared, pending(900, 0, WORKER, PAYER, closes="debit"))
    else:
        apply(shared, move(900, AMOUNT_MAX - 1_000, "system:issue", WORKER))
        apply(shared, move(901, AMOUNT_MAX - 1_000, WORKER, "system:issue"))
        apply(shared, move(902, 970, PAYER, WORKER), move(903, 970, WORKER, PAYER))
    job, given = ran(shared)
    shared.settle(given)
    assert has(shared) == (950, 50, 0)
    assert list_charges(shared.store, job)[0].payout is None
    result = "account closed" if how == "closed" else "balance too large"
    assert any(f": {result} (credit)." in line.text for line in story(shared.store, job).lines)


def test_attempts_of_one_batch_are_shared_by_what_was_known_before_it(shared: World) -> None:
    shared.submit()
    shared.submit()
    first, second = shared.lease(shared.register("w"), 2)
    shared.batch(shared.settlement(first), shared.settlement(second))
    assert has(shared) == (900, 30, 70)
    assert shared.types().count("ledger.shared") == 1
    assert reliability(shared) == (617, 1_148, 2)


def test_a_new_engine_knows_who_gets_a_share_of_what_ran_before_it(tmp_path: Path) -> None:
    world = World(tmp_path / "a.db")
    priced(world, worker_share=True)
    opened(world, WORKER)
    _, given = ran(world, milliseconds=200)
    world.fill_disk()
    with pytest.raises(Exception, match="full"):
        world.settle(given, output="x" * 60_000)
    world.free_disk()
    world.settle(given)
    assert has(world) == (950, 15, 35)
    assert reliability(world) == (562, 1_337, 1)
    world.restart()
    _, given = ran(world)
    world.settle(given)
    assert has(world) == (900, 28, 72)
    world.close()


def test_a_job_tells_what_its_worker_got_and_why(shared: World) -> None:
    job, given = ran(shared)
    shared.settle(given)
    told = [line.text for line in story(shared.store, job).lines]
    sentence = (
        f"Of 50 minor units of credits {WORKER} gets 35: of its attempts 500 in 1000 succeed, in 1500 ms, so 300 in"
        " 1000 stay with the operator."
    )
    assert told.count(sentence) == 1
    payout = payout_id(given.number, given.fence)
    assert any(
        f"{payout} moves 35 minor units of credits from operator to {WORKER}." in text for text in told
    )
    assert any("What 1 attempt did cost was settled." in text for text in told)
    apply(shared, correction(5_000, 0, 1), reason="something else")
    assert len(story(shared.store, job).lines) == len(told)


def test_what_is_shared_can_be_given_back_by_who_has_it(shared: World) -> None:
    job, given = ran(shared)
    shared.settle(given)
    [charge] = list_charges(shared.store, job)
    back = correction(700, 0, amount=None, corrects=charge.settlement)
    assert seen(shared, back) == [("insufficient_funds", "debit")]
    share = correction(701, 0, amount=None, corrects=charge.payout, linked=True)
    assert seen(shared, share, back) == [("applied", 35), ("applied", 50)]
    assert has(shared) == (1_000, 0, 0)
    told = [line.text for line in story(shared.store, job).lines]
    assert any(f"back from {charge.payout}" in text for text in told)


def test_prices_say_whether_workers_have_a_share(shared: World) -> None:
    assert [one.worker_share for one in list_prices(shared.store, "default")] == [True]
    assert "of which their workers get a share" in story(shared.store, "price:work").lines[-1].text
    price(shared, 50)
    assert [one.worker_share for one in list_prices(shared.store, "default")] == [False]
