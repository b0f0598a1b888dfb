"""What does a workflow use up at least, if all goes well?"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isinf
from typing import Final

import msgspec

from sheratan.contracts.workflows import Node, Workflow
from sheratan.kernel.graph import Graph, graph_of
from sheratan.kernel.workflow_problem import Problem

__all__ = ["LeastNeeds", "Needs", "beyond_budgets"]


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs and runs of nodes, the depth of the deepest one, and the seconds that delays alone take; `inf`: no end."""

    jobs: float
    depth: float
    wall_seconds: float


_NOTHING: Final = Needs(jobs=0, depth=0, wall_seconds=0.0)
_UNKNOWN: Final = Needs(jobs=0, depth=1, wall_seconds=0.0)
_ENDLESS: Final = Needs(jobs=inf, depth=inf, wall_seconds=inf)


class LeastNeeds:
    """What workflows need that run one another, each looked at once. The known ones must be free of cycles."""

    def __init__(self, known: Mapping[str, Workflow]) -> None:
        self._known = known
        self._found: dict[str, Needs] = {}

    def of(self, name: str) -> Needs:
        """What the nodes of a workflow need that are certain to run, and what these need in turn."""
        if name not in self._known:
            return _UNKNOWN
        if name not in self._found:
            # Whoever comes back here meanwhile runs itself.
            self._found[name] = _ENDLESS
            self._found[name] = self._look(self._known[name])
        return self._found[name]

    def _look(self, workflow: Workflow) -> Needs:
        graph = graph_of(workflow)
        certain = _certain(workflow, graph)
        below = {node.name: _NOTHING if node.workflow is None else self.of(node.workflow) for node in certain}
        # What may be skipped could not run at all if it were too deep.
        least = int(any(node.workflow is not None for node in workflow.nodes))
        return Needs(
            jobs=len(certain) + sum(needs.jobs for needs in below.values()),
            depth=1 + max([least, *(needs.depth for needs in below.values())]),
            wall_seconds=_longest(certain, graph, below),
        )


def beyond_budgets(outermost: Workflow, known: Mapping[str, Workflow]) -> list[Problem]:
    """What workflows need at least must be within their budgets; what may be skipped does not count."""
    least = LeastNeeds(known)
    found = _beyond_budget(outermost, least)
    for place, inner in enumerate(outermost.workflows):
        found += [problem.within(place) for problem in _beyond_budget(inner, least)]
    return found


def _beyond_budget(workflow: Workflow, least: LeastNeeds) -> list[Problem]:
    budget, needs = workflow.budget, least.of(workflow.name)
    if isinf(needs.depth):
        text = f"{workflow.name} would run itself again and again; put a `when` on a node on the way"
        return [Problem("budget/depth_max", text)]
    found: list[Problem] = []
    if needs.jobs > budget.jobs_max:
        text = f"the nodes need {needs.jobs} jobs; allow as many, or take nodes out"
        found.append(Problem("budget/jobs_max", text))
    if needs.depth > budget.depth_max:
        text = f"a sub-workflow needs {needs.depth}; allow it, or take the node out"
        found.append(Problem("budget/depth_max", text))
    if needs.wall_seconds > budget.wall_seconds_max:
        text = f"the delays alone take {needs.wall_seconds:g} s; allow as many, or shorten them"
        found.append(Problem("budget/wall_seconds_max", text))
    return found


def _certain(workflow: Workflow, graph: Graph) -> list[Node]:
    """The nodes that run once if nothing fails: no list may be empty and no condition may skip them."""
    nodes = {node.name: node for node in workflow.nodes}
    skippable: set[str] = set()
    for name in graph.order:
        if nodes[name].when is not None or not skippable.isdisjoint(graph.parents[name]):
            skippable.add(name)
    return [node for node in workflow.nodes if node.for_each is None and node.name not in skippable]


def _longest(certain: list[Node], graph: Graph, below: Mapping[str, Needs]) -> float:
    delays = {node.name: node.delay_seconds + below[node.name].wall_seconds for node in certain}
    ends: dict[str, float] = {}
    for name in graph.order:
        begins = max((ends[parent] for parent in graph.parents[name]), default=0.0)
        ends[name] = begins + delays.get(name, 0.0)
    return max(ends.values())
