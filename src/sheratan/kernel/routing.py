"""Which ready jobs does this worker get, in which order, and who is passed over?"""

from __future__ import annotations

from typing import Any

from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count

__all__ = ["ORDER", "choose_jobs"]

ORDER = "dispatch.order@1"


@rule("dispatch.order", 1)
def choose_jobs(given: dict[str, Any]) -> Verdict:
    """Choose job numbers for one lease call: urgent first, then oldest first.

    Input: worker, slots (free in the worker), room (free in the engine), lanes (each [queue, kind, depth, state])
    and heads (each [lane index, priority, number]; every lane's first jobs in order, so that a job that is not
    listed comes after all listed ones of its lane). A lane's state is `open`, `paused` or `not_offered`.
    """
    lanes = given["lanes"]
    places = min(given["slots"], given["room"])
    ordered = sorted(given["heads"], key=lambda head: (head[1], head[2]))
    chosen = [head[2] for head in ordered[:places]]
    rejected: list[list[Any]] = []
    for queue, kind, depth, state in lanes:
        if state == "paused":
            rejected.append([f"{queue}/{kind}", f"queue is paused, {count(depth, 'job')} waiting"])
        elif state == "not_offered":
            rejected.append(
                [f"{queue}/{kind}", f"the worker does not offer this kind, {count(depth, 'job')} waiting"]
            )
    for head in ordered[places:]:
        reason = (
            "no free slot in the worker"
            if places == given["slots"]
            else "the engine runs as many jobs as it may"
        )
        rejected.append([head[2], reason])
    ready = sum(lane[2] for lane in lanes if lane[3] == "open")
    slots = count(given["slots"], "free slot")
    because = f"Gave {len(chosen)} of {count(ready, 'ready job')} to {given['worker']} with {slots}."
    return Verdict(chosen, because, rejected or None)
