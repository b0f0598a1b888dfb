"""May this job come in, and where does it start?"""

from __future__ import annotations

from typing import Any

from sheratan.contracts.jobs import CRITICALITIES, Criticality
from sheratan.kernel.reserve import queue_places
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count, seconds

__all__ = ["ADMISSION", "admit"]

ADMISSION = "job.admission@2"


@rule("job.admission", 1)
def admit_without_reserve(given: dict[str, Any]) -> Verdict:
    """Choose `queue`, `schedule`, `block`, `cancel` or `refuse`.

    Input: queue, depth and depth_max (ready jobs), intake (open or draining); and where they are not nothing:
    delay_us, waits_for (jobs that have not ended), failed_after (ids of named jobs that ended without success) with
    after_failure (cancel or run).
    """
    taken = f"{given['depth']} of {given['depth_max']} places taken"
    if given["intake"] == "open" and given["depth"] >= given["depth_max"]:
        return Verdict("refuse", f"Refused: queue {given['queue']} is full, {taken}.")
    return _place(given, taken)


@rule("job.admission", 2)
def admit(given: dict[str, Any]) -> Verdict:
    """Choose as version 1 does, and keep places for jobs that are more critical.

    Input: as in version 1, with the job's criticality unless it is normal. A normal job comes in while fewer than
    depth_max jobs are ready, a critical one while there are less than a fifth more; a deferrable one leaves a fifth of
    depth_max to others, and a sheddable one two fifths.
    """
    criticality: Criticality | None = given.get("criticality")
    if criticality is None:
        places = given["depth_max"]
        taken = f"{given['depth']} of {places} places taken"
    else:
        places = queue_places(given["depth_max"], criticality)
        taken = f"{given['depth']} of {places} places for {criticality} jobs taken"
    if given["intake"] == "open" and given["depth"] >= places:
        return Verdict("refuse", _full(given, criticality or "normal", places))
    return _place(given, taken)


def _full(given: dict[str, Any], criticality: Criticality, places: int) -> str:
    depth, bound = given["depth"], given["depth_max"]
    others = [one for one in CRITICALITIES if queue_places(bound, one) > depth]
    still = f"Still taken in: {', '.join(others)}." if others else "Nothing else is taken in either."
    return (
        f"Refused: queue {given['queue']} is full for {criticality} jobs: {depth} are ready, of at most {places}."
        f" {still} Whoever runs its workers can make room."
    )


def _place(given: dict[str, Any], taken: str) -> Verdict:
    """What becomes of a job for which there is a place; none comes in while the engine is not open."""
    if given["intake"] != "open":
        return Verdict("refuse", f"Refused: the engine is {given['intake']}.")
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
