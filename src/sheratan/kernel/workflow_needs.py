"""What does a workflow use up at least, if all goes well?"""

from __future__ import annotations

import msgspec

from sheratan.contracts.workflows import Node, Workflow
from sheratan.kernel.graph import Graph

__all__ = ["Needs", "least_needs"]


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs, the depth of the deepest one, and the seconds that delays alone take."""

    jobs: int
    depth: int
    wall_seconds: float


def least_needs(workflow: Workflow, graph: Graph) -> Needs:
    """What the nodes need that are certain to run; a sub-workflow counts with its depth only."""
    certain = _certain(workflow, graph)
    return Needs(
        jobs=sum(node.kind is not None for node in certain),
        depth=2 if any(node.workflow is not None for node in workflow.nodes) else 1,
        wall_seconds=_longest_delay(certain, graph),
    )


def _certain(workflow: Workflow, graph: Graph) -> list[Node]:
    """The nodes that run once if nothing fails: no list may be empty and no condition may skip them."""
    nodes = {node.name: node for node in workflow.nodes}
    skippable: set[str] = set()
    for name in graph.order:
        if nodes[name].when is not None or not skippable.isdisjoint(graph.parents[name]):
            skippable.add(name)
    return [node for node in workflow.nodes if node.for_each is None and node.name not in skippable]


def _longest_delay(certain: list[Node], graph: Graph) -> float:
    delays = {node.name: node.delay_seconds for node in certain}
    ends: dict[str, float] = {}
    for name in graph.order:
        begins = max((ends[parent] for parent in graph.parents[name]), default=0.0)
        ends[name] = begins + delays.get(name, 0.0)
    return max(ends.values())
