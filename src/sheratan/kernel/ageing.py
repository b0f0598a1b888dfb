"""Ageing: the jobs of a priority that has had no start for long count as more urgent, so that none waits for ever.

What ages is a priority of a lane, not each job by itself: it gains a step for each so many seconds since its last
start, and one start takes all that it has gained. So a stream of urgent jobs cannot starve the others, and a backlog
of others, however old, cannot starve the urgent ones or the neighbours.
"""

from __future__ import annotations

from typing import Any

from sheratan.kernel.sharing import Head
from sheratan.kernel.words import seconds

__all__ = ["gain_of", "read_gains", "told_gains"]


def gain_of(at_us: int, since_us: int, step_us: int) -> int:
    """How many steps of priority are gained by waiting from an instant to another one."""
    return max(0, at_us - since_us) // step_us


def read_gains(given: dict[str, Any]) -> dict[int, int]:
    """What jobs have gained, by number, from the input of `dispatch.order@4`."""
    lane_of = {one[0]: one[1] for one in given["partitions"]}
    steps = dict(given.get("ageing", ()))
    return {
        head[2]: gain_of(given["at_us"], since_us, steps[lane_of.get(head[0], head[0])])
        for head, since_us in given.get("aged", ())
    }


def told_gains(given: dict[str, Any], chosen: list[Head]) -> str:
    """Which of the chosen jobs counted as more urgent than they are, in a sentence; empty when none did."""
    gains, since_us = read_gains(given), {head[2]: since_us for head, since_us in given.get("aged", ())}
    aged = [head for head in chosen if head[2] in gains]
    if not aged:
        return ""
    _, priority, number, *_ = aged[0]
    waited, counted = seconds(given["at_us"] - since_us[number]), priority - gains[number]
    others = f"; {len(aged) - 1} more had gained by waiting, too" if len(aged) > 1 else ""
    return f" Priority {priority} had waited {waited} for a start, so its job {number} counted as {counted}{others}."
