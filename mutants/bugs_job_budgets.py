"""Planted bugs in budgets of single jobs: attempts start that could go over them."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_BUDGETS = "engine/job_budgets.py"

BUGS: Final = (
    Bug(
        "budget-of-a-job-is-not-looked-at-before-a-start",
        "a job is started although its kind costs more by then than its budget",
        "safety",
        "L16",
        (Change(_BUDGETS, "    if not batch.state.billing.bounds_jobs:\n", "    if True:\n"),),
    ),
    Bug(
        "budget-of-a-job-stops-no-start",
        "a job that could go over its budget is to end, and is started all the same",
        "safety",
        "L16",
        (Change(_BUDGETS, "    return bool(found)\n", "    return False\n"),),
    ),
    Bug(
        "budget-of-a-job-forgets-earlier-attempts",
        "only what the attempt that has just ended has cost counts for the budget of its job",
        "safety",
        "L16",
        (Change(_BUDGETS, "batch.state.store.charged(number, unit) + batch", "batch"),),
    ),
    Bug(
        "budget-of-a-job-forgets-the-attempt-that-ends",
        "what a failed attempt has cost does not count where it is decided whether there is another one",
        "safety",
        "L16",
        (
            Change(
                "engine/settle.py",
                '            budget["charged"] += due_of(batch, charge)\n',
                "            pass\n",
            ),
        ),
    ),
    Bug(
        "budget-of-a-job-forgotten-by-a-restart",
        "an engine that starts does not know that jobs may have budgets",
        "safety",
        "L16",
        (Change("engine/billing_state.py", "store.any_job_budget()", "False"),),
    ),
)
