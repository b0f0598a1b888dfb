"""Jobs of runs with budgets are submitted as far as these can pay for an attempt at each that is open."""

from __future__ import annotations

from sheratan.engine.batch import Batch
from sheratan.engine.billing import due_of
from sheratan.engine.run_budgets import budgets_of_runs, spends_for
from sheratan.engine.runs import OpenRun
from sheratan.store.billing_rows import RunBudgetRow

__all__ = ["can_afford_more"]


def can_afford_more(batch: Batch, run: OpenRun) -> bool:
    """Whether one more job of a run may come in: what is left of each budget pays for it beside those that are open.

    Each is counted with the most that an attempt at any job of the run may cost. Where none is open one comes in all
    the same: if an attempt at it cannot be paid for, that is found where it would start.
    """
    if not batch.state.billing.bounds_runs:
        return True
    above = {one.row.number: one for one in (run, *run.above())}
    return all(_can_afford(batch, above[row.run], row) for row in budgets_of_runs(batch, run.spends_for()))


def _can_afford(batch: Batch, run: OpenRun, row: RunBudgetRow) -> bool:
    if not run.open_jobs:
        return True
    dearest = _dearest(batch, run, row.unit)
    # What has ended in this batch is charged at its end.
    coming = sum(
        due_of(batch, charge)
        for charge in batch.unsettled
        if charge.unit == row.unit and row.run in spends_for(batch, charge.number)
    )
    return row.charged + coming + dearest * (run.open_jobs + 1) <= row.amount


def _dearest(batch: Batch, run: OpenRun, unit: str) -> int:
    """The most that an attempt at a job of a run costs, or of one below it."""
    prices = [batch.state.billing.prices.get((run.row.tenant, kind)) for kind in run.plan.kinds]
    return max((price.amount or 0 for price in prices if price is not None and price.unit == unit), default=0)
