"""What simulated clients do about prices: set them, change and remove them, and pay in what jobs need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from sheratan.contracts import api
from sheratan.contracts.errors import InvalidInput, LimitReached, NotFound
from sheratan.contracts.ledger import ISSUE, Transfer, transfer_id
from sheratan.contracts.spending import Window
from sheratan.simulation.choices import Choices
from sheratan.simulation.options import ABOUT_JOB_BUDGETS, KINDS, WORKER_NAMES, Options

__all__ = ["PAYER", "PriceClient"]

PAYER: Final = "tenant:default"
_WORKERS: Final = tuple(f"worker:{name}" for name in WORKER_NAMES)
_OF_ATTEMPTS: Final = "transfer_ffffff"
_UNITS: Final = ("credits", "credits", "credits", "tokens")
_CLOSED_SECONDS: Final = ((1, 3, 20), (60, 400))
"""Who pays for jobs is away for a moment; a worker may be so for long, and jobs go on."""
_UNKNOWN: Final = "marks"
"""A unit that nobody has."""
_ACTS: Final = (
    "set", "set", "set", "pay", "pay", "pay", "close", "close", "close", "remove", "budget", "budget", "refund",
    "together", "within", "within", "within", "runs", "runs", "runs", "runs",
)  # fmt: skip
_ACTS_ABOUT: Final = {
    "budgets": ("together", "together", "together", "together", "budget", "budget", "pay", "close", "refund"),
    ABOUT_JOB_BUDGETS: ("within", "within", "within", "runs", "runs", "runs", "runs", "refund"),
}
_WINDOWS: Final[tuple[Window | None, ...]] = (None, "minute", "minute", "minute", "hour", "day", "month")

_SHORT: Final[tuple[Window, ...]] = ("minute", "minute", "minute", "hour")


Within = tuple[Callable[..., Awaitable[None]], Callable[[dict[str, int]], Awaitable[str]]]
"""How to submit jobs with options, and to run a workflow that may spend so much by unit."""


class PriceClient:
    """The part of a client that has jobs paid for."""

    def __init__(
        self,
        name: str,
        ask: Callable[[api.Request], Awaitable[Any]],
        within: Within,
        choices: Choices,
        options: Options,
    ) -> None:
        self._name = name
        self._ask = ask
        self._submit, self._run = within
        self._choices = choices
        self._acts = _ACTS_ABOUT.get(options.about or "", _ACTS)
        self._made = 0

    async def act(self) -> None:
        """Do a few things about prices, one after the other."""
        for _ in range(self._choices.between("price.acts", 1, 4)):
            await self._do()
            await asyncio.sleep(self._choices.pick("price.pause", (0.0, 0.0, 0.3)))

    async def _do(self) -> None:
        """Set a price or remove one, pay something in, or close the account that pays for a while."""
        draw = self._choices
        unit, kind = draw.pick("price.unit", _UNITS), draw.pick("price.kind", KINDS)
        what = draw.pick("price.what", self._acts)
        others = {
            "budget": self._limit,
            "within": self._spend_within,
            "together": self._spend_together,
            "refund": self._refund,
            "runs": self._run_within,
        }
        if what in others:
            await others[what](unit, kind)
            return
        if what == "remove":
            await self._ask(api.RemovePrice(kind=kind, reason="a test"))
            return
        if what == "close":
            who = draw.pick("price.closed", (PAYER, PAYER, "operator", "operator", *_WORKERS, *_WORKERS))
            await self._transfer(who, await self._unit_in_use(unit))
            return
        if what == "pay" or draw.chance("price.pays_first", 900):
            await self._ask(api.OpenAccount(account=PAYER, unit=unit))
            await self._transfer(None, unit)
        if what == "set":
            await self._set_price(_UNKNOWN if draw.chance("price.no_unit", 50) else unit, kind)

    async def _set_price(self, unit: str, kind: str, amounts: tuple[int, ...] = (1, 10, 25)) -> None:
        draw = self._choices
        amount, metered = (
            draw.pick("price.amount", amounts),
            draw.pick("price.metered", (False, False, True)),
        )
        is_shared = draw.pick("price.worker_share", (False, True, True))
        for worker in _WORKERS if is_shared and unit != _UNKNOWN else ():
            await self._ask(api.OpenAccount(account=worker, unit=unit))
            if draw.chance("price.worker_away", 200):
                await self._transfer(worker, unit)
        await self._ask(
            api.SetPrice(
                kind=kind,
                unit=unit,
                amount=amount,
                metered=metered,
                worker_share=is_shared,
                reason="a test",
            )
        )

    async def _limit(self, unit: str, kind: str) -> None:
        """Say how much jobs may spend, or that nothing bounds it."""
        draw = self._choices
        subject = draw.pick(
            "budget.subject",
            (
                f"kind:{kind}",
                "queue:default",
                PAYER,
                "partition:p",
                "partition:p",
                "partition:q",
                "tenant:other",
            ),
        )
        if draw.chance("budget.removed", 150):
            await self._ask(api.RemoveBudget(subject=subject, unit=unit, reason="a test"))
            return
        amount = draw.pick("budget.amount", (0, 25, 30, 60, 120))
        per = draw.pick("budget.per", _WINDOWS)
        await self._ask(api.SetBudget(subject=subject, unit=unit, amount=amount, per=per, reason="a test"))

    async def _spend_within(self, unit: str, _kind: str) -> None:
        """Submit jobs with budgets of one attempt or of several; then their kinds may cost more."""
        draw = self._choices
        if draw.chance("job_budget.no_unit", 50):
            await self._submit(budget={_UNKNOWN: 10})
            return
        if draw.chance("job_budget.pays_first", 900):
            await self._pay_in(unit)
        if draw.chance("job_budget.has_price", 700):
            await self._set_prices(unit, 10)
        for _ in range(draw.between("job_budget.calls", 1, 2)):
            with suppress(InvalidInput):
                budget = {unit: draw.pick("job_budget.amount", (10, 12, 16, 22, 25))}
                await self._submit(budget=budget, attempts_max=draw.pick("job_budget.attempts", (4, 3, 2)))
        if draw.chance("job_budget.is_raised", 500):
            # By then some have been charged for attempts, and may have failed or been handed back.
            await asyncio.sleep(draw.pick("job_budget.raised_after", (0.0, 0.5, 3.0)))
            await self._set_prices(unit, draw.pick("job_budget.raised_to", (12, 18, 26)))
            await self._submit(budget={unit: draw.pick("job_budget.amount", (10, 12, 16, 22, 25))})

    async def _run_within(self, unit: str, _kind: str) -> None:
        """Run workflows with budgets; then their jobs may cost more."""
        draw = self._choices
        if draw.chance("run_budget.pays_first", 900):
            await self._pay_in(unit)
            for _ in range(2):
                await self._transfer(None, unit)
            await self._set_prices(unit, 10)
        is_held_up = draw.chance("run_budget.is_held_up", 500)
        for kind in KINDS if is_held_up else ():
            # So that all that a budget can pay for is queued when it can pay for less.
            await self._ask(api.PauseKind(kind=kind, reason="a test"))
        for _ in range(draw.between("run_budget.runs", 1, 3)):
            with suppress(NotFound, LimitReached):
                await self._run({unit: draw.pick("run_budget.amount", (10, 12, 20, 25, 25, 40))})
            await asyncio.sleep(draw.pick("run_budget.pause", (0.0, 1.0, 5.0)))
        if draw.chance("run_budget.is_raised", 900 if is_held_up else 500):
            await self._set_prices(unit, 13)
        for kind in KINDS if is_held_up else ():
            await self._ask(api.ResumeKind(kind=kind))

    async def _pay_in(self, unit: str) -> None:
        """See to it that nothing but their own budgets holds jobs back."""
        await self._ask(api.OpenAccount(account=PAYER, unit=unit))
        await self._transfer(None, unit)
        for subject in (PAYER, "queue:default"):
            with suppress(NotFound):
                await self._ask(api.RemoveBudget(subject=subject, unit=unit))

    async def _spend_together(self, unit: str, kind: str) -> None:
        """Submit jobs at once of which a budget, or what there is, is enough for some only."""
        draw = self._choices
        if draw.chance("together.pays_first", 600):
            await self._ask(api.OpenAccount(account=PAYER, unit=unit))
            await self._transfer(None, unit)
        await self._set_price(unit, draw.pick("together.kind", KINDS), (10,))
        subjects = ("partition:p", "partition:p", "partition:p", PAYER, f"kind:{kind}", None)
        subject = draw.pick("together.subject", subjects)
        if subject is not None:
            amount, per = draw.pick("together.amount", (15, 25, 35)), draw.pick("together.per", _SHORT)
            wanted = api.SetBudget(subject=subject, unit=unit, amount=amount, per=per, reason="a test")
            await self._ask(wanted)
        else:
            await self._leave_little(unit)
        for _ in range(draw.between("together.calls", 1, 3)):
            await self._submit(partition="p")

    async def _leave_little(self, unit: str) -> None:
        """Leave who pays for jobs with enough for one attempt, whatever it is at."""
        await self._set_prices(unit, 10)
        self._made += 1
        key = f"{self._name}-price-{self._made}"
        transfers = [
            Transfer(
                id=transfer_id(key),
                debit=PAYER,
                credit="operator",
                unit=unit,
                amount=1_000,
                balancing="debit",
            ),
            Transfer(id=transfer_id(f"{key}-left"), debit=ISSUE, credit=PAYER, unit=unit, amount=15),
        ]
        await self._ask(api.ApplyTransfers(transfers=transfers, reason="a test"))

    async def _set_prices(self, unit: str, amount: int) -> None:
        for kind in KINDS:
            wanted = api.SetPrice(kind=kind, unit=unit, amount=amount, metered=True, reason="a test")
            await self._ask(wanted)

    async def _refund(self, _unit: str, _kind: str) -> None:
        """Give back something of what an attempt was charged."""
        page = await self._ask(api.ListTransfers(account="operator", unit="credits", limit=500))
        settled = [one.id for one in page.items if one.phase == "post" and one.id.startswith(_OF_ATTEMPTS)]
        if not settled:
            return
        self._made += 1
        asked = Transfer(
            id=transfer_id(f"{self._name}-price-{self._made}"),
            corrects=self._choices.pick("price.refunded", settled[-3:]),
            amount=self._choices.pick("price.refund", (None, 1, 1)),
        )
        await self._ask(api.ApplyTransfers(transfers=[asked], reason="a test"))

    async def _unit_in_use(self, other: str) -> str:
        """One in which attempts that run are paid for, or some are to be; `other` when there is none."""
        units = {one.kind: one.unit for one in await self._ask(api.ListPrices())}
        running = await self._ask(api.ListJobs(state="running", limit=10))
        in_use = [units[job.kind] for job in running.items if job.kind in units]
        return (*in_use, *units.values(), other)[0]

    async def _transfer(self, closed: str | None, unit: str) -> None:
        """Grant something to who pays for jobs, or keep an account closed for a moment."""
        self._made += 1
        key = transfer_id(f"{self._name}-price-{self._made}")
        if closed is None:
            amount = self._choices.pick("price.paid", (5, 30, 100, 400))
            asked = Transfer(id=key, debit=ISSUE, credit=PAYER, unit=unit, amount=amount)
        else:
            other = "operator" if closed == PAYER else PAYER
            asked = Transfer(
                id=key, phase="pending", debit=closed, credit=other, unit=unit, amount=0, closes="debit",
                timeout_seconds=self._choices.pick("price.closed_for", _CLOSED_SECONDS[closed in _WORKERS]),
            )  # fmt: skip
        await self._ask(api.ApplyTransfers(transfers=[asked], reason="a test"))
