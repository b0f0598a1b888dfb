"""Small workflows of simulated clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sheratan.contracts.values import convert
from sheratan.contracts.workflows import WORKFLOW_FORMAT, Workflow
from sheratan.simulation.choices import Choices

__all__ = ["draw_workflow", "keyed_workflow", "scheduled_workflow", "undoable_workflow"]


def draw_workflow(
    choices: Choices, queues: Sequence[str], spend: dict[str, int] | None = None
) -> tuple[Workflow, dict[str, Any]]:
    """A graph of up to five nodes that may spend so much, and an input in which a value may be missing."""
    below = choices.pick("workflow.below", ((), ("inner",), ("inner", "deep")))
    declared = _draw_one(choices, queues, "flow", (*below, "flow") if below else ())
    declared["workflows"] = [
        _draw_one(choices, queues, name, below[place + 1 :]) for place, name in enumerate(below)
    ]
    bounded = choices.pick("workflow.bounded", (declared, *declared["workflows"])) if spend else declared
    bounded["budget"] |= {"spend": spend} if spend else {}
    items = ["p", "q", "r"][: choices.pick("workflow.list", (0, 1, 3))]
    value = {"go": 1, "list": items, "there": "x" * 3_000, "who": "p"}
    return convert(declared, Workflow), value


def _draw_one(choices: Choices, queues: Sequence[str], name: str, others: Sequence[str]) -> dict[str, Any]:
    """A workflow; all of its nodes but the last may run another one."""
    names = [f"n{place}" for place in range(choices.between("workflow.nodes", 1, 5))]
    nodes = [_draw_node(choices, queues, node, names[:place]) for place, node in enumerate(names)]
    for node in nodes[:-1]:
        if others and choices.between("workflow.sub", 0, 1):
            _run_another(choices, node, choices.pick("workflow.which", others), again=name)
    least, most = len(nodes) * (len(others) + 1) ** 2, 100 if others else 10_000
    return {
        "format": WORKFLOW_FORMAT,
        "name": name,
        "nodes": nodes,
        "budget": {
            "jobs_max": choices.pick("workflow.jobs", (most, most, least, least + 3)),
            "depth_max": choices.pick("workflow.depth", (8, 3)),
            "wall_seconds_max": choices.pick("workflow.wall", (604_800.0, 604_800.0, 30.0)),
        },
        "on_parent_failure": choices.pick("workflow.policy", ("fail", "skip", "continue")),
    }


def _run_another(choices: Choices, node: dict[str, Any], other: str, *, again: str) -> None:
    """Let a node run a workflow in place of a job; one that runs itself does so on a condition, or for each item."""
    for name in ("kind", "queue", "attempts_max", "backoff_base_seconds", "run_timeout_seconds"):
        del node[name]
    node.pop("partition", None)
    node["workflow"] = other
    node["input"] = {step: f"${{input.{step}}}" for step in ("go", "list", "there", "who")}
    if "for_each" in node:
        node["input"]["go"] = "${index}"
    if other == again:
        node["when"] = {
            "is": "equals",
            "value": "${input.go}",
            "other": choices.pick("workflow.again", (1, 2, 0)),
        }


def scheduled_workflow() -> Workflow:
    """What schedules run: a job, and a workflow after it."""
    job = {"name": "n0", "kind": "work", "input": {"value": "${input.n}"}}
    again = {"name": "n1", "workflow": "after", "after": ["n0"], "input": {"n": "${input.n}"}}
    after = {"format": WORKFLOW_FORMAT, "name": "after", "nodes": [job]}
    declared = {"format": WORKFLOW_FORMAT, "name": "beat", "nodes": [job, again], "workflows": [after]}
    return convert(declared, Workflow)


def keyed_workflow() -> Workflow:
    """What clients mean that run a workflow under a key."""
    nodes = [{"name": "n0", "kind": "work", "input": {"value": "${input.n}"}}]
    return convert({"format": WORKFLOW_FORMAT, "name": "keyed", "nodes": nodes}, Workflow)


def undoable_workflow() -> Workflow:
    """A job that another one undoes, and a job behind it."""
    undo = {"kind": "work", "input": {"value": 1}, "attempts_max": 1}
    nodes = [
        {"name": "n0", "kind": "work", "attempts_max": 3, "compensate": undo},
        {"name": "n1", "kind": "work", "after": ["n0"]},
    ]
    return convert({"format": WORKFLOW_FORMAT, "name": "undoable", "nodes": nodes}, Workflow)


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
    # What is there is too long for a name.
    whose = (None, None, None, "q", "${input.who}", "${input.who}", "${input.gone}", "${input.there}")
    partition = choices.pick("workflow.partition", whose)
    if partition is not None:
        node["partition"] = partition
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
        each: dict[str, Any] = {"for_each": "${input.list}", "at_once_max": at_once}
        if choices.between("workflow.item_partition", 0, 1):
            each["partition"] = "${item}"
        return each
    if what == "undo":
        partition = choices.pick("workflow.undo_partition", (None, "q"))
        return {
            "compensate": {
                "kind": "work", "input": {"value": 1}, "attempts_max": 1, "partition": partition,
            }
        }  # fmt: skip
    return {}
