"""Workflows for tests: from plain data, and any graph that has an order."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sheratan.contracts.values import convert
from sheratan.contracts.workflows import WORKFLOW_FORMAT, Workflow

__all__ = ["GRAPHS", "graph", "workflow"]


def workflow(*nodes: dict[str, Any], **rest: Any) -> Workflow:
    """A workflow of these nodes; those without work run the kind `k`."""
    declared = [node if {"kind", "workflow"} & node.keys() else {"kind": "k", **node} for node in nodes]
    return convert({"format": WORKFLOW_FORMAT, "name": "sample", "nodes": declared, **rest}, Workflow)


def graph(parents: dict[str, list[str]]) -> Workflow:
    """A workflow in which each node is after others."""
    return workflow(*({"name": name, "after": after} for name, after in parents.items()))


@st.composite
def _graphs(draw: st.DrawFn) -> Workflow:
    """Nodes in any order of declaration, each after some that come before it in another, hidden order."""
    size = draw(st.integers(1, 12))
    hidden = draw(st.permutations(range(size)))
    parents = {
        f"n{hidden[place]}": [
            f"n{hidden[other]}" for other in sorted(draw(st.sets(st.integers(0, place - 1), max_size=4)))
        ]
        if place
        else []
        for place in range(size)
    }
    return graph({name: parents[name] for name in sorted(parents, key=lambda name: int(name[1:]))})


GRAPHS = _graphs()
