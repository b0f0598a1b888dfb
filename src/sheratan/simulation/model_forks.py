"""The part of the model that knows runs which continue another one: what they take over, and what runs anew."""

from __future__ import annotations

import json
from typing import Any

from sheratan.engine.commands import ForkRun, Pending
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_runs import REFERENCE, ModelNode, ModelRun, ModelRuns

__all__ = ["ModelForks"]


class ModelForks(ModelRuns):
    """Runs that continue an ended one."""

    def _ForkRun(self, pending: Pending, command: ForkRun) -> tuple[str, bool]:  # noqa: N802 - the command's name
        before = self.runs_by_id.get(command.id)
        if before is None:
            raise Refused("not_found")
        if before.is_open:
            self.hit("workflow.fork_refused")
            raise Refused("conflict")
        plan = before.plan if command.declared is None else json.loads(command.declared.plan)
        if command.node is not None and command.node not in {
            node["name"] for node in plan["workflow"]["nodes"]
        }:
            raise Refused("invalid_input")
        value = before.input if command.input is None else json.loads(command.input)
        run = self._add_run(pending, plan, value, before.wall_us)
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


def _declared(run: ModelRun, name: str) -> tuple[Any, ...]:
    workflow, declared = run.plan["workflow"], run.nodes[name].declared
    policy = declared.get("on_parent_failure") or workflow.get("on_parent_failure", "fail")
    return {**declared, "on_parent_failure": policy}, run.plan["jobs"][name]["version"]


def _steps(declared: dict[str, Any]) -> list[str]:
    """The keys of the input that a node reads before it runs."""
    texts = [declared.get("for_each"), *declared.get("input", {}).values()]
    texts += declared.get("when", {}).values()
    found = [REFERENCE.fullmatch(text) for text in texts if isinstance(text, str)]
    return [match[2] for match in found if match is not None and match[1] == "input"]
