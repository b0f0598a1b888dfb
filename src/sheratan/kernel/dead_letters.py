"""May a job be run again, or taken out of the dead letters? And when does a bulk operation end?"""

from __future__ import annotations

from typing import Any, Final

from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count

__all__ = ["BULK", "DISCARD", "POISON", "REPLAY", "decide_bulk", "decide_discard", "decide_replay"]

REPLAY = "dead_letter.replay@1"
DISCARD = "dead_letter.discard@1"
BULK = "bulk.end@1"

POISON: Final = "lost_lease"
"""The class of the error that ends a job which has taken down its workers: such a job is quarantined."""


@rule("dead_letter.replay", 1)
def decide_replay(given: dict[str, Any]) -> Verdict:
    """Choose `replay` or `refuse`.

    Input: state, is_dead (neither replayed nor discarded), is_quarantined, poison (whether a person said that it may
    take down workers again).
    """
    if not given["is_dead"]:
        return Verdict("refuse", f"Not replayed: {_no_dead_letter(given['state'])}.")
    if given["is_quarantined"] and not given["poison"]:
        return Verdict(
            "refuse",
            "Not replayed: it is quarantined, since it has lost as many workers as it may; say poison.",
        )
    released = ", released from quarantine" if given["is_quarantined"] else ""
    return Verdict("replay", f"Replayed as a new job{released}: it is a dead letter no more.")


@rule("dead_letter.discard", 1)
def decide_discard(given: dict[str, Any]) -> Verdict:
    """Choose `discard` or `refuse`. Input: state, is_dead (neither replayed nor discarded)."""
    if not given["is_dead"]:
        return Verdict("refuse", f"Not discarded: {_no_dead_letter(given['state'])}.")
    return Verdict("discard", "Discarded: nobody will replay it; its result stays.")


@rule("bulk.end", 1)
def decide_bulk(given: dict[str, Any]) -> Verdict:
    """Choose `go_on`, `end` or `stop`.

    Input: done (jobs so far), limit (null: none), is_left (whether jobs are left to look at), refused (null, or why
    a job could not be taken in again, which would befall the others, too).
    """
    done, limit = count(given["done"], "job"), given["limit"]
    if given["refused"] is not None:
        return Verdict("stop", f"Stopped after {done}: {given['refused']}")
    if limit is not None and given["done"] >= limit:
        return Verdict("end", f"Ended with {done}, as many as were asked for.")
    if not given["is_left"]:
        return Verdict("end", f"Ended with {done}: no more were meant.")
    return Verdict("go_on", f"Goes on after {done}.")


def _no_dead_letter(state: str) -> str:
    if state == "failed":
        return "it was replayed or discarded before"
    return f"it is {state}, and only a failed job is a dead letter"
