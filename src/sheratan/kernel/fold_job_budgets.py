"""The fold of budgets of single jobs: what each was charged, made anew, and no attempt that could go over its job's."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.journal import Entry
from sheratan.contracts.ledger import ISSUE
from sheratan.kernel.facts import BudgetLeft, OpenJob, Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_budgets import BudgetFold, ChargeFact
from sheratan.kernel.fold_ledger import LedgerFold

__all__ = ["JobBudgetFold"]


class JobBudgetFold(BudgetFold):
    """What is left of the budgets of jobs."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.charges: dict[int, ChargeFact] = {}
        """By job, the attempts that run and cost something."""
        self.ledger = LedgerFold(self.say)

    def spend(self, entry: Entry, charge: ChargeFact) -> None:
        """An attempt starts: there is enough of the budget of its job."""
        super().spend(entry, charge)
        for left in self.open[charge.number].budget:
            if left.unit == charge.unit and left.charged + charge.amount > left.amount:
                self.say(entry, "L16", f"job {charge.number} starts for {charge.amount}; it has {left}")

    def settled(self, entry: Entry, charge: ChargeFact, due: int) -> None:
        """An attempt is settled, for as much as a decision was told when it ended."""
        self.spent(charge, due)
        if charge.foretold not in (None, due):
            text = f"job {charge.number} is charged {due}; by the decision about it, it was {charge.foretold}"
            self.say(entry, "L16", text)
        job = self.open.get(charge.number)
        if job is not None and job.budget:
            job.budget = tuple(
                left._replace(charged=left.charged + due) if left.unit == charge.unit else left
                for left in job.budget
            )

    def changed(self, entry: Entry) -> None:
        """It may be decided by the budget of the job."""
        job = self.by_subject.get(entry.subject)
        was_queued = job is not None and job.state == "queued"
        super().changed(entry)
        rule: str = "" if entry.decision is None else entry.decision["rule"]
        if job is not None and rule.startswith("retry."):
            self._check_left(entry, job, decision_of(entry)["input"].get("budget"))
        elif job is not None and rule.startswith("job.budget@"):
            self._check_left(entry, job, decision_of(entry)["input"])
            if not was_queued or not _is_over(decision_of(entry)["input"]):
                self.say(entry, "L16", f"job {job.number} was not to start, or there is enough left for it")

    def _check_left(self, entry: Entry, job: OpenJob, told: dict[str, Any] | None) -> None:
        """A decision was told the budget of its job, if that has one in what its attempts cost."""
        needs = self._needs(job)
        if told is None or needs is None:
            if told is not needs:
                self.say(entry, "L16", f"its price and budget are {needs}; the decision was told {told}")
            return
        price, left = needs
        scale = self.ledger.accounts[job.tenant, ISSUE, left.unit].scale
        wanted = (left.unit, scale, left.amount, price)
        said = (told["unit"], told["scale"], told["budget"], told["price"])
        if said != wanted:
            self.say(entry, "L16", f"its budget and the price are {wanted}; the decision was told {said}")
        if _is_over(told) and entry.type != "job.failed":
            self.say(entry, "L16", f"{entry.type} is for an attempt that could go over its budget: {told}")
        self._foretell(entry, left, told["charged"] - left.charged, job.number)

    def _needs(self, job: OpenJob) -> tuple[int, BudgetLeft] | None:
        """What an attempt at a job costs now, and the budget of the job in that; None where it has none."""
        price = self.prices.get((job.tenant, job.kind))
        if price is None or price.amount is None:
            return None
        return next(((price.amount, left) for left in job.budget if left.unit == price.unit), None)

    def _foretell(self, entry: Entry, left: BudgetLeft, due: int, number: int) -> None:
        """What an attempt is charged that has just ended is known when it is settled."""
        charge = self.charges.get(number)
        if charge is not None and charge.unit == left.unit:
            self.charges[number] = charge._replace(foretold=due)
        elif due:
            text = f"{left.charged} were charged; the decision was told {left.charged + due}"
            self.say(entry, "L16", text)


def _is_over(told: dict[str, Any]) -> bool:
    return bool(told["charged"] + told["price"] > told["budget"])
