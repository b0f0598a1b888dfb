"""Budgets of runs: what attempts at their jobs may be charged in all, those of the runs below them, too.

A job of a node spends for its run and for the runs above that have a budget, unless it undoes something; a job that one
of these submits does so, too. No attempt starts that could go over such a budget. Then its run stops, or, where the
run does not wait for the job, the job fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.ids import job_id
from sheratan.engine.job_budgets import are_overdrawn
from sheratan.engine.ledger import issue_of
from sheratan.engine.run_control import stop_run
from sheratan.engine.run_ids import run_ids
from sheratan.engine.runs import OpenRun, PlanInUse
from sheratan.engine.unstarted import fail_waiting
from sheratan.kernel.partitions import PickedPartitions
from sheratan.kernel.rules import decision
from sheratan.kernel.run_budget import RUN_BUDGET, decide_start
from sheratan.kernel.sharing import Picked
from sheratan.kernel.sub_workflows import known_workflows
from sheratan.store.billing_rows import OpenCharge, PriceRow, RunBudgetRow
from sheratan.store.rows import JobRow, Ready

__all__ = [
    "budgets_of_runs",
    "check_run_budget",
    "end_overspent",
    "keep_run_budget",
    "keep_spender",
    "pick_startable",
    "spend_for_runs",
    "spends_for",
    "spent_for_runs",
]


_Picked = TypeVar("_Picked", Picked, PickedPartitions)


def check_run_budget(batch: Batch, plan: PlanInUse, by: Principal) -> None:
    """Refuse budgets in units that nobody has: nothing would be bounded by them."""
    for workflow in known_workflows(plan.plan.workflow).values():
        for unit in workflow.budget.spend:
            issue_of(batch, by.tenant, unit, "budget/spend")


def keep_run_budget(batch: Batch, run: OpenRun) -> dict[str, Any]:
    """A run begins; returns what its entry says of its budget."""
    spend = sorted(run.plan.workflow.budget.spend.items())
    for unit, amount in spend:
        row = RunBudgetRow(run.row.number, unit, amount, 0, 0)
        batch.unit.ledger.run_budgets[row[:2]] = row
        batch.state.billing.bounds_runs = True
    return {"spend": [list(one) for one in spend]} if spend else {}


def spends_for(batch: Batch, number: int) -> tuple[int, ...]:
    """The runs with budgets for which a job spends."""
    if not batch.state.billing.bounds_runs:
        return ()
    fresh = batch.unit.ledger.run_spenders.get(number)
    return fresh or tuple(row.run for row in batch.state.store.run_spenders([number]))


def keep_spender(batch: Batch, number: int, runs: tuple[int, ...]) -> None:
    """A new job spends for these runs."""
    batch.unit.ledger.run_spenders[number] = runs


def pick_startable(
    batch: Batch, given: dict[str, Any], pick: Callable[[dict[str, Any]], _Picked]
) -> _Picked | None:
    """What a lease call gives, by what the rule is given: as many jobs as budgets of jobs and of runs let start.

    Those are the first of what it would choose; where it is fewer, the rule is told of as many slots. None when the
    first may not start, or one could go over its own budget. What has to end for it, a job or a run, does so in the
    next batch, which begins at once.
    """
    picked = pick(given)
    may_start = _startable(batch, [head[2] for head in picked.chosen])
    if may_start == len(picked.chosen):
        return picked
    given["slots"] = may_start
    return pick(given) if may_start else None


def _startable(batch: Batch, numbers: list[int]) -> int:
    if are_overdrawn(batch, numbers):
        return 0
    if not batch.state.billing.bounds_runs:
        return len(numbers)
    jobs, asked = batch.jobs(numbers), Counter[tuple[int, str]]()
    for place, number in enumerate(numbers):
        for row, price in _budgets_of(batch, jobs[number]):
            before = asked[row[:2]]
            if before + price > _left(row):
                if not before:
                    batch.state.billing.overspent.add(number)
                # Where others come first, what becomes of them decides whether this one may start.
                batch.more = True
                return place
            asked[row[:2]] += price
    return len(numbers)


def end_overspent(batch: Batch) -> None:
    """Stop the runs, and end the jobs, whose budgets were not enough in the batch before, unless they are by now."""
    billing = batch.state.billing
    numbers, billing.overspent = sorted(billing.overspent), set[int]()
    for job in batch.jobs(numbers).values():
        location = batch.locate(job)
        short = next((row for row, price in _budgets_of(batch, job) if price > _left(row)), None)
        if short is None or type(location) is not Ready:
            continue
        given, run = _given(batch, job, short), batch.state.runs.open.get(short.run)
        if run is not None and job.number in batch.state.runs.of_job:
            given["state"] = run.place.state
            verdict = decide_start(given)
            record = decision(RUN_BUDGET, given, verdict)
            stop_run(batch, run, {"ending": "out_of_funds"}, run.by, record)
        else:
            verdict = decide_start(given)
            error = JobError(error_class="fatal", type="BudgetSpent", message=verdict.because)
            fail_waiting(batch, job, location, error, decision(RUN_BUDGET, given, verdict))


def budgets_of_runs(batch: Batch, runs: tuple[int, ...]) -> list[RunBudgetRow]:
    """The budgets of runs, as of this batch."""
    if not runs:
        return []
    found = {row[:2]: row for row in batch.state.store.run_budgets(runs)}
    found.update((key, row) for key, row in batch.unit.ledger.run_budgets.items() if key[0] in runs)
    return [row for _, row in sorted(found.items())]


def spend_for_runs(batch: Batch, charge: OpenCharge) -> None:
    """An attempt starts: what it may cost is taken from the budgets of its runs."""
    for row in _rows(batch, charge.number, charge.unit):
        changed = row._replace(reserved=row.reserved + charge.amount)
        batch.unit.ledger.run_budgets[row[:2]] = changed


def spent_for_runs(batch: Batch, charge: OpenCharge, due: int) -> None:
    """An attempt is settled: what it did not cost is free again."""
    for row in _rows(batch, charge.number, charge.unit):
        changed = row._replace(reserved=row.reserved - charge.amount, charged=row.charged + due)
        batch.unit.ledger.run_budgets[row[:2]] = changed


def _budgets_of(batch: Batch, job: JobRow) -> Iterator[tuple[RunBudgetRow, int]]:
    """The budgets of runs that an attempt at a job uses that starts now, each with what it may cost."""
    price: PriceRow | None = batch.state.billing.price_of(batch.state.lane_of(job))
    if price is not None and price.amount is not None:
        for row in _rows(batch, job.number, price.unit):
            yield row, price.amount


def _rows(batch: Batch, number: int, unit: str) -> list[RunBudgetRow]:
    """The budgets in a unit of the runs for which a job spends, as of this batch."""
    return [row for row in budgets_of_runs(batch, spends_for(batch, number)) if row.unit == unit]


def _left(row: RunBudgetRow) -> int:
    return row.amount - row.reserved - row.charged


def _given(batch: Batch, job: JobRow, row: RunBudgetRow) -> dict[str, Any]:
    """What the rule is told."""
    price = batch.state.billing.price_of(batch.state.lane_of(job))
    assert price is not None, "what costs nothing goes over no budget"
    return {
        "run": run_ids(batch.state.store, [row.run])[row.run],
        "job": job_id(job),
        "unit": row.unit,
        "scale": issue_of(batch, price.tenant, row.unit).account.scale,
        "budget": row.amount,
        "charged": row.charged,
        "reserved": row.reserved,
        "price": price.amount,
    }
