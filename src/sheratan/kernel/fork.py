"""What does a run take over of the one that it continues, and what does it run anew?"""

from __future__ import annotations

from typing import Any, Final

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.runs import Plan
from sheratan.contracts.workflows import Node, Workflow, as_declared
from sheratan.kernel.canonical import canonical
from sheratan.kernel.graph import references_in
from sheratan.kernel.references import Resolved, Scope, look_up
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.sub_workflows import known_workflows, reached_workflows
from sheratan.kernel.words import count

__all__ = ["FORK", "changed_fields", "changed_values", "decide_fork", "declared_node"]

FORK: Final = "workflow.fork@1"

_NAMED_MAX: Final = 5
_FIELDS: Final = ("input", "for_each", "when", "partition")
"""What of a node is filled in before its jobs run."""

_TAKEN: Final = ("succeeded", "skipped")
"""States in which there is something to take over. What was compensated is undone, so it is not."""


@rule("workflow.fork", 1)
def decide_fork(given: dict[str, Any]) -> Verdict:
    """Choose the nodes to `take` over from the run that is continued, and those to `run` anew.

    Input: nodes (in an order in which they can run, each with its name under node, its parents, and where they are
    not nothing: state (how it ended), changed (fields that are declared otherwise), values (references into the input
    that lead to something else)), and where it is named: from (the node from which on all runs anew).
    """
    chosen: dict[str, list[str]] = {"take": [], "run": []}
    rejected: list[list[Any]] = []
    for node in given["nodes"]:
        why = _why_anew(node, given.get("from"), chosen["run"])
        chosen["take" if why is None else "run"].append(node["node"])
        if why is not None:
            rejected.append([node["node"], why])
    told = f"Takes over {_names(chosen['take'])}: unchanged, as is all before. " if chosen["take"] else ""
    first = f", {rejected[0][0]} because {rejected[0][1]}" if rejected else ""
    return Verdict(chosen, f"{told}Runs {count(len(chosen['run']), 'node')} anew{first}.", rejected or None)


def _why_anew(node: dict[str, Any], start: str | None, anew: list[str]) -> str | None:
    if node["node"] == start:
        return "it is where to begin"
    for parent in node["parents"]:
        if parent in anew:
            return f"{parent}, which comes before it, runs anew"
    state, changed, values = node.get("state"), node.get("changed"), node.get("values")
    if state is None:
        return "nothing was decided about it before"
    if state not in _TAKEN:
        return f"it was {state}"
    if changed:
        return f"its {changed[0]} is declared otherwise"
    return f"{values[0]} is another value" if values else None


def changed_fields(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The fields of a node that are declared otherwise, of what `declared_node` says of it in two plans."""
    return sorted(field for field in old.keys() | new.keys() if old.get(field) != new.get(field))


def changed_values(node: Node, before: Any, after: Any) -> list[str]:
    """The references of a node into the run's input that lead to something else in another input."""
    found: dict[str, None] = {}
    for field in _FIELDS:
        for _, reference in references_in(getattr(node, field), field):
            if reference.root == "input":
                values = [_value(look_up(reference, _scope(value), field=field)) for value in (before, after)]
                if values[0] != values[1]:
                    found[str(reference)] = None
    return list(found)


def declared_node(plan: Plan, workflow: Workflow, name: str) -> dict[str, Any]:
    """A node as declared, with what the workflow says in its place, and all that it runs by.

    That is the version of its kind, or the workflow that it runs with all below it.
    """
    node = next(node for node in workflow.nodes if node.name == name)
    declared = {
        **as_declared(node),
        "on_parent_failure": node.on_parent_failure or workflow.on_parent_failure,
    }
    if node.workflow is None:
        return declared | {"version": plan.workflows.get(workflow.name, plan).jobs[name].version}
    known = known_workflows(plan.workflow)
    reached = reached_workflows(known, node.workflow)
    return declared | {"workflow": [_declared_workflow(plan, known[each]) for each in reached]}


def _declared_workflow(plan: Plan, workflow: Workflow) -> Any:
    jobs = plan.workflows.get(workflow.name, plan).jobs
    return [as_declared(workflow), {name: job.version for name, job in jobs.items()}]


def _scope(value: Any) -> Scope:
    return Scope(workflow_id="", input=value, nodes={})


def _value(found: Any) -> bytes | None:
    try:
        return canonical(found.value) if isinstance(found, Resolved) else None
    except InvalidInput:
        return None


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED_MAX])
    return shown if len(names) <= _NAMED_MAX else f"{shown} and {len(names) - _NAMED_MAX} more"
