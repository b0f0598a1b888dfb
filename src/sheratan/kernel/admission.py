"""May this job come in, and where does it start?"""

from __future__ import annotations

from typing import Any

from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count, seconds

__all__ = ["ADMISSION", "admit"]

ADMISSION = "job.admission@1"


@rule("job.admission", 1)
def admit(given: dict[str, Any]) -> Verdict:
    """Choose `queue`, `schedule`, `block`, `cancel` or `refuse`.

    Input: queue, depth and depth_max (ready jobs), intake (open or draining); and where they are not nothing:
    delay_us, waits_for (jobs that have not ended), failed_after (ids of named jobs that ended without success) with
    after_failure (cancel or run).
    """
    taken = f"{given['depth']} of {given['depth_max']} places taken"
    if given["intake"] != "open":
        return Verdict("refuse", f"Refused: the engine is {given['intake']}.")
    if given["depth"] >= given["depth_max"]:
        return Verdict("refuse", f"Refused: queue {given['queue']} is full, {taken}.")
    failed = given.get("failed_after")
    if failed and given["after_failure"] == "cancel":
        return Verdict(
            "cancel", f"Cancelled at once: it was to run after {failed[0]}, which did not succeed."
        )
    if given.get("waits_for"):
        return Verdict("block", f"Waits for {count(given['waits_for'], 'other job')} to end.")
    if given.get("delay_us"):
        return Verdict("schedule", f"Starts after a delay of {seconds(given['delay_us'])}.")
    return Verdict("queue", f"Queued on {given['queue']} at once: {taken}.")
