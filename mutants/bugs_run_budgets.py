"""Planted bugs in budgets of runs: attempts start that could go over them, or jobs wait that need not."""

from __future__ import annotations

from typing import Final

from mutants.bug import Bug, Change

__all__ = ["BUGS"]

_BUDGETS = "engine/run_budgets.py"

BUGS: Final = (
    Bug(
        "budget-of-a-run-is-not-looked-at-before-a-start",
        "a job of a run is started although what it may cost is not left of the run's budget",
        "safety",
        "L16",
        (
            Change(
                _BUDGETS,
                "    if not batch.state.billing.bounds_runs:\n        return len",
                "    if True:\n        return len",
            ),
        ),
    ),
    Bug(
        "budget-of-a-run-forgets-what-runs",
        "what is reserved for attempts that run does not count for the budget of their run",
        "safety",
        "L16",
        (Change(_BUDGETS, "row.amount - row.reserved - row.charged", "row.amount - row.charged"),),
    ),
    Bug(
        "budget-of-a-run-counts-each-start-alone",
        "jobs that start together are each told that all of the run's budget is left",
        "safety",
        "L16",
        (Change(_BUDGETS, "            asked[row[:2]] += price\n", "            pass\n"),),
    ),
    Bug(
        "budget-of-a-run-keeps-what-was-not-spent",
        "what an attempt has not cost is never free again for its run",
        "safety",
        "J14",
        (Change(_BUDGETS, "reserved=row.reserved - charge.amount, charged", "charged"),),
    ),
    Bug(
        "budget-of-a-run-is-not-that-of-runs-below",
        "what the jobs of a run below spend does not count for the run above",
        "safety",
        "L16",
        (
            Change(
                "engine/runs.py",
                "        runs = (self, *self.above())\n        return tuple",
                "        runs = (self,)\n        return tuple",
            ),
        ),
    ),
    Bug(
        "budget-of-a-run-is-not-that-of-its-jobs-children",
        "a job that a job of a run submits spends as if nobody had asked it to",
        "safety",
        "L16",
        (Change("engine/submitted.py", "else spends_for(batch, job.submitted_by)", "else ()"),),
    ),
    Bug(
        "budget-of-a-run-lets-all-of-its-jobs-in",
        "as many jobs of a run come in as there are, whether its budget can pay for them or not",
        "safety",
        "E11",
        (Change("engine/run_funds.py", "<= row.amount", ">= 0"),),
    ),
    Bug(
        "budget-of-a-run-forgotten-by-a-restart",
        "an engine that starts does not know that runs may have budgets",
        "safety",
        "L16",
        (Change("engine/billing_state.py", "store.any_run_budget()", "False"),),
    ),
)
