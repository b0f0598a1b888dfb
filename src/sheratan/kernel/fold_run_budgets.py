"""The fold of budgets of runs: what their jobs have spent, made anew, and no attempt that goes over one."""

from __future__ import annotations

from typing import Any, NamedTuple

from sheratan.contracts.ids import parse_run_id
from sheratan.contracts.journal import Entry
from sheratan.contracts.ledger import ISSUE
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_budgets import ChargeFact
from sheratan.kernel.fold_job_budgets import JobBudgetFold
from sheratan.kernel.fold_workflows import runs_above
from sheratan.kernel.new_facts import RunSpent
from sheratan.kernel.stencil import Run

__all__ = ["RunBudgetFact", "RunBudgetFold"]


class RunBudgetFact(NamedTuple):
    """What the jobs of a run may spend in a unit, and what they do.

    `holders` are the run, the open jobs that spend for it, and their attempts that are not settled. Without any, what
    was spent does not change any more.
    """

    amount: int
    reserved: int = 0
    charged: int = 0
    holders: int = 1


class RunBudgetFold(JobBudgetFold):
    """What is left of the budgets of runs."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.run_budgets: dict[int, dict[str, RunBudgetFact]] = {}
        """By run and unit."""
        self.spenders: dict[int, tuple[int, ...]] = {}
        """By open job, the runs that it spends for."""

    def run_started(self, entry: Entry) -> None:
        """A run begins, maybe one with a budget."""
        super().run_started(entry)
        budget = entry.data.get("spend")
        if budget:
            self.run_budgets[entry.data["number"]] = {unit: RunBudgetFact(amount) for unit, amount in budget}

    def submitted(self, entry: Entry) -> None:
        """A job comes in, maybe one that spends for runs."""
        said = tuple(entry.data.get("spends_for", ()))
        if not (said or self.run_budgets):
            super().submitted(entry)
            return
        wanted = self._spends_for(entry)
        super().submitted(entry)
        if said != wanted:
            self.say(entry, "L16", f"it spends for the runs {list(wanted)}; it says {list(said)}")
        if wanted and entry.data["number"] in self.open:
            self.spenders[entry.data["number"]] = wanted
            self._hold(wanted, 1)

    def follows_from_end(self, number: int, state: str) -> None:
        """A job has ended: it spends no more."""
        super().follows_from_end(number, state)
        self._hold(self.spenders.pop(number, ()), -1)

    def run_succeeds(self, run: Run) -> bool:
        """Take attempts that succeed, none of whose jobs spends for a run."""
        return not self.spenders and super().run_succeeds(run)

    def run_changed(self, entry: Entry) -> None:
        """A run that has ended spends no more, but for what of it is open; and it may be out of funds."""
        run, decided = self.runs.get(entry.subject), entry.decision
        is_spent = decided is not None and decided["rule"].startswith("workflow.budget@")
        if run is not None and (is_spent or _stops(entry)):
            self._check_stopped(entry, run.number, is_told=is_spent)
        super().run_changed(entry)
        if run is not None and entry.subject not in self.runs:
            self._hold((run.number,), -1)

    def changed(self, entry: Entry) -> None:
        """A job may be decided about by the budget of a run."""
        decided = entry.decision
        if decided is not None and decided["rule"].startswith("workflow.budget@"):
            job = self.by_subject.get(entry.subject)
            is_node = job is not None and job.number in self.run_jobs
            if entry.type != "job.failed" or is_node or decided["chosen"] != "end":
                self.say(entry, "L16", f"{decided['chosen']} was chosen by the budget of a run")
            self._check_spend_told(entry, entry.subject, decided["input"])
        super().changed(entry)

    def spend(self, entry: Entry, charge: ChargeFact) -> None:
        """An attempt starts: there is enough of the budgets of the runs that its job spends for."""
        super().spend(entry, charge)
        for run, fact in self._facts(charge):
            if fact.reserved + fact.charged + charge.amount > fact.amount:
                text = f"job {charge.number} starts for {charge.amount}; run number {run} has {fact}"
                self.say(entry, "L16", text)
            changed = fact._replace(reserved=fact.reserved + charge.amount, holders=fact.holders + 1)
            self.run_budgets[run][charge.unit] = changed

    def settled(self, entry: Entry, charge: ChargeFact, due: int) -> None:
        """An attempt is settled: what it did not cost is free again."""
        super().settled(entry, charge, due)
        for run, fact in self._facts(charge):
            self.run_budgets[run][charge.unit] = fact._replace(
                reserved=fact.reserved - charge.amount, charged=fact.charged + due, holders=fact.holders - 1
            )
            self._hold((run,), 0)

    def _spends_for(self, entry: Entry) -> tuple[int, ...]:
        """The runs with budgets for which a job that comes in spends: those above its node, or of its submitter."""
        data = entry.data
        run = self.runs.get(data["workflow"]) if "workflow" in data else None
        if run is not None:
            above = () if data.get("undoes") else (run, *runs_above(run))
            return tuple(sorted(one.number for one in above if one.number in self.run_budgets))
        parent = self.by_subject.get(data.get("by_job", ""))
        return () if parent is None else self.spenders.get(parent.number, ())

    def _facts(self, charge: ChargeFact) -> list[tuple[int, RunBudgetFact]]:
        """The budgets of runs that an attempt uses."""
        of_runs = [(run, self.run_budgets.get(run, {}).get(charge.unit)) for run in charge.spends_for]
        return [(run, fact) for run, fact in of_runs if fact is not None]

    def _hold(self, runs: tuple[int, ...], count: int) -> None:
        """So many more hold the budgets of runs open; what was spent is told once nobody does."""
        for run in runs:
            facts = self.run_budgets.get(run, {})
            for unit, fact in list(facts.items()):
                facts[unit] = fact._replace(holders=fact.holders + count)
            if facts and not any(fact.holders for fact in facts.values()):
                del self.run_budgets[run]
                told = (RunSpent(run, unit, *fact[:3]) for unit, fact in sorted(facts.items()))
                self.new.runs_spent.extend(told)

    def _check_stopped(self, entry: Entry, number: int, *, is_told: bool) -> None:
        """A run is stopped for want of funds by a job of it that was to start."""
        if not (is_told and _stops(entry)):
            self.say(entry, "L16", f"{entry.type} does not follow from a budget, or it was not told of one")
            return
        given = decision_of(entry)["input"]
        job = self.by_subject.get(given["job"])
        if given["run"] != entry.subject or job is None or job.number not in self.run_jobs:
            self.say(entry, "L16", f"{given['job']} is no job of a node of run number {number}")
        self._check_spend_told(entry, given["job"], given)

    def _check_spend_told(self, entry: Entry, subject: str, given: dict[str, Any]) -> None:
        """A decision was told the budget of a run, what is left of it, and the price of a job that was to start."""
        run, unit, job = parse_run_id(given["run"]).number, given["unit"], self.by_subject.get(subject)
        fact = self.run_budgets.get(run, {}).get(unit)
        price = None if job is None else self.prices.get((job.tenant, job.kind))
        if fact is None or job is None or price is None or run not in self.spenders.get(job.number, ()):
            self.say(entry, "L16", f"{subject} does not spend {unit} for {given['run']}")
            return
        scale = self.ledger.accounts[job.tenant, ISSUE, unit].scale
        stands = (subject, unit, scale, *fact[:3], price.unit, price.amount)
        names = ("job", "unit", "scale", "budget", "reserved", "charged", "unit", "price")
        told = tuple(given[name] for name in names)
        is_over = given["reserved"] + given["charged"] + given["price"] > given["budget"]
        if told != stands or job.state != "queued" or not is_over:
            self.say(entry, "L16", f"{job.state} it stands at {stands}; the decision was told {told}")


def _stops(entry: Entry) -> bool:
    """Whether a run begins to stop for want of funds."""
    return entry.type == "workflow.stopping" and entry.data["ending"] == "out_of_funds"
