"""What the decider remembers of what attempts cost: prices, and what is reserved for the attempts that run."""

from __future__ import annotations

from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.engine.flow_state import subjects_of
from sheratan.engine.ledger_state import LedgerState
from sheratan.kernel.billing import OPERATOR, payer_of
from sheratan.kernel.budgets import partition_in, partition_subject
from sheratan.store.billing_rows import BudgetRow, OpenCharge, PriceRow
from sheratan.store.ledger_rows import BalanceRow
from sheratan.store.port import Store
from sheratan.store.rows import TIMER_RETRY, Lane, Lease, Location, Result, Timer

__all__ = ["BillingState", "attempt_succeeded", "is_over", "left_of", "reservable"]


class BillingState:
    """Memory of billing. Where nothing has a price, an attempt costs a look into an empty dictionary."""

    def __init__(self, store: Store, ledger: LedgerState) -> None:
        self._ledger = ledger
        self.rows: dict[tuple[str, str], PriceRow] = {(row.tenant, row.kind): row for row in store.prices()}
        """What was ever set, by tenant and kind."""
        self.prices: dict[tuple[str, str], PriceRow] = {}
        """What is set and is not nothing."""
        for row in self.rows.values():
            self.put(row)
        self.budget_rows: dict[tuple[str, str, str], BudgetRow] = {}
        """What was ever set, by tenant, subject and unit."""
        self.budgets: dict[tuple[str, str, str], BudgetRow] = {}
        """What is set and was not removed."""
        self._of_partitions: set[tuple[str, str, str]] = set()
        """Those of them that hold for a partition."""
        for budget in store.budgets():
            self.put_budget(budget)
        self.bounds_jobs = store.any_job_budget()
        """Whether a job may have a budget of its own."""
        self.bounds_runs = store.any_run_budget()
        """Whether a run may have a budget of money."""
        self.overspent: set[int] = set()
        """Jobs that were to start and could go over the budget of a run: they or the run end in the next batch."""
        self.overdrawn: set[int] = set()
        """Jobs that were to start and could go over their own budget: they end in the next batch."""
        self.open: dict[int, OpenCharge] = {charge.number: charge for charge in store.open_charges()}
        """What is reserved for attempts that run, by job."""

    def put(self, row: PriceRow) -> None:
        """A price is set, or removed."""
        key = row.tenant, row.kind
        self.rows[key] = row
        if row.amount is None:
            self.prices.pop(key, None)
        else:
            self.prices[key] = row

    def put_budget(self, row: BudgetRow) -> None:
        """A budget is set, removed or used."""
        key = row[:3]
        self.budget_rows[key] = row
        if row.amount is None:
            self.budgets.pop(key, None)
            self._of_partitions.discard(key)
            return
        self.budgets[key] = row
        if partition_in(row.subject) is not None:
            self._of_partitions.add(key)

    @property
    def bounds_partitions(self) -> bool:
        """Whether any partition has a budget."""
        return bool(self._of_partitions)

    def budgets_of(self, lane: Lane, unit: str) -> list[BudgetRow]:
        """The budgets that an attempt at a job of a lane uses when it is paid in a unit, whichever partition it has."""
        if not self.budgets:
            return []
        found = [self.budgets.get((*key, unit)) for key in subjects_of(lane)]
        return [row for row in found if row is not None]

    def budget_of_partition(self, tenant: str, name: str, unit: str) -> BudgetRow | None:
        """The budget that attempts at jobs of a partition use, too, when they are paid in a unit."""
        return self.budgets.get((tenant, partition_subject(name), unit))

    def price_of(self, lane: Lane) -> PriceRow | None:
        """What an attempt at a job of a lane costs; None for nothing."""
        return self.prices.get((lane.tenant, lane.kind))

    def room(self, tenant: str, unit: str) -> int:
        """How much can be reserved for attempts of a tenant: what it has, as far as the accounts can hold it."""
        payer = self._ledger.find((tenant, payer_of(tenant), unit))
        operator = self._ledger.find((tenant, OPERATOR, unit))
        assert operator is not None, "it is opened with the price"
        return reservable(None if payer is None else payer.balance, operator.balance)


def attempt_succeeded(before: Lease, after: Location) -> bool | None:
    """Whether an attempt has succeeded, or failed by itself; None where it has done neither.

    One that was lost tells nothing of its worker: it may be the engine that has ended.
    """
    if type(after) is Result and after.state != "cancelled":
        return after.state == "succeeded" if after.losses == before.losses else None
    return False if type(after) is Timer and after.what == TIMER_RETRY else None


def is_over(row: BudgetRow, at_us: int) -> bool:
    """Whether what a budget has counted is of a window that is over."""
    return row.ends_us is not None and row.ends_us <= at_us


def left_of(row: BudgetRow, at_us: int) -> int:
    """How much of a budget may be spent at an instant; one that was lowered may be used up by more than all of it."""
    used = 0 if is_over(row, at_us) else row.reserved + row.charged
    return max(0, (row.amount or 0) - used)


def reservable(payer: BalanceRow | None, taker: BalanceRow) -> int:
    """How much can be reserved from one account for another one, as far as both can hold it."""
    if payer is None or payer.closed_by is not None or taker.closed_by is not None:
        return 0
    has = payer.credits_posted - payer.debits_pending - payer.debits_posted
    return max(0, min(has, AMOUNT_MAX - taker.credits_pending - taker.credits_posted))
