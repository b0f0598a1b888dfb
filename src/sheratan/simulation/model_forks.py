"""The part of the model that knows runs which continue another one: what they take over, and what runs anew."""

from __future__ import annotations

import json
from typing import Any

from sheratan.engine.commands import ForkRun, Pending
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_run_state import REFERENCE, ModelNode, ModelRun, workflows_of
from sheratan.simulation.model_sub_runs import ModelSubRuns

__all__ = ["ModelForks"]


class ModelForks(ModelSubRuns):
    """Runs that continue an ended one."""

    def _ForkRun(self, pending: Pending, command: ForkRun) -> tuple[str, bool]:  # noqa: N802 - the command's name
        before = self.runs_by_id.get(command.id)
        if before is None:
            raise Refused("not_found")
        if before.is_open:
            self.hit("workflow.fork_refused")
            raise Refused("conflict")
        plan = before.plan if command.declared is None else json.loads(command.declared.plan)
        name = before.name if command.declared is None else command.declared.workflow
        if command.node is not None and command.node not in _nodes(plan, name):
            raise Refused("invalid_input")
        value = before.input if command.input is None else json.loads(command.input)
        run = self._start(pending, plan, name, value, before.wall_us)
        for node in run.nodes.values():
            self._take_over(before, run, node, command.node)
        self.hit("workflow.forked")
        return run.id, False

    def _take_over(self, before: ModelRun, run: ModelRun, node: ModelNode, start: str | None) -> None:
        """Simulated clients declare every node behind its parents."""
        name = node.declared["name"]
        known = before.nodes.get(name)
        if name == start or any(run.nodes[parent].source is None for parent in node.parents):
            return
        if known is None or self._is_gone(known) or self._has_changed(before, run, name):
            return
        self.hit("workflow.taken_over" if known.source is None else "workflow.taken_over_again")
        node.state, node.items = known.state, known.items
        node.source = before.number if known.source is None else known.source

    def owner_of(self, node: ModelNode) -> ModelNode:
        """The node that has its jobs: itself, or the one that it was taken over from."""
        return node if node.source is None else self.runs[node.source].nodes[node.declared["name"]]

    def _is_gone(self, node: ModelNode) -> bool:
        """Whether there is nothing to take over of what it has done."""
        if node.state not in ("succeeded", "skipped") or node.undone:
            return True
        return any(self.jobs[job].is_pruned for job in self.owner_of(node).jobs.values())

    def _has_changed(self, before: ModelRun, run: ModelRun, name: str) -> bool:
        if _declared(before, name) != _declared(run, name):
            self.hit("workflow.fork_redeclared")
            return True
        steps = _steps(run.nodes[name].declared)
        if any(before.input.get(step) != run.input.get(step) for step in steps):
            self.hit("workflow.fork_other_value")
            return True
        return False


def _nodes(plan: dict[str, Any], name: str) -> set[str]:
    return {node["name"] for node in workflows_of(plan)[name]["nodes"]}


def _declared(run: ModelRun, name: str) -> tuple[Any, ...]:
    declared = run.nodes[name].declared
    policy = declared.get("on_parent_failure") or run.workflow.get("on_parent_failure", "fail")
    told = {**declared, "on_parent_failure": policy}
    if "kind" in declared:
        return told, run.work["jobs"][name]["version"]
    below: dict[str, Any] = {}
    left = [declared["workflow"]]
    while left:
        workflow = workflows_of(run.plan)[left.pop()]
        if workflow["name"] not in below:
            below[workflow["name"]] = workflow
            left += [node["workflow"] for node in workflow["nodes"] if "workflow" in node]
    return told, below


def _steps(declared: dict[str, Any]) -> list[str]:
    """The keys of the input that a node reads before it runs."""
    texts = [declared.get("for_each"), declared.get("partition"), *declared.get("input", {}).values()]
    texts += declared.get("when", {}).values()
    found = [REFERENCE.fullmatch(text) for text in texts if isinstance(text, str)]
    return [match[2] for match in found if match is not None and match[1] == "input"]
