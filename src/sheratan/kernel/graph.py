"""The graph that a workflow declares: which nodes lead to which, and in what order they can run."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.references import Reference, parse_template
from sheratan.contracts.values import pointer
from sheratan.contracts.workflows import RESERVED_NAMES, Workflow, as_declared
from sheratan.kernel.canonical import canonical, digest

__all__ = [
    "Edge",
    "Graph",
    "declared_texts",
    "downstream",
    "edges",
    "find_cycles",
    "graph_of",
    "parents_of",
    "references_in",
    "upstream",
    "workflow_digest",
]

_RUN_FIELDS: Final = ("input", "for_each", "when", "partition")
"""The fields of a node whose references must lead to something before it runs."""


class Edge(msgspec.Struct, frozen=True):
    """`child` waits for `parent`, as the field says."""

    parent: str
    child: str
    field: str


class Graph(msgspec.Struct, frozen=True):
    """Parents and children of each node, in the order of the declaration, and an order in which all can run."""

    parents: Mapping[str, tuple[str, ...]]
    children: Mapping[str, tuple[str, ...]]
    order: tuple[str, ...]


def graph_of(workflow: Workflow) -> Graph:
    """The graph of a workflow. InvalidInput for one that no order exists for: `check_workflow` says all about it.

    The order is stable: of the nodes that could come next, the one declared first does.
    """
    parents = parents_of(workflow)
    children = _children(parents)
    order = _order(parents, children)
    if len(order) < len(parents):
        cycle = find_cycles(parents)[0]
        raise InvalidInput(f"the nodes wait for one another: {' → '.join(cycle)}", field="nodes")
    return Graph(parents, children, order)


def upstream(graph: Graph, name: str) -> tuple[str, ...]:
    """All nodes that must end before a node can run, in the graph's order."""
    return _reached(graph.order, graph.parents, name)


def downstream(graph: Graph, name: str) -> tuple[str, ...]:
    """All nodes that wait for a node, however far away, in the graph's order."""
    return _reached(graph.order, graph.children, name)


def workflow_digest(workflow: Workflow) -> str:
    """The SHA-256 of the canonical declaration: the name of this version of the workflow."""
    return digest(canonical(as_declared(workflow)))


def edges(workflow: Workflow) -> list[Edge]:
    """Each reason why one node waits for another, in the order of the declaration, unknown parents included."""
    found: list[Edge] = []
    for place, node in enumerate(workflow.nodes):
        at = pointer("nodes", place)
        found += [Edge(name, node.name, f"{at}/after/{number}") for number, name in enumerate(node.after)]
        found += [
            Edge(reference.root, node.name, field)
            for name in _RUN_FIELDS
            for field, reference in references_in(getattr(node, name), f"{at}/{name}")
            if reference.root not in RESERVED_NAMES
        ]
    return found


def declared_texts(value: Any, field: str) -> Iterator[tuple[str, str, bool]]:
    """Each text of a declared value: its field, the text, and whether it is a key."""
    if isinstance(value, str):
        yield field, value, False
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield from declared_texts(item, pointer(field, place))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield pointer(field, key), key, True
            yield from declared_texts(item, pointer(field, key))
    elif isinstance(value, msgspec.Struct):
        yield from declared_texts(as_declared(value), field)


def references_in(value: Any, field: str) -> Iterator[tuple[str, Reference]]:
    """Each reference in a declared value with its field; text that is no well-written template has none."""
    for at, text, _ in declared_texts(value, field):
        try:
            parts = parse_template(text, field=at)
        except InvalidInput:
            continue
        yield from ((at, part) for part in parts if isinstance(part, Reference))


def find_cycles(parents: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Nodes that wait for one another, each cycle from the node declared first back to itself.

    Two cycles that share a node count as one; there is none exactly when all nodes can be put in order.
    """
    left = dict(parents)
    cycles: list[tuple[str, ...]] = []
    while left := _unordered(left):
        cycle = _walk_back(left)
        cycles.append(cycle)
        left = {name: before for name, before in left.items() if name not in cycle}
    return cycles


def _unordered(parents: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The nodes that no order has room for, with those of their parents that are among them."""
    known = {
        name: tuple(parent for parent in before if parent in parents) for name, before in parents.items()
    }
    ordered = set(_order(known, _children(known)))
    return {
        name: tuple(parent for parent in before if parent not in ordered)
        for name, before in known.items()
        if name not in ordered
    }


def _walk_back(parents: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A cycle among nodes that all have a parent: from one to its parent until a node comes again."""
    walked: list[str] = [next(iter(parents))]
    while (before := parents[walked[-1]][0]) not in walked:
        walked.append(before)
    around = walked[walked.index(before) :][::-1]
    declared = list(parents)
    first = around.index(min(around, key=declared.index))
    turned = around[first:] + around[:first]
    return (*turned, turned[0])


def parents_of(workflow: Workflow) -> dict[str, tuple[str, ...]]:
    """The parents of each node, as far as they exist, each once and in the order of the declaration."""
    named: dict[str, set[str]] = {node.name: set() for node in workflow.nodes}
    for edge in edges(workflow):
        if edge.parent in named:
            named[edge.child].add(edge.parent)
    places = {name: place for place, name in enumerate(named)}
    return {name: tuple(sorted(before, key=places.__getitem__)) for name, before in named.items()}


def _children(parents: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {name: [] for name in parents}
    for name, before in parents.items():
        for parent in before:
            found[parent].append(name)
    return {name: tuple(after) for name, after in found.items()}


def _order(
    parents: Mapping[str, tuple[str, ...]], children: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """The order of Kahn (1962), the node declared first before others; without the nodes of and behind a cycle."""
    places = {name: place for place, name in enumerate(parents)}
    names = list(parents)
    waiting = {name: len(before) for name, before in parents.items()}
    ready = [places[name] for name, number in waiting.items() if number == 0]
    found: list[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        found.append(name)
        for child in children[name]:
            waiting[child] -= 1
            if waiting[child] == 0:
                heapq.heappush(ready, places[child])
    return tuple(found)


def _reached(order: tuple[str, ...], next_to: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    reached: set[str] = set()
    left = [name]
    while left:
        fresh = [other for other in next_to[left.pop()] if other not in reached]
        reached.update(fresh)
        left += fresh
    return tuple(other for other in order if other in reached)
