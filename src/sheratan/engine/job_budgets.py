"""Budgets of single jobs: no attempt starts that could go over that of its own job, which ends in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import NewJob
from sheratan.engine.ledger import issue_of
from sheratan.engine.unstarted import fail_queued
from sheratan.kernel.accounts import format_amount
from sheratan.kernel.job_budget import JOB_BUDGET, decide_start
from sheratan.kernel.rules import decision
from sheratan.store.billing_rows import JobBudgetRow
from sheratan.store.rows import JobRow, Ready

__all__ = ["budget_of", "check_budget", "end_overdrawn", "keep_budget", "told_budgets"]


def check_budget(batch: Batch, new: NewJob, by: Principal) -> None:
    """Refuse a budget in a unit that nobody has, or that is too small for one attempt at what its kind costs now."""
    price = batch.state.billing.prices.get((by.tenant, new.kind)) if new.budget else None
    for unit, amount in new.budget:
        issue = issue_of(batch, by.tenant, unit, "budget")
        if price is not None and price.unit == unit and (price.amount or 0) > amount:
            needs, has = (format_amount(one, issue.account.scale) for one in (price.amount or 0, amount))
            raise InvalidInput(
                f"an attempt at a job of {new.kind} may cost {needs} {unit}, and the budget is {has};"
                " give at least that, or no budget",
                field="budget",
            )


def keep_budget(batch: Batch, number: int, budget: tuple[tuple[str, int], ...]) -> None:
    """A new job has a budget."""
    batch.unit.ledger.job_budgets[number] = tuple(JobBudgetRow(number, *one) for one in budget)
    batch.state.billing.bounds_jobs = True


def budget_of(batch: Batch, number: int) -> tuple[tuple[str, int], ...]:
    """What a job may be charged, by unit, as of this batch."""
    return tuple((row.unit, row.amount) for row in _rows(batch, [number]))


def told_budgets(batch: Batch, jobs: Sequence[JobRow]) -> dict[int, dict[str, Any]]:
    """What rules are told of those of these jobs that have a budget in what an attempt costs that starts now."""
    billing = batch.state.billing
    if not (billing.bounds_jobs and billing.prices):
        return {}
    told: dict[int, dict[str, Any]] = {}
    prices = {job.number: billing.price_of(batch.state.lane_of(job)) for job in jobs}
    for number, unit, amount in _rows(batch, list(prices)):
        price = prices[number]
        if price is not None and price.unit == unit:
            told[number] = {
                "unit": unit,
                "scale": issue_of(batch, price.tenant, unit).account.scale,
                "budget": amount,
                "charged": batch.state.store.charged(number, unit) + batch.charged[number, unit],
                "price": price.amount,
            }
    return told


def end_overdrawn(batch: Batch, numbers: list[int]) -> bool:
    """End those of these jobs, which are to start, that have too little left for it; whether there were any."""
    jobs = batch.jobs(numbers) if batch.state.billing.bounds_jobs else {}
    is_any = False
    for number, given in told_budgets(batch, list(jobs.values())).items():
        verdict = decide_start(given)
        if verdict.chosen == "end":
            location = batch.locate(jobs[number])
            assert type(location) is Ready
            error = JobError(error_class="fatal", type="BudgetSpent", message=verdict.because)
            fail_queued(batch, jobs[number], location, error, decision(JOB_BUDGET, given, verdict))
            is_any = True
    # What they leave free is given away once that is committed.
    batch.more |= is_any
    return is_any


def _rows(batch: Batch, numbers: list[int]) -> list[JobBudgetRow]:
    fresh = batch.unit.ledger.job_budgets
    return [*batch.state.store.job_budgets(numbers), *(row for one in numbers for row in fresh.get(one, ()))]
