"""A job that another one waits for has ended: what now?"""

from __future__ import annotations

from typing import Any

from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count

__all__ = ["AFTER", "decide_after"]

AFTER = "job.after@1"


@rule("job.after", 1)
def decide_after(given: dict[str, Any]) -> Verdict:
    """Choose `wait`, `queue`, `schedule` or `cancel` for a blocked job.

    Input: missing (named jobs that have not ended), ended (id of the one that ended now), state (how), failed
    (how many of them ended without success), after_failure (cancel or run), delay_us (what is left of its delay).
    """
    if given["state"] != "succeeded" and given["after_failure"] == "cancel":
        return Verdict(
            "cancel", f"Cancelled: {given['ended']}, which it was to run after, ended as {given['state']}."
        )
    if given["missing"]:
        return Verdict("wait", f"Still waits for {count(given['missing'], 'job')}.")
    failed = f", {given['failed']} of them without success, as it allows" if given["failed"] else ""
    if given["delay_us"]:
        return Verdict("schedule", f"All jobs it waited for have ended{failed}; its delay goes on.")
    return Verdict("queue", f"All jobs it waited for have ended{failed}; it is ready.")
