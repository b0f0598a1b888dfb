"""May an attempt start, by what its own job may be charged?"""

from __future__ import annotations

from typing import Any

from sheratan.kernel.accounts import format_amount
from sheratan.kernel.rules import Verdict, rule

__all__ = ["JOB_BUDGET", "decide_start", "over_budget"]

JOB_BUDGET = "job.budget@1"


@rule("job.budget", 1)
def decide_start(given: dict[str, Any]) -> Verdict:
    """Choose `start` or `end`.

    Input: unit and scale (digits after the point), and in minor units budget, charged (for attempts that have ended)
    and price (the most that an attempt costs that starts now).
    """
    over = over_budget(given)
    if over is None:
        return Verdict("start", "What an attempt may cost is left of the job's budget.")
    return Verdict("end", f"Not started: {over}.")


def over_budget(given: dict[str, Any]) -> str | None:
    """Why an attempt could go over the budget of its job, in words; None where it could not."""
    if given["charged"] + given["price"] <= given["budget"]:
        return None
    amounts = (format_amount(given[name], given["scale"]) for name in ("price", "charged", "budget"))
    price, charged, budget = amounts
    unit = given["unit"]
    return (
        f"an attempt may cost {price} {unit}, and {charged} of the job's budget of {budget} {unit} are used"
    )
