"""Runs of workflows and their nodes, as the model remembers them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from sheratan.simulation.model_state import TERMINAL

__all__ = ["BAD", "OVER", "REFERENCE", "ModelNode", "ModelRun", "Nothing", "value_in", "workflows_of"]

BAD: Final = ("failed", "cancelled")
OVER: Final = (*TERMINAL, "skipped")
REFERENCE: Final = re.compile(r"\$\{([a-z0-9]+)(?:\.([a-z]+))?\}")


class Nothing(Exception):
    """A reference leads to nothing."""


def workflows_of(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The workflows that a plan says something of, by name."""
    outermost = plan["workflow"]
    return {one["name"]: one for one in (*outermost.get("workflows", ()), outermost)}


@dataclass
class ModelNode:
    """A node: how it was declared, how it stands, its jobs by item and how they have ended."""

    declared: dict[str, Any]
    state: str = "waiting"
    items: int = -1
    jobs: dict[int, int] = field(default_factory=dict)
    runs: dict[int, int] = field(default_factory=dict)
    """In place of jobs, when it runs a workflow."""
    ends: dict[int, str] = field(default_factory=dict)
    undone: str = ""
    source: int | None = None
    """The run that it was taken over from."""

    @property
    def parents(self) -> list[str]:
        """The nodes before it: simulated clients name them all in `after`."""
        return list(self.declared.get("after", ()))

    @property
    def decided(self) -> bool:
        """Whether it has ended, or stands still, without ever having been started."""
        return self.state in ("skipped", "blocked") or (self.state == "failed" and not self.parts)

    @property
    def parts(self) -> dict[int, int]:
        """Its jobs or its runs by item."""
        return self.runs if "workflow" in self.declared else self.jobs

    @property
    def places(self) -> list[int]:
        """The items that it has jobs for."""
        return [-1] if self.items < 0 else list(range(self.items))

    def settle(self) -> None:
        """Once all of its jobs have ended, it has ended as they have."""
        if self.state == "started" and len(self.ends) == len(self.places):
            ends = set(self.ends.values())
            self.state = "failed" if "failed" in ends else "cancelled" if "cancelled" in ends else "succeeded"


@dataclass
class ModelRun:
    """A run of a workflow."""

    number: int
    id: str
    plan: dict[str, Any]
    input: Any
    due_us: int
    nodes: dict[str, ModelNode]
    whom: str
    state: str = "running"
    ending: str = ""
    keeps: bool = False
    used: int = 0
    wall_us: int = 0
    undo: list[str] = field(default_factory=list)
    name: str = ""
    parent: ModelRun | None = None
    ended_us: int = 0
    is_pruned: bool = False

    @property
    def workflow(self) -> dict[str, Any]:
        """Its workflow as declared."""
        return workflows_of(self.plan)[self.name]

    @property
    def work(self) -> dict[str, Any]:
        """How its jobs are run."""
        plan: dict[str, Any] = self.plan.get("workflows", {}).get(self.name, self.plan)
        return plan

    @property
    def chain(self) -> list[ModelRun]:
        """Itself and the runs above it, from the nearest on."""
        return [self, *(self.parent.chain if self.parent is not None else ())]

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("running", "blocked", "stopping", "compensating")

    @property
    def jobs_max(self) -> int:
        """Its budget of jobs."""
        most: int = self.workflow.get("budget", {}).get("jobs_max", 10_000)
        return most

    @property
    def depth_max(self) -> int:
        """Its budget of depth."""
        most: int = self.workflow.get("budget", {}).get("depth_max", 8)
        return most

    @property
    def stands(self) -> tuple[str, list[str]]:
        """Where it and its nodes stand."""
        return self.state, [node.state for node in self.nodes.values()]

    def next_node(self) -> ModelNode | None:
        """A node that can be decided about."""
        for node in self.nodes.values():
            if node.state == "waiting" and all(self.nodes[name].state in OVER for name in node.parents):
                return node
        return None


def value_in(run: ModelRun, declared: Any, item: int | None = None) -> Any:
    """What a declared value stands for; simulated clients use references only as whole texts."""
    if isinstance(declared, dict):
        return {key: value_in(run, value, item) for key, value in declared.items()}
    found = REFERENCE.fullmatch(declared) if isinstance(declared, str) else None
    if found is None:
        return declared
    root, step = found.groups()
    if root == "index":
        return item
    if root == "item":
        return value_in(run, "${input.list}")[item]
    if root == "input":
        if step not in run.input:
            raise Nothing
        return run.input[step]
    return run.nodes[root].state
