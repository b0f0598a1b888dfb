"""What attempts cost, through the client and in handlers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import sheratan
from sheratan import Context, Fatal, TransferRefused, job
from sheratan.contracts.errors import Conflict, InvalidInput, NotFound
from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.sdk.client import Client
from tests.support import run_cli

SECONDS_MAX = 60
PAYER = "tenant:default"


@job
async def fixed() -> str:
    return "done"


@job
async def metered(ctx: Context, amounts: list[int]) -> int | None:
    for amount in amounts:
        ctx.charge(amount)
    return ctx.charge_max


@job(attempts_max=1)
async def fails(ctx: Context) -> None:
    ctx.charge(7)
    raise Fatal("no")


@job(attempts_max=2, backoff_base_seconds=0.01)
async def stumbles(ctx: Context) -> None:
    ctx.charge(7)
    raise RuntimeError("no")


@job
async def stepwise(ctx: Context) -> int:
    spent = await ctx.step("spend", spend, ctx)
    await ctx.sleep(0.01)
    return spent


async def spend(ctx: Context) -> int:
    ctx.charge(9)
    return 9


@job
def in_a_thread(ctx: Context) -> None:
    ctx.charge(3)


@job(cpu_bound=True, attempts_max=1)
def in_a_process(ctx: Context) -> None:
    ctx.charge(3)


@job(attempts_max=1)
async def charges_nonsense(ctx: Context, amount: Any) -> None:
    ctx.charge(amount)


@job(attempts_max=1)
async def charges_no_end(ctx: Context) -> int | None:
    ctx.charge(1 << 60)
    return ctx.charged


KINDS = [
    fixed,
    metered,
    fails,
    stumbles,
    stepwise,
    in_a_thread,
    in_a_process,
    charges_nonsense,
    charges_no_end,
]


async def priced(client: Client, has: int = 1_000) -> None:
    """Every kind but the first is metered, and the tenant has something."""
    await client.open_account(PAYER, "EUR", scale=2)
    await client.grant(PAYER, has, "EUR", name="top-up")
    await client.set_price("fixed", 50, "EUR", reason="what it costs")
    for kind in KINDS[1:]:
        await client.set_price(kind.name, 50, "EUR", metered=True)


async def charged(client: Client, kind: str, value: object = None) -> list[tuple[int, int | None]]:
    """Run a job, however it ends; what was reserved for each attempt and what it was charged."""
    receipt = await client.submit(kind, value)
    await client.wait(receipt.id)
    return [(one.reserved, one.amount) for one in await client.charges(receipt.id)]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("fixed", None, [(50, 50)]),
        ("metered", [20, 5], [(50, 25)]),
        ("metered", [], [(50, 0)]),
        ("fails", None, [(50, 7)]),
        ("stepwise", None, [(50, 9), (50, 0)]),
        ("in_a_thread", None, [(50, 3)]),
    ],
)
def test_an_attempt_is_charged_what_it_has_cost(
    tmp_path: Path, kind: str, value: object, expected: list[tuple[int, int]]
) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            await priced(client)
            assert await charged(client, kind, value) == expected
            paid = sum(amount for _, amount in expected)
            assert (await client.account(PAYER, "EUR")).available == 1_000 - paid
            assert await client.check_ledger() == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("in_a_process", None, "cannot say what it costs"),
        ("charges_nonsense", 0.5, "0.5 is no amount of minor units"),
        ("charges_nonsense", -1, "-1 is no amount of minor units"),
        ("charges_nonsense", True, "True is no amount of minor units"),
    ],
)
def test_an_attempt_fails_that_says_what_cannot_be_counted(
    tmp_path: Path, kind: str, value: object, message: str
) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            await priced(client)
            receipt = await client.submit(kind, value)
            record = await client.wait(receipt.id)
            assert record.error is not None
            assert message in record.error.message
            assert [(one.reserved, one.amount) for one in await client.charges(receipt.id)] == [(50, 0)]

    asyncio.run(scenario())


def test_more_than_is_reserved_fails_the_job_for_good_and_costs_all_of_it_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            await priced(client)
            receipt = await client.submit("metered", [30, 30], attempts_max=3)
            record = await client.wait(receipt.id)
            assert (record.state, record.attempt) == ("failed", 1)
            assert record.error is not None
            assert (record.error.error_class, record.error.type) == ("fatal", "Overcharged")
            assert "50 are reserved for this attempt" in record.error.message
            assert [one.amount for one in await client.charges(receipt.id)] == [50]

    asyncio.run(scenario())


def test_more_than_any_account_holds_is_counted_as_that(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            assert await client.run("charges_no_end", None) == AMOUNT_MAX
            await priced(client)
            assert await charged(client, "charges_no_end") == [(50, 50)]
            assert await client.check_ledger() == []

    asyncio.run(scenario())


def test_a_handler_is_told_how_much_it_may_cost(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            assert await client.run("metered", []) is None
            await priced(client)
            assert await client.run("metered", []) == 50

    asyncio.run(scenario())


def test_prices_are_set_listed_removed_and_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            with pytest.raises(NotFound) as refused:
                await client.set_price("fixed", 50, "EUR")
            assert refused.value.field == "unit"
            for amount in (0, -1, 1 << 60):
                with pytest.raises(InvalidInput) as wrong:
                    await client.set_price("fixed", amount, "EUR")
                assert wrong.value.field == "amount"
            await client.open_account(PAYER, "EUR", scale=2)
            entry = await client.set_price("fixed", 50, "EUR", reason="what it costs")
            [price] = await client.prices()
            assert (price.kind, price.amount, price.scale, price.entry) == ("fixed", 50, 2, entry)
            await client.remove_price("fixed", reason="a gift")
            assert await client.prices() == []
            told = [line.text for line in (await client.why("price:fixed")).lines]
            assert "cost 50 minor units of EUR: what it costs" in told[0]
            assert "cost nothing: a gift" in told[1]

    asyncio.run(scenario())


def test_budgets_are_set_listed_and_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            await client.open_account(PAYER, "EUR", scale=2)
            with pytest.raises(NotFound, match="no account in credits"):
                await client.set_budget(PAYER, 100, "credits")
            for subject, per in (("worker:w", None), (PAYER, "week")):
                with pytest.raises(InvalidInput):
                    await client.set_budget(subject, 100, "EUR", per=per)
            entry = await client.set_budget("queue:default", 1_250, "EUR", per="month", reason="as agreed")
            [one] = await client.budgets()
            assert (one.subject, one.unit, one.scale, one.per) == ("queue:default", "EUR", 2, "month")
            assert (one.amount, one.reserved, one.charged, one.entry) == (1_250, 0, 0, entry)
            assert one.ends_us is not None
            await client.remove_budget("queue:default", "EUR", reason="not needed")
            assert await client.budgets() == []
            lines = [line.text for line in (await client.why("budget:queue:default/EUR")).lines]
            assert "spend at most 1250 minor units of EUR per month: as agreed" in lines[0]
            assert "took the budget of queue:default in EUR away: not needed" in lines[1]

    asyncio.run(scenario())


def test_a_job_is_tried_again_only_within_its_own_budget(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            await priced(client)
            for budget, attempts in ((56, 1), (57, 2)):
                receipt = await client.submit("stumbles", budget={"EUR": budget})
                record = await client.wait(receipt.id)
                assert (record.state, record.attempt) == ("failed", attempts)
                [own] = (await client.job(receipt.id)).budget
                assert (own.unit, own.scale, own.amount) == ("EUR", 2, budget)
                assert (own.reserved, own.charged) == (0, 7 * attempts)
            with pytest.raises(InvalidInput, match=r"may cost 0\.50 EUR, and the budget is 0\.49"):
                await client.submit("stumbles", budget={"EUR": 49})
            for wrong in ({"EUR": -1}, {"no unit": 1}, {f"U{number}": 1 for number in range(9)}, 5):
                with pytest.raises(InvalidInput):
                    await client.submit("stumbles", budget=wrong)  # type: ignore[arg-type]

    asyncio.run(scenario())


def test_what_a_job_was_charged_is_given_back_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            await priced(client)
            receipt = await client.submit("fixed", None)
            await client.wait(receipt.id)
            [part] = await client.refund_job(receipt.id, 20, name="case 7", reason="it was late")
            [again] = await client.refund_job(receipt.id, 20, name="case 7", reason="asked twice")
            assert (part.result, part.amount, again.result) == ("applied", 20, "exists")
            [more] = await client.refund_job(receipt.id, 31, name="case 8", reason="too much")
            assert (more.result, more.field) == ("exceeds_original", "amount")
            [rest] = await client.refund_job(receipt.id, name="case 9", reason="all of it")
            assert (rest.result, rest.amount) == ("applied", 30)
            [charge] = await client.charges(receipt.id)
            assert (charge.amount, charge.refunded) == (50, 50)
            assert charge.settlement is not None
            assert (await client.find_transfer(charge.settlement)).corrected == 50
            assert (await client.account(PAYER, "EUR")).available == 1_000
            told = [line.text for line in (await client.why(receipt.id)).lines]
            assert any(
                "it was late" in text and f"20 minor units of EUR from operator to {PAYER}" in text
                for text in told
            )
            assert sum("back from" in text for text in told) == 2
            assert await client.check_ledger() == []

    asyncio.run(scenario())


def test_several_charges_of_a_job_are_given_back_together_or_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            await priced(client)
            receipt = await client.submit("stumbles", None)
            await client.wait(receipt.id)
            charges = await client.charges(receipt.id)
            assert [one.amount for one in charges] == [7, 7]
            with pytest.raises(Conflict) as several:
                await client.refund_job(receipt.id, 3, name="a", reason="a part")
            assert (several.value.field, str(charges[1].settlement) in str(several.value)) == ("amount", True)
            found = await client.refund(str(charges[1].settlement), 3, name="b", reason="a part")
            assert (found.result, found.amount) == ("applied", 3)
            results = await client.refund_job(receipt.id, name="c", reason="all of it")
            assert [(one.result, one.amount) for one in results] == [("applied", 7), ("applied", 4)]
            with pytest.raises(TransferRefused) as refused:
                await client.refund(str(charges[0].settlement), name="d", reason="once more")
            assert refused.value.extra["result"] == "exceeds_original"
            assert (await client.account(PAYER, "EUR")).available == 1_000

    asyncio.run(scenario())


def test_where_nothing_was_charged_nothing_is_given_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            receipt = await client.submit("fixed", None)
            await client.wait(receipt.id)
            with pytest.raises(Conflict, match="no attempt at this job was charged anything"):
                await client.refund_job(receipt.id, name="a", reason="it was late")

    asyncio.run(scenario())


def test_the_status_says_what_it_costs_and_what_the_next_jobs_wait_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path, KINDS) as client:
            empty = await client.status()
            assert (empty.waiting, empty.spending, empty.budgets) == ([], [], [])
            await priced(client)
            await client.set_budget("kind:fixed", 100, "EUR")
            for _ in range(2):
                await client.run(fixed)
            stays = [(await client.submit(fixed)).id for _ in range(2)]
            found = await client.status()
            assert [one.id for one in found.waiting] == stays[:1]
            assert str(found.waiting[0].waiting_for).startswith(
                "the budget of kind:fixed, 1.00 EUR, to have 0.50"
            )
            [spent] = found.spending
            assert (spent.unit, spent.scale, spent.spent, spent.reserved) == ("EUR", 2, 100, 0)
            [budget] = found.budgets
            assert (budget.subject, budget.charged, budget.amount) == ("kind:fixed", 100, 100)

    asyncio.run(scenario())
    shown = run_cli("status", data=tmp_path).stdout
    assert "costs" in shown
    assert "1.00 EUR spent, 0.00 reserved for what runs" in shown
    assert "kind:fixed has used 1.00 of 1.00 EUR" in shown


def test_a_worker_gets_its_share_and_gives_it_back_with_a_refund(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", KINDS) as client:
            await priced(client)
            await client.set_price("fixed", 100, "EUR", worker_share=True)
            [price] = [one for one in await client.prices() if one.kind == "fixed"]
            assert price.worker_share
            worker = "worker:embedded"
            await client.open_account(worker, "EUR")
            receipt = await client.submit("fixed", None)
            await client.wait(receipt.id)
            [charge] = await client.charges(receipt.id)
            assert (charge.amount, charge.share) == (100, 70)
            assert (await client.account(worker, "EUR")).available == 70
            found = (await client.account(worker, "EUR")).reliability
            assert found is not None
            assert (found.success_permille, found.attempts) == (562, 1)
            with pytest.raises(InvalidInput, match="a share comes back as a whole"):
                await client.refund_job(receipt.id, 5, name="a", reason="late", with_share=True)
            [poor] = await client.refund_job(receipt.id, name="b", reason="late")
            assert poor.result == "insufficient_funds"
            both = await client.refund_job(receipt.id, name="c", reason="late", with_share=True)
            assert [(one.result, one.amount) for one in both] == [("applied", 70), ("applied", 100)]
            again = await client.refund_job(receipt.id, name="c", reason="late", with_share=True)
            assert [one.result for one in again] == ["exists", "exists"]
            assert (await client.account(worker, "EUR")).available == 0
            assert (await client.account(PAYER, "EUR")).available == 1_000
            assert await client.check_ledger() == []

    asyncio.run(scenario())
