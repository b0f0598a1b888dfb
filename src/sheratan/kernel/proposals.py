"""Which of the jobs that a running job proposes are made: within a budget, and none twice."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count, seconds

__all__ = ["ACCEPTED", "PROPOSE", "decide_proposals", "has_stalled", "likeness"]

PROPOSE: Final = "job.propose@1"
ACCEPTED: Final = "accepted"

_TOLD_MAX: Final = 3
"""Rejections that the sentence names; the others are told with `--rules`."""

_REFUSED: Final = {
    "unknown_kind": "no such kind is loaded",
    "invalid_input": "its kind does not take this input, or its options are none",
    "too_large": "it is above a limit",
}


def likeness(kind: str, input_digest: str) -> bytes:
    """What two proposals of the same kind and input have in common: a SHA-256."""
    return hashlib.sha256(f"{kind} {input_digest}".encode()).digest()


def has_stalled(given: dict[str, Any], chosen: dict[str, Any]) -> bool:
    """Whether a job has proposed for so long what is not accepted that it is to fail."""
    return bool(chosen["fruitless"] >= given["stalls_after"])


@rule("job.propose", 1)
def decide_proposals(given: dict[str, Any]) -> Verdict:
    """Choose for each proposal `accepted` or why it is rejected, and how many calls in a row were `fruitless` by now.

    Input: proposals (each with its kind and the digest of its input; `refused` when it can be no job; `made`, the job
    that was made of the same kind and input), jobs of jobs_max, depth (the proposing job's) of depth_max, elapsed_us
    of wall_us, fruitless (such calls before) of stalls_after. In a run of a workflow also its state, and runs: it and
    those above it, each with its jobs and how many it may have.
    """
    verdicts: list[str] = []
    rejected: list[list[Any]] = []
    new: dict[tuple[str, str], int] = {}
    for place, one in enumerate(given["proposals"], 1):
        key = (one["kind"], one.get("input", ""))
        code, because = _why_not(given, one, len(new), new.get(key))
        verdicts.append(code)
        if code == ACCEPTED:
            new[key] = place
        else:
            rejected.append([f"{place}, {one['kind'] or 'of no kind'}", code, because])
    fruitless = 0 if new else given["fruitless"] + 1
    chosen = {"verdicts": verdicts, "fruitless": fruitless}
    text = f"{len(new)} of {count(len(verdicts), 'proposal')} accepted."
    text += "".join(f" Rejected {name}: {because}." for name, _, because in rejected[:_TOLD_MAX])
    if has_stalled(given, chosen):
        text += f" The job has stalled: nothing was accepted in {count(fruitless, 'call')} in a row."
    return Verdict(chosen, text, rejected or None)


def _why_not(given: dict[str, Any], one: dict[str, Any], new: int, same: int | None) -> tuple[str, str]:
    """What becomes of a proposal when so many were accepted before it, the one at place `same` just like it."""
    if given["fruitless"] >= given["stalls_after"]:
        return "stalled", f"nothing was accepted in {count(given['fruitless'], 'call')} in a row"
    if "refused" in one:
        return one["refused"], _REFUSED[one["refused"]]
    if "made" in one:
        return "repeat", f"{one['made']} was made of the same kind and input"
    if same is not None:
        return "repeat", f"proposal {same} of this call has the same kind and input"
    run_state = given.get("run_state", "running")
    if run_state != "running":
        state = "has ended" if run_state == "ended" else f"is {run_state}"
        return "run_over", f"the run that it would count for {state}"
    return _beyond(given, new)


def _beyond(given: dict[str, Any], new: int) -> tuple[str, str]:
    """Which budget one more job would be beyond."""
    elapsed_us, wall_us = given["elapsed_us"], given["wall_us"]
    if elapsed_us >= wall_us:
        return "time_budget", f"{seconds(elapsed_us)} have gone by of {seconds(wall_us)}"
    depth, depth_max = given["depth"] + 1, given["depth_max"]
    if depth > depth_max:
        return "depth_budget", f"it would be {depth} deep, and at most {depth_max} are allowed"
    for name, jobs, jobs_max in (("", given["jobs"], given["jobs_max"]), *given.get("runs", ())):
        if jobs + new >= jobs_max:
            whose = f" of {name}" if name else ""
            return "jobs_budget", f"{jobs + new} of {count(jobs_max, 'job')}{whose} are used"
    return ACCEPTED, ""
