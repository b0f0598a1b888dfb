"""What a client may do about what attempts cost."""

from __future__ import annotations

from sheratan.contracts.api import Transport
from sheratan.contracts.prices import Charge, ListCharges, ListPrices, PriceRecord, RemovePrice, SetPrice
from sheratan.contracts.spending import BudgetRecord, ListBudgets, RemoveBudget, SetBudget
from sheratan.contracts.values import convert

__all__ = ["BillingCalls"]


class BillingCalls:
    """The part of a client that sets what attempts at jobs cost, and sees what they did cost."""

    _transport: Transport

    async def set_price(
        self,
        kind: str,
        amount: int,
        unit: str,
        *,
        metered: bool = False,
        worker_share: bool = False,
        reason: str = "",
    ) -> int:
        """An attempt at a job of a kind that succeeds costs so many minor units of a unit from now on.

        Where the price is metered, it is what the handler says (`ctx.charge`), at most the amount. So much is
        reserved before an attempt starts, from the account `tenant:NAME` of the tenant whose job it is. With
        `worker_share` a part of what an attempt is charged goes on to the account `worker:NAME` of the worker that ran
        it, in the same commit, if there is one. Returns the journal entry that says so.
        """
        wanted = {
            "kind": kind, "unit": unit, "amount": amount, "metered": metered, "worker_share": worker_share,
            "reason": reason,
        }  # fmt: skip
        entry: int = await self._transport.call(convert(wanted, SetPrice))
        return entry

    async def remove_price(self, kind: str, *, reason: str = "") -> int:
        """Attempts at jobs of a kind cost nothing from now on. Returns the journal entry that says so."""
        entry: int = await self._transport.call(convert({"kind": kind, "reason": reason}, RemovePrice))
        return entry

    async def prices(self) -> list[PriceRecord]:
        """What attempts at jobs cost, by kind."""
        records: list[PriceRecord] = await self._transport.call(ListPrices())
        return records

    async def set_budget(
        self, subject: str, amount: int, unit: str, *, per: str | None = None, reason: str = ""
    ) -> int:
        """Jobs of `tenant:NAME`, `queue:NAME` or `kind:NAME` may spend so many minor units of a unit from now on.

        `per` is `minute`, `hour`, `day` or `month`, of the calendar in UTC; without it, the amount is for all that is
        spent from now on. What would go over it waits. Returns the journal entry that says so.
        """
        wanted = {"subject": subject, "unit": unit, "amount": amount, "per": per, "reason": reason}
        entry: int = await self._transport.call(convert(wanted, SetBudget))
        return entry

    async def remove_budget(self, subject: str, unit: str, *, reason: str = "") -> int:
        """No budget bounds what these jobs spend from now on. Returns the journal entry that says so."""
        wanted = {"subject": subject, "unit": unit, "reason": reason}
        entry: int = await self._transport.call(convert(wanted, RemoveBudget))
        return entry

    async def budgets(self) -> list[BudgetRecord]:
        """How much jobs may spend, and how much of it is used, by subject and unit."""
        records: list[BudgetRecord] = await self._transport.call(ListBudgets())
        return records

    async def charges(self, job_id: str) -> list[Charge]:
        """What the attempts at a job were charged, in their order."""
        found: list[Charge] = await self._transport.call(ListCharges(id=job_id))
        return found
