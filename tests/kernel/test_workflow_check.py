"""What is wrong with a workflow is said at once, and each thing by its field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from sheratan.contracts.workflows import WORKFLOW_FORMAT, Workflow, as_declared
from sheratan.kernel.schema_form import TYPES
from sheratan.kernel.sub_workflows import known_workflows
from sheratan.kernel.workflow_check import check_workflow
from sheratan.kernel.workflow_needs import LeastNeeds
from tests.kernel.declared import GRAPHS, workflow

A = {"name": "a"}


def problems(*nodes: dict[str, Any], **rest: Any) -> list[tuple[str, str]]:
    return [(problem.field, problem.detail) for problem in check_workflow(workflow(*nodes, **rest))]


def inner(name: str, *nodes: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """A workflow that another one brings along."""
    declared = workflow(*(nodes or ({"name": "a"},)), **rest)
    return {**as_declared(declared), "format": WORKFLOW_FORMAT, "name": name}


@given(GRAPHS)
def test_a_graph_with_an_order_is_sound(declared: Workflow) -> None:
    assert check_workflow(declared) == []


def test_a_workflow_that_uses_everything_is_sound() -> None:
    assert problems(
        {"name": "list", "kind": "files.list", "input": {"folder": "${input.folder}", "run": "${workflow.id}"}},
        {"name": "scan", "for_each": "${list.output.files}", "at_once_max": 4, "input": ["${item.x}", "${index}"],
         "partition": "${item.owner}-${index}"},
        {"name": "book", "input": "${scan.output[0]}",
         "compensate": {"kind": "u", "input": "${book.output} ${list.state}"}},
        {"name": "sub", "workflow": "other", "when": {"is": "exists", "value": "${book.output}"}},
        output={"found": "${scan.output}", "sub": "${sub.state}"},
        workflows=[inner("other")],
    ) == []  # fmt: skip


@pytest.mark.parametrize(
    ("node", "field", "said"),
    [
        ({"name": "item"}, "nodes/1/name", "means something else in references"),
        ({"name": "a"}, "nodes/1/name", "'a' is the name of nodes/0 already"),
        ({"name": "b", "kind": "k", "workflow": "sample"}, "nodes/1", "b has both"),
        ({"name": "b", "kind": None}, "nodes/1", "b has neither"),
        ({"name": "b", "workflow": "sample", "queue": "q"}, "nodes/1/queue", "this is for jobs"),
        ({"name": "b", "after": ["q"]}, "nodes/1/after/0", "there is no node 'q'; there are a, b"),
        ({"name": "b", "after": ["a", "a"]}, "nodes/1/after/1", "'a' is named twice"),
        ({"name": "b", "input": {"x": ["${a.outputs}"]}}, "nodes/1/input/x/0", "write ${a.output} or ${a.state}"),
        ({"name": "b", "input": "${a}"}, "nodes/1/input", "write ${a.output} or ${a.state}"),
        ({"name": "b", "input": "${a.state.x}"}, "nodes/1/input", "write ${a.output} or ${a.state}"),
        ({"name": "b", "input": "${q.output}"}, "nodes/1/input", "there is no node 'q'"),
        ({"name": "b", "input": {"a/b": "${q"}}, "nodes/1/input/a~1b", "a reference needs"),
        ({"name": "b", "input": {"${a.output}": 1}}, "nodes/1/input/${a.output}", "in a key"),
        ({"name": "b", "input": "${workflow.name}"}, "nodes/1/input", "write ${workflow.id}"),
        ({"name": "b", "input": "${item}"}, "nodes/1/input", "only in `input` and `partition`, with `for_each`"),
        ({"name": "b", "for_each": "${item}"}, "nodes/1/for_each", "only in `input`"),
        ({"name": "b", "for_each": "${input.x}", "input": "${index.x}"}, "nodes/1/input", "write ${index}"),
        ({"name": "b", "for_each": "${input.x}", "when": {"is": "exists", "value": "${item}"}},
         "nodes/1/when/value", "only in `input`"),
        ({"name": "b", "for_each": "all of ${a.output}"}, "nodes/1/for_each", "one reference to a list"),
        ({"name": "b", "for_each": "${a.state}"}, "nodes/1/for_each", "one reference to a list"),
        ({"name": "b", "for_each": "${workflow.id}"}, "nodes/1/for_each", "one reference to a list"),
        ({"name": "b", "for_each": "a"}, "nodes/1/for_each", "one reference to a list"),
        ({"name": "b", "at_once_max": 2}, "nodes/1/at_once_max", "for a node with `for_each`"),
        ({"name": "b", "for_each": "${input}", "compensate": {"kind": "u"}}, "nodes/1/compensate",
         "a fan-out cannot be compensated"),
        ({"name": "b", "when": {"is": "not", "of": {"is": "any", "of": [{"is": "exists", "value": "a"}]}}},
         "nodes/1/when/of/of/0/value", "must be one reference"),
        ({"name": "b", "when": {"is": "exists", "value": "${a"}}, "nodes/1/when/value", "a reference needs"),
        ({"name": "b", "workflow": "sample", "partition": "p"}, "nodes/1/partition", "this is for jobs"),
        ({"name": "b", "partition": "${item}"}, "nodes/1/partition", "only in `input`"),
        ({"name": "b", "partition": "${q.output}"}, "nodes/1/partition", "there is no node 'q'"),
        ({"name": "b", "partition": "a b"}, "nodes/1/partition", "printable ASCII"),
        ({"name": "b", "partition": "$${a b}"}, "nodes/1/partition", "printable ASCII"),
        ({"name": "b", "partition": "p" * 129}, "nodes/1/partition", "length <= 128"),
        ({"name": "b", "compensate": {"kind": "u", "partition": "a b"}}, "nodes/1/compensate/partition", "ASCII"),
        ({"name": "b", "compensate": {"kind": "u", "partition": "${item}"}}, "nodes/1/compensate/partition",
         "only in `input`"),
        ({"name": "b", "compensate": {"kind": "u", "partition": "${a.output}"}}, "nodes/1/compensate/partition",
         "need not have run before b"),
        ({"name": "b", "compensate": {"kind": "u", "input": ["${c.output}"]}}, "nodes/1/compensate/input/0",
         "there is no node 'c'"),
        ({"name": "b", "compensate": {"kind": "u", "input": "${a.output}"}}, "nodes/1/compensate/input",
         "node a need not have run before b"),
        ({"name": "b", "input": "${b.output}"}, "nodes/1/input", "wait for one another: b → b"),
        ({"name": "b", "input": 1 << 60}, "nodes/1/input", "an integer beyond"),
        ({"name": "b", "input": float("nan")}, "nodes/1/input", "NaN"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_by_field(node: dict[str, Any], field: str, said: str) -> None:
    (found,) = problems(A, node)
    assert found[0] == field
    assert said in found[1]


def test_text_that_is_no_unicode_is_refused() -> None:
    ((_, detail),) = problems({"name": "a", "input": "\ud800"})
    assert "lone surrogate" in detail


def test_a_cycle_is_named_in_order_at_the_field_that_closes_it() -> None:
    assert problems(
        {"name": "a", "input": ["${c.output}"]}, {"name": "b", "after": ["a"]}, {"name": "c", "after": ["b"]}
    ) == [("nodes/1/after/0", "these nodes wait for one another: a → b → c → a; take one of the arrows out")]


def test_all_problems_are_found_at_once() -> None:
    found = problems(
        {"name": "a", "after": ["q"], "input": "${a.output}"},
        {"name": "b", "for_each": "x", "at_once_max": 1},
        {"name": "b", "when": {"is": "exists", "value": "b"}},
        output=["${zzz.output}", "${item}"],
    )
    assert [field for field, _ in found] == [
        "nodes/2/name",
        "nodes/0/after/0",
        "nodes/1/for_each",
        "nodes/2/when/value",
        "output/0",
        "output/1",
        "nodes/0/input",
    ]


def test_what_is_skipped_or_empty_does_not_count_against_the_budget() -> None:
    declared = workflow(
        {"name": "a"},
        {"name": "each", "for_each": "${a.output}"},
        {"name": "maybe", "when": {"is": "exists", "value": "${a.output}"}, "delay_seconds": 100},
        {"name": "behind", "after": ["maybe"], "delay_seconds": 100},
        {"name": "late", "after": ["a"], "delay_seconds": 5},
        {"name": "last", "after": ["late", "each"], "delay_seconds": 2},
    )
    needs = LeastNeeds(known_workflows(declared)).of(declared.name)
    assert (needs.jobs, needs.depth, needs.wall_seconds) == (3, 1, 7.0)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"jobs_max": 1}, ("budget/jobs_max", "the nodes need 4 jobs; allow as many, or take nodes out")),
        ({"depth_max": 1}, ("budget/depth_max", "a sub-workflow needs 2; allow it, or take the node out")),
        ({"wall_seconds_max": 8},
         ("budget/wall_seconds_max", "the delays alone take 9 s; allow as many, or shorten them")),
        ({"jobs_max": 4, "depth_max": 2, "wall_seconds_max": 9}, None),
    ],
)  # fmt: skip
def test_a_budget_must_do_for_what_is_declared(budget: dict[str, Any], said: tuple[str, str] | None) -> None:
    found = problems(
        {"name": "a", "delay_seconds": 4},
        {"name": "b", "after": ["a"], "delay_seconds": 5},
        {"name": "c", "workflow": "w"},
        budget=budget,
        workflows=[inner("w")],
    )
    assert found == ([said] if said else [])


SUB = {"name": "s", "workflow": "w"}


@pytest.mark.parametrize(
    ("node", "brought", "field", "said"),
    [
        ({"name": "s", "workflow": "gone"}, [inner("w")], "nodes/0/workflow",
         "there is no workflow 'gone', only sample, w"),
        (SUB, [inner("w"), inner("w")], "workflows/1/name", "'w' is the name of another workflow"),
        (SUB, [inner("w"), inner("sample")], "workflows/1/name", "'sample' is the name of another workflow"),
        (SUB, [inner("w", workflows=[inner("v")])], "workflows/0/workflows", "only the outermost workflow brings"),
        (SUB, [inner("w", {"name": "a", "input": "${b.output}"})], "workflows/0/nodes/0/input", "no node 'b'"),
        (SUB, [inner("w", {"name": "a", "workflow": "w"})], "budget/depth_max",
         "again and again"),
        ({"name": "s", "workflow": "sample"}, [], "budget/depth_max", "sample would run itself again and again"),
        (SUB, [inner("w", {"name": "a"}, {"name": "b"}, budget={"jobs_max": 1})], "workflows/0/budget/jobs_max",
         "the nodes need 2 jobs"),
        (SUB, [inner("w", {"name": "a", "delay_seconds": 60}, budget={"wall_seconds_max": 1})],
         "workflows/0/budget/wall_seconds_max", "the delays alone take 60 s"),
    ],
)  # fmt: skip
def test_a_mistake_about_a_sub_workflow_is_said_by_field(
    node: dict[str, Any], brought: list[dict[str, Any]], field: str, said: str
) -> None:
    found = problems(node, workflows=brought)
    assert field in [at for at, _ in found]
    assert said in found[[at for at, _ in found].index(field)][1]


def test_a_workflow_may_run_itself_on_a_condition() -> None:
    more = {"is": "exists", "value": "${input.more}"}
    assert problems({"name": "s", "workflow": "sample", "when": more}, {"name": "a"}) == []


def test_what_a_sub_workflow_needs_its_parents_need_too() -> None:
    declared = workflow(
        {"name": "a", "delay_seconds": 5},
        {"name": "b", "after": ["a"], "workflow": "w"},
        workflows=[
            inner("w", {"name": "a", "delay_seconds": 7}, {"name": "b", "workflow": "v"}),
            inner("v"),
        ],
    )
    needs = LeastNeeds(known_workflows(declared)).of("sample")
    assert (needs.jobs, needs.depth, needs.wall_seconds) == (5, 3, 12.0)


def test_the_schema_of_its_input_must_be_one_and_those_of_the_workflows_within_it_too() -> None:
    wrong = {"input_schema": {"properties": {"day": {"type": "txt"}}}}
    assert problems(A, workflows=[inner("w", **wrong)], **wrong) == [
        (f"{place}input_schema/properties/day/type", f"'txt' is no type; there are {', '.join(TYPES)}")
        for place in ("", "workflows/0/")
    ]
