"""Small workflows of simulated clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sheratan.contracts.values import convert
from sheratan.contracts.workflows import WORKFLOW_FORMAT, Workflow
from sheratan.simulation.choices import Choices

__all__ = ["draw_workflow", "keyed_workflow"]


def draw_workflow(choices: Choices, queues: Sequence[str]) -> tuple[Workflow, dict[str, Any]]:
    """A graph of up to five nodes, and an input in which a value may be missing."""
    names = [f"n{place}" for place in range(choices.between("workflow.nodes", 1, 5))]
    nodes = [_draw_node(choices, queues, name, names[:place]) for place, name in enumerate(names)]
    budget = {
        "jobs_max": choices.pick("workflow.jobs", (10_000, 10_000, len(names))),
        "wall_seconds_max": choices.pick("workflow.wall", (604_800.0, 604_800.0, 30.0)),
    }
    declared = {
        "format": WORKFLOW_FORMAT,
        "name": "flow",
        "nodes": nodes,
        "budget": budget,
        "on_parent_failure": choices.pick("workflow.policy", ("fail", "skip", "continue")),
    }
    items = list(range(choices.pick("workflow.list", (0, 1, 3))))
    value = {"go": 1, "list": items, "there": "x" * 3_000}
    return convert(declared, Workflow), value


def keyed_workflow() -> Workflow:
    """What clients mean that run a workflow under a key."""
    nodes = [{"name": "n0", "kind": "work", "input": {"value": "${input.n}"}}]
    return convert({"format": WORKFLOW_FORMAT, "name": "keyed", "nodes": nodes}, Workflow)


def _draw_node(choices: Choices, queues: Sequence[str], name: str, before: list[str]) -> dict[str, Any]:
    node: dict[str, Any] = {
        "name": name,
        "kind": choices.pick("workflow.kind", ("work", "work", "other")),
        "queue": choices.pick("workflow.queue", queues),
        "attempts_max": choices.between("workflow.attempts", 1, 2),
        "backoff_base_seconds": 0.5,
        "run_timeout_seconds": 15.0,
        "after": [parent for parent in before if choices.between("workflow.edge", 0, 1)],
        "input": {
            "value": choices.pick("workflow.value", ("${input.there}", 1, "${input.there}", "${input.gone}"))
        },
    }
    if node["after"]:
        node["input"]["state"] = f"${{{node['after'][0]}.state}}"
    policy = choices.pick("workflow.node_policy", (None, None, "fail", "skip", "continue"))
    if policy is not None:
        node["on_parent_failure"] = policy
    if choices.between("workflow.when", 0, 4) == 0:
        other = choices.pick("workflow.other", (1, 2))
        node["when"] = {"is": "equals", "value": "${input.go}", "other": other}
    return node | _draw_work(choices)


def _draw_work(choices: Choices) -> dict[str, Any]:
    """Once, for each item of a list, or with a job that undoes it."""
    what = choices.pick("workflow.work", ("once", "each", "undo", "undo"))
    if what == "each":
        at_once = choices.pick("workflow.at_once", (None, 1, 2))
        return {"for_each": "${input.list}", "at_once_max": at_once}
    if what == "undo":
        return {"compensate": {"kind": "work", "input": {"value": 1}, "attempts_max": 1}}
    return {}
