"""Which nodes of a run start now, and how does the run end?"""

from __future__ import annotations

from typing import Any, Final

from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count, seconds

__all__ = [
    "ADVANCE",
    "END",
    "STOP",
    "UNDO",
    "advance",
    "after_parents",
    "decide_node",
    "decide_stop",
    "end_run",
    "undo_next",
]

ADVANCE: Final = "workflow.advance@2"
END: Final = "workflow.end@1"
STOP: Final = "workflow.stop@1"
UNDO: Final = "workflow.undo@1"

_NAMED_MAX: Final = 5


def after_parents(given: dict[str, Any]) -> tuple[str, str]:
    """What the ends of its parents mean for a node, and why: `run`, `fail` or `skip`.

    Input: failed and skipped (parents that failed or were cancelled, and that were skipped), policy (fail, skip or
    continue).
    """
    policy, failed, skipped = given["policy"], given["failed"], given["skipped"]
    if policy == "continue" or not (failed or skipped):
        return "run", "its parents have ended"
    if failed:
        return policy, f"{failed[0]}, which comes before it, did not succeed"
    return "skip", f"{skipped[0]}, which comes before it, was skipped"


def decide_node(given: dict[str, Any]) -> tuple[str, str]:
    """What becomes of a node whose parents have all ended, and why: `start`, `skip`, `fail` or `block`.

    Input: what `after_parents` asks for; and where they are not nothing: when (whether its condition holds, and the
    sentence why), blocked (why its values cannot be filled in).
    """
    action, why = after_parents(given)
    if action != "run":
        return action, why
    holds, because = given.get("when", (True, ""))
    if not holds:
        return "skip", f"its condition does not hold: {because}"
    if "blocked" in given:
        return "block", given["blocked"]
    return "start", because or why


@rule("workflow.advance", 1)
def advance_jobs(given: dict[str, Any]) -> Verdict:
    """Choose which nodes `start`, `skip`, `fail` or `block`; or `stop` when the budget has no room for the new jobs.

    Input: nodes (each with its name under node, and what `decide_node` asks for), jobs (used so far), wanted (what
    the new nodes need), jobs_max.
    """
    return advance(given)


@rule("workflow.advance", 2)
def advance(given: dict[str, Any]) -> Verdict:
    """Choose as version 1; `stop`, too, when a sub-workflow is too deep, or a run above, named under `run`, is to stop.

    Input: as that of version 1, and where they are not nothing: workflow (of a node: the workflow that it runs),
    depth_max (when there is such a node), run and above (when it runs for a node: its id, and the runs that have it
    run, from the nearest on, each [run, jobs, jobs_max, depth_max]).
    """
    chosen: dict[str, list[str]] = {}
    rejected: list[list[Any]] = []
    for node in given["nodes"]:
        action, why = decide_node(node)
        chosen.setdefault(action, []).append(node["node"])
        if action != "start":
            rejected.append([node["node"], why])
    stop = _stop(given, chosen.get("start", []))
    if stop is not None:
        return stop
    told = [f"{_VERBS[action]} {_names(chosen[action])}" for action in _VERBS if action in chosen]
    first = f" {rejected[0][0]}: {rejected[0][1].rstrip('.')}." if rejected else ""
    return Verdict(chosen, f"{'; '.join(told).capitalize()}.{first}", rejected)


def _stop(given: dict[str, Any], starts: list[str]) -> Verdict | None:
    """What to stop, from this run upwards: the first whose budget has no room for the nodes that are to start."""
    wanted = given["wanted"]
    # Over an empty list nothing runs, however deep.
    deeper = [node["node"] for node in given["nodes"] if "workflow" in node and node.get("items") != 0]
    is_deeper = not set(starts).isdisjoint(deeper)
    budgets: list[list[Any]] = [
        [None, given["jobs"], given["jobs_max"], given.get("depth_max", 0)],
        *given.get("above", ()),
    ]
    for depth, (run, jobs, jobs_max, depth_max) in enumerate(budgets, 2):
        whose, names = (
            ("the run", _names(starts)) if run is None else (run, f"{_names(starts)} of {given['run']}")
        )
        told = {"run": run} if run else dict[str, Any]()
        if jobs + wanted > jobs_max:
            text = (
                f"Stops: with {names} {whose} would have {jobs + wanted} jobs, and its budget is {jobs_max}."
            )
            return Verdict({"stop": "out_of_jobs", **told}, text)
        if is_deeper and depth > depth_max:
            text = f"Stops: {names} would take {whose} to depth {depth}, and its budget is {depth_max}."
            return Verdict({"stop": "out_of_depth", **told}, text)
    return None


_VERBS: Final = {"start": "starts", "skip": "skips", "fail": "fails", "block": "blocks"}


@rule("workflow.end", 1)
def end_run(given: dict[str, Any]) -> Verdict:
    """Choose the state of a run in which nothing runs any more: an end, `blocked` or `compensating` before an end.

    Input: failed and blocked (nodes that failed and that no other node follows; nodes that wait for a person), undo
    (how many nodes there are to compensate), and where it is not nothing: ending (the end that was decided when it
    was stopped), output (why its output cannot be filled in).
    """
    ending, failed, blocked, output = (given.get(name) for name in ("ending", "failed", "blocked", "output"))
    if ending is None and blocked:
        return Verdict(
            {"state": "blocked"}, f"Blocked: {_names(blocked)} cannot start, and nothing else runs."
        )
    if ending is None and failed:
        ending, why = "failed", f"{_names(failed)} failed, and no other node takes care of it"
    elif ending is None and output:
        return Verdict({"state": "blocked"}, f"Blocked: {output}.")
    elif ending is None:
        return Verdict(
            {"state": "succeeded"}, "All nodes have ended, and none failed without being followed."
        )
    else:
        why = "it was stopped, and nothing of it runs any more"
    if given["undo"]:
        text = f"Compensates {count(given['undo'], 'node')} first, then ends as {ending}: {why}."
        return Verdict({"state": "compensating", "ending": ending}, text)
    return Verdict({"state": ending}, f"Ends as {ending}: {why}.")


@rule("workflow.stop", 1)
def decide_stop(given: dict[str, Any]) -> Verdict:
    """Choose `stop` or `refuse` when a person cancels a run, and `stop` or `keep` when its time may be over.

    Input: what (cancel or time), state; for time also limit_us and elapsed_us.
    """
    state = given["state"]
    if given["what"] == "cancel":
        if state in ("running", "blocked"):
            return Verdict("stop", f"Stopped while {state}: what runs is cancelled, nothing more starts.")
        return Verdict("refuse", f"Not cancelled: the run is {state}.")
    limit, elapsed = given["limit_us"], given["elapsed_us"]
    if elapsed < limit or state not in ("running", "blocked"):
        return Verdict("keep", f"Kept while {state}: {seconds(elapsed)} of {seconds(limit)} have passed.")
    return Verdict("stop", f"Stopped: {seconds(elapsed)} have passed, and its budget is {seconds(limit)}.")


@rule("workflow.undo", 1)
def undo_next(given: dict[str, Any]) -> Verdict:
    """Choose `next`, `end` or `give_up` when a compensation has ended or cannot start.

    Input: node, state (how its compensation ended, or `unresolved`), left (how many nodes are still to be
    compensated), ending (how the run is to end), reason (why a value cannot be filled in, where that is so).
    """
    node, state = given["node"], given["state"]
    if state == "unresolved":
        return Verdict(
            "give_up", f"{node} cannot be compensated: {given['reason']}. A person must see to it."
        )
    if state != "succeeded":
        return Verdict("give_up", f"The compensation of {node} has {state}. A person must see to it.")
    if given["left"]:
        return Verdict("next", f"{node} is compensated; {count(given['left'], 'node')} to go.")
    return Verdict("end", f"{node} was the last to be compensated; the run ends as {given['ending']}.")


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED_MAX])
    return shown if len(names) <= _NAMED_MAX else f"{shown} and {len(names) - _NAMED_MAX} more"
