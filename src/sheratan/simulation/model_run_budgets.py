"""The part of the model that knows budgets of runs: who spends for which, and what is left of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from sheratan.contracts.ledger import ISSUE
from sheratan.engine.commands import Pending
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_lanes import lane_of
from sheratan.simulation.model_run_state import ModelRun, workflows_of
from sheratan.simulation.model_runs import ModelRuns
from sheratan.simulation.model_state import TERMINAL, ModelJob

__all__ = ["ModelRunBudgets"]

_UNDO: Final = -2


class ModelRunBudgets(ModelRuns):
    """Budgets of runs."""

    def __init__(self, *given: Any, short_windows: bool) -> None:
        super().__init__(*given, short_windows=short_windows)
        self.spent_of: dict[int, dict[tuple[int, int], tuple[str, int]]] = {}
        """By run, what each attempt may cost, or did: by job and fence, in which unit how much."""
        self.overspent: set[int] = set()
        """Jobs that were to start, and could go over the budget of a run."""
        self.overspent_now = frozenset[int]()
        """Those that the engine has come across in this batch."""

    def _start(self, pending: Pending, plan: dict[str, Any], name: str, value: Any, wall_us: int) -> ModelRun:
        """Nobody has a run begin whose budget is in no unit."""
        units = {unit for workflow in workflows_of(plan).values() for unit in _spend(workflow)}
        if any((ISSUE, unit) not in self.book.accounts for unit in units):
            self.hit("run_budget.no_unit")
            raise Refused("not_found")
        return super()._start(pending, plan, name, value, wall_us)

    def payers(self, job: ModelJob) -> list[ModelRun]:
        """The runs with budgets for which a job spends: those above its node, or those of who has submitted it."""
        while job.number not in self.part_of:
            if job.by_job is None:
                return []
            job = self.jobs[job.by_job]
        run, _, item = self.part_of[job.number]
        return [] if item == _UNDO else sorted(_with_budget(run), key=lambda one: one.number)

    def run_used(self, run: ModelRun, unit: str) -> int:
        """What is charged and reserved of the budget of a run."""
        attempts = self.spent_of.get(run.number, {}).values()
        return sum(amount for one, amount in attempts if one == unit)

    def charge_starts(self, started: Iterable[ModelJob], worker: str) -> None:
        """What the attempts may cost is taken from the budgets of runs, too."""
        jobs = list(started)
        super().charge_starts(jobs, worker)
        for job in jobs:
            price = self.price_of(lane_of(job))
            if price is None:
                continue
            for run in self.payers(job):
                self.hit("run_budget.used")
                self.spent_of.setdefault(run.number, {})[job.number, job.fence] = (price.unit, price.amount)

    def spent(self, attempt: tuple[int, int], due: int) -> None:
        """An attempt has ended, and did cost so much."""
        super().spent(attempt, due)
        for attempts in self.spent_of.values():
            if attempt in attempts:
                attempts[attempt] = (attempts[attempt][0], due)

    def within_runs(self, chosen: list[ModelJob]) -> list[ModelJob]:
        """The first of these jobs, as many as budgets of runs are enough for; what is in the way is to end."""
        asked = Counter[tuple[int, str]]()
        for place, job in enumerate(chosen):
            for run, unit, price, left in self._asks(job):
                before = asked[run.number, unit]
                if before + price > left:
                    if not before and (not self.short_windows or job.number in self.overspent_now):
                        self.overspent.add(job.number)
                    self.hit("run_budget.fewer_start" if place else "run_budget.none_starts")
                    return chosen[:place]
                asked[run.number, unit] += price
        return chosen

    def end_overspent(self) -> None:
        """Runs are stopped, and jobs that no run waits for end, that have too little left for an attempt."""
        for number in sorted(self.overspent):
            job = self.jobs[number]
            short = next((run for run, _, price, left in self._asks(job) if price > left), None)
            if job.state != "queued" or short is None:
                continue
            if number in self.part_of:
                self.hit("workflow.out_of_funds")
                self._stop_run(short, "out_of_funds")
            else:
                self.hit("run_budget.child_not_started")
                job.error_class = "fatal"
                self._end(job, "failed", job.attempt - 1)
        self.overspent.clear()

    def _waits_for_funds(self, run: ModelRun, item: int) -> bool:
        """Whether no more jobs of a run may be open than are, since the dearest would not be paid for."""
        if item == _UNDO:
            return False
        for payer in _with_budget(run):
            members = [job for job in self._node_jobs(payer) if job.state not in TERMINAL]
            for unit, amount in _spend(payer.workflow).items() if members else ():
                charged = self._charged(payer, unit)
                if charged + self._dearest(payer, unit) * (len(members) + 1) > amount:
                    return True
        return False

    def _charged(self, run: ModelRun, unit: str) -> int:
        """What has ended by now of what a run pays for, that which is settled with this batch, too."""
        charged = 0
        for (number, fence), (of_unit, amount) in self.spent_of.get(run.number, {}).items():
            job, charge = self.jobs[number], self._open.get(number)
            if of_unit == unit and (charge is None or charge.fence != fence):
                charged += amount
            elif of_unit == unit and charge is not None and job.state != "running":
                charged += self._charge_due(job, charge)
        return charged

    def _dearest(self, run: ModelRun, unit: str) -> int:
        plans = (run.plan, *run.plan.get("workflows", {}).values())
        kinds = {job["kind"] for plan in plans for job in plan["jobs"].values()}
        prices = [price for kind in kinds if (price := self.prices.get(kind)) is not None]
        return max((price.amount for price in prices if price.unit == unit), default=0)

    def _node_jobs(self, payer: ModelRun) -> Iterator[ModelJob]:
        for number, (run, _, item) in self.part_of.items():
            if item != _UNDO and payer in run.chain:
                yield self.jobs[number]

    def _asks(self, job: ModelJob) -> Iterator[tuple[ModelRun, str, int, int]]:
        """The budgets of runs that an attempt at a job uses: of which run, in which unit, how much, what is left."""
        price = self.price_of(lane_of(job))
        if price is None:
            return
        for run in self.payers(job):
            amount = _spend(run.workflow).get(price.unit)
            if amount is not None:
                yield run, price.unit, price.amount, amount - self.run_used(run, price.unit)


def _spend(workflow: dict[str, Any]) -> dict[str, int]:
    spend: dict[str, int] = workflow.get("budget", {}).get("spend", {})
    return spend


def _with_budget(run: ModelRun) -> list[ModelRun]:
    return [one for one in run.chain if _spend(one.workflow)]
