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
from sheratan.engine.unstarted import fail_waiting
from sheratan.kernel.accounts import format_amount
from sheratan.kernel.job_budget import JOB_BUDGET, decide_start
from sheratan.kernel.rules import Verdict, decision
from sheratan.store.billing_rows import JobBudgetRow
from sheratan.store.rows import JobRow, Ready

__all__ = ["are_overdrawn", "budget_of", "check_budget", "end_overdrawn", "keep_budget", "told_budgets"]


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


def are_overdrawn(batch: Batch, numbers: list[int]) -> bool:
    """Whether attempts at some of these jobs, which are to start, could go over their budgets: those end at once.

    That is in the next batch, so that all that follows from their ends is in one commit with them.
    """
    if not batch.state.billing.bounds_jobs:
        return False
    found = _overdrawn(batch, numbers)
    batch.state.billing.overdrawn.update(found)
    batch.more |= bool(found)
    return bool(found)


def end_overdrawn(batch: Batch) -> None:
    """End the jobs that were to start in the batch before, unless something else has become of them."""
    billing = batch.state.billing
    numbers, billing.overdrawn = sorted(billing.overdrawn), set[int]()
    jobs = batch.jobs(numbers)
    for number, (given, verdict) in _overdrawn(batch, numbers).items():
        location = batch.locate(jobs[number])
        if type(location) is Ready:
            error = JobError(error_class="fatal", type="BudgetSpent", message=verdict.because)
            fail_waiting(batch, jobs[number], location, error, decision(JOB_BUDGET, given, verdict))


def _overdrawn(batch: Batch, numbers: list[int]) -> dict[int, tuple[dict[str, Any], Verdict]]:
    """Those of these jobs of which an attempt could go over the budget, each with what decides that."""
    told = told_budgets(batch, list(batch.jobs(numbers).values()))
    found = {number: (given, decide_start(given)) for number, given in told.items()}
    return {number: one for number, one in found.items() if one[1].chosen == "end"}


def _rows(batch: Batch, numbers: list[int]) -> list[JobBudgetRow]:
    fresh = batch.unit.ledger.job_budgets
    return [*batch.state.store.job_budgets(numbers), *(row for one in numbers for row in fresh.get(one, ()))]
