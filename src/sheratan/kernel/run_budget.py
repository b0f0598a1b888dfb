"""May an attempt start, by what the run may be charged that its job spends for?"""

from __future__ import annotations

from typing import Any, Final

from sheratan.kernel.accounts import format_amount
from sheratan.kernel.rules import Verdict, rule

__all__ = ["RUN_BUDGET", "decide_start"]

RUN_BUDGET: Final = "workflow.budget@1"


@rule("workflow.budget", 1)
def decide_start(given: dict[str, Any]) -> Verdict:
    """Choose `start`, or `stop` for the run, or `end` for a job that the run does not wait for.

    Input: run and job (their ids), state (of the run, when the job belongs to a node of it or of a run below it), unit
    and scale (digits after the point), and in minor units budget, charged (for attempts that have ended), reserved
    (for those that run) and price (the most that an attempt costs that starts now).
    """
    if given["reserved"] + given["charged"] + given["price"] <= given["budget"]:
        return Verdict("start", f"What an attempt may cost is left of the budget of {given['run']}.")
    price, charged, reserved, budget = (
        format_amount(given[name], given["scale"]) for name in ("price", "charged", "reserved", "budget")
    )
    unit, whose = given["unit"], "its budget" if "state" in given else f"the budget of {given['run']}"
    left = (
        f"an attempt at {given['job']} may cost {price} {unit}; of {whose} of {budget} {unit} are {charged} charged"
        f" and {reserved} reserved"
    )
    if "state" in given:
        return Verdict("stop", f"Stopped while {given['state']}: {left}.")
    return Verdict("end", f"Not started: {left}.")
