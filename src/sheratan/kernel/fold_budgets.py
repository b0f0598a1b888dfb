"""The fold of budgets of money: what their jobs have spent, made anew, and no start that goes over one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sheratan.contracts.journal import Entry
from sheratan.kernel.budgets import budget_subject, partition_in, partition_subject, window_end_us
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_dead import DeadFold

__all__ = ["BudgetFact", "BudgetFold", "ChargeFact", "PriceFact"]


class BudgetFact(NamedTuple):
    """How much may be spent, None: as much as there is; and what is, by attempts with fences from `since` on."""

    per: str | None
    amount: int | None
    entry: int
    since: int
    ends_us: int | None
    reserved: int
    charged: int


class PriceFact(NamedTuple):
    """What an attempt at a job of a kind costs; `amount` None: nothing any more."""

    unit: str
    amount: int | None
    metered: int
    entry: int
    worker_share: int = 0


class ChargeFact(NamedTuple):
    """An attempt that costs something: the job, the fence of its lease, and what is to be reserved."""

    number: int
    fence: int
    tenant: str
    queue: str
    kind: str
    unit: str
    amount: int
    metered: int
    worker: str | None = None
    """The account that gets a share of it."""
    leased_us: int = 0
    partition: str = ""
    foretold: int | None = None
    """What a decision about its job was told that it has cost, before that was settled."""
    spends_for: tuple[int, ...] = ()
    """The runs from whose budgets it is paid."""


class BudgetFold(DeadFold):
    """What is left of each budget."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.budgets: dict[tuple[str, str, str], BudgetFact] = {}
        """By tenant, subject and unit."""
        self.prices: dict[tuple[str, str], PriceFact] = {}
        """By tenant and kind."""

    def budget_set(self, entry: Entry) -> None:
        """Somebody says how much may be spent, or that it may be as much as there is."""
        data, name = entry.data, entry.subject
        subject, _, unit = name.partition(":")[2].rpartition("/")
        key, amount = (entry.tenant, subject, unit), data["amount"]
        known = self.budgets.get(key)
        self.check_previous(entry, None if known is None else known.entry)
        per = data.get("per")
        if known is None or known.amount is None or amount is None or per != known.per:
            ends_us = window_end_us(per, entry.at)
            self.budgets[key] = BudgetFact(per, amount, entry.seq, entry.seq, ends_us, 0, 0)
        else:
            self.budgets[key] = known._replace(amount=amount, entry=entry.seq)

    def spend(self, entry: Entry, charge: ChargeFact) -> None:
        """An attempt starts: there is enough of each of its budgets."""
        for key in self._budgets_of_charge(charge):
            fact = self.budgets[key]
            if fact.ends_us is not None and fact.ends_us <= entry.at:
                ends_us = window_end_us(fact.per, entry.at)
                fact = fact._replace(since=entry.seq, ends_us=ends_us, reserved=0, charged=0)
            if self.left_of(key, entry.at) < charge.amount:
                text = f"job {charge.number} starts for {charge.amount}; {key[1]} has less left of {fact}"
                self.say(entry, "L16", text)
            self.budgets[key] = fact._replace(reserved=fact.reserved + charge.amount)

    def spent(self, charge: ChargeFact, due: int) -> None:
        """An attempt is settled: what it did not cost is free again."""
        for key in self._budgets_of_charge(charge):
            fact = self.budgets[key]
            if charge.fence >= fact.since:
                charged = fact.charged + due
                self.budgets[key] = fact._replace(reserved=fact.reserved - charge.amount, charged=charged)

    def left_of(self, key: tuple[str, str, str], at_us: int) -> int:
        """How much may be spent of a budget at an instant."""
        fact = self.budgets[key]
        if fact.amount is None:
            return 0
        is_over = fact.ends_us is not None and fact.ends_us <= at_us
        return max(0, fact.amount - (0 if is_over else fact.reserved + fact.charged))

    def dearest(self, kinds: set[str]) -> dict[tuple[str, str], int]:
        """By tenant and unit, the most that an attempt at a job of any of these kinds costs."""
        found: dict[tuple[str, str], int] = {}
        for (tenant, kind), price in self.prices.items():
            if kind in kinds and price.amount is not None:
                found[tenant, price.unit] = max(price.amount, found.get((tenant, price.unit), 0))
        return found

    def check_budget_told(self, entry: Entry, subject: str, kinds: set[str], attempts: int) -> None:
        """So many attempts are within a budget as a decision was told."""
        within = [
            self.left_of((tenant, about, unit), entry.at) // amount
            for (tenant, unit), amount in self.dearest(kinds).items()
            for of_tenant, about, of_unit in self.budgets
            if (of_tenant, of_unit, budget_subject(about, unit)) == (tenant, unit, subject)
        ]
        if attempts not in within:
            self.say(entry, "L16", f"{subject} was told to have {attempts} left; it is one of {within}")

    def check_partition_told(self, entry: Entry, subject: str, whose: set[str | None], attempts: int) -> None:
        """So many attempts are within the budget of the partition that it holds up, by what some kind costs."""
        within = [
            self.left_of((tenant, about, unit), entry.at) // price.amount
            for tenant, about, unit in self.budgets
            if {partition_in(about)} == whose and budget_subject(about, unit) == subject
            for (of_tenant, _), price in self.prices.items()
            if price.amount is not None and (of_tenant, price.unit) == (tenant, unit)
        ]
        if attempts not in within:
            self.say(entry, "L16", f"{subject} was told to have {attempts} left; it is one of {within}")

    def check_no_budget(self, entry: Entry, queue: str, kind: str) -> None:
        """A lane that was passed over for want of budget has one that is used up."""
        if not any(
            self.left_of(key, entry.at) < amount
            for (tenant, unit), amount in self.dearest({kind}).items()
            for key in self._budgets_of(tenant, queue, kind, unit)
        ):
            self.say(
                entry, "L16", f"{queue}/{kind} was passed over for want of budget, of which there is enough"
            )

    def _budgets_of_charge(self, charge: ChargeFact) -> Iterator[tuple[str, str, str]]:
        yield from self._budgets_of(charge.tenant, charge.queue, charge.kind, charge.unit)
        key = charge.tenant, partition_subject(charge.partition), charge.unit
        fact = self.budgets.get(key) if charge.partition else None
        if fact is not None and fact.amount is not None:
            yield key

    def _budgets_of(self, tenant: str, queue: str, kind: str, unit: str) -> Iterator[tuple[str, str, str]]:
        for subject in (f"queue:{queue}", f"kind:{kind}", f"tenant:{tenant}"):
            fact = self.budgets.get((tenant, subject, unit))
            if fact is not None and fact.amount is not None:
                yield tenant, subject, unit
