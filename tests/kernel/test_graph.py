"""The graph of a workflow: what follows what, in which order, and what goes round in a circle."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.values import convert
from sheratan.contracts.workflows import Workflow, as_declared
from sheratan.kernel.graph import (
    downstream,
    edges,
    find_cycles,
    graph_of,
    parents_of,
    upstream,
    workflow_digest,
)
from tests.kernel.declared import GRAPHS, graph, workflow


@given(GRAPHS)
def test_the_order_respects_every_edge(declared: Workflow) -> None:
    found = graph_of(declared)
    assert sorted(found.order) == sorted(node.name for node in declared.nodes)
    place = {name: number for number, name in enumerate(found.order)}
    for edge in edges(declared):
        assert place[edge.parent] < place[edge.child]


@given(GRAPHS)
def test_of_those_that_could_come_next_the_one_declared_first_does(declared: Workflow) -> None:
    found = graph_of(declared)
    done: set[str] = set()
    for name in found.order:
        could = [node.name for node in declared.nodes if node.name not in done]
        assert name == next(other for other in could if done.issuperset(found.parents[other]))
        done.add(name)


@given(GRAPHS)
def test_upstream_and_downstream_are_the_same_thing_from_both_ends(declared: Workflow) -> None:
    found = graph_of(declared)
    for name in found.order:
        below, above = downstream(found, name), upstream(found, name)
        assert name not in below
        assert all(name in upstream(found, other) for other in below)
        assert all(name in downstream(found, other) for other in above)
        direct = set(found.children[name])
        assert set(below) == direct.union(*(downstream(found, child) for child in direct))
        assert list(below) == [other for other in found.order if other in below]


@given(GRAPHS, st.data())
def test_a_cycle_is_always_found_and_is_one(declared: Workflow, data: st.DataObject) -> None:
    assert find_cycles(parents_of(declared)) == []
    found = graph_of(declared)
    first = data.draw(st.sampled_from(found.order))
    last = data.draw(st.sampled_from([first, *downstream(found, first)]))
    parents = {name: list(before) for name, before in found.parents.items()}
    parents[first].append(last)
    closed = graph(parents)
    (cycle, *_) = cycles = find_cycles(parents_of(closed))
    for around in cycles:
        assert around[0] == around[-1]
        assert all(parent in parents[child] for parent, child in itertools.pairwise(around))
    assert first in cycle
    with pytest.raises(InvalidInput, match=f"wait for one another: {' → '.join(cycle)}"):
        graph_of(closed)


def test_each_cycle_is_named_from_the_node_declared_first() -> None:
    parents = {"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"], "x": ["y"], "y": ["x", "a"], "z": ["z"]}
    cycles = find_cycles(parents_of(graph(parents)))
    assert cycles == [("a", "b", "c", "a"), ("x", "y", "x"), ("z", "z")]


def test_references_are_edges_with_the_field_that_makes_them() -> None:
    declared = workflow(
        {"name": "a"},
        {"name": "b", "after": ["a"], "input": {"x": ["${a.output}", "$${a.output}", "${input.a}"]}},
        {"name": "c", "for_each": "${b.output}", "input": "${item} ${a.state}"},
        {"name": "d", "when": {"is": "any", "of": [{"is": "exists", "value": "${c.output[0]}"}]}},
        {"name": "e", "compensate": {"kind": "undo", "input": "${d.output}"}},
    )
    assert [(edge.parent, edge.child, edge.field) for edge in edges(declared)] == [
        ("a", "b", "nodes/1/after/0"),
        ("a", "b", "nodes/1/input/x/0"),
        ("a", "c", "nodes/2/input"),
        ("b", "c", "nodes/2/for_each"),
        ("c", "d", "nodes/3/when/of/0/value"),
    ]
    assert graph_of(declared).parents == {"a": (), "b": ("a",), "c": ("a", "b"), "d": ("c",), "e": ()}


@given(GRAPHS)
def test_a_digest_is_of_what_is_declared(declared: Workflow) -> None:
    assert workflow_digest(convert(as_declared(declared), Workflow)) == workflow_digest(declared)
    other = convert(as_declared(declared) | {"description": "changed"}, Workflow)
    assert workflow_digest(other) != workflow_digest(declared)


def test_a_digest_stays_as_it_is() -> None:
    """Recorded runs name their workflow by it: a new field with a default must not change it."""
    declared = workflow({"name": "a", "run_timeout_seconds": 60}, {"name": "b", "input": "${a.output}"})
    assert workflow_digest(declared) == "cbe40c56221d9387aaa2c1a0b78aaeb60eff0bf3cb98ca8eab9516974c8bc07f"
