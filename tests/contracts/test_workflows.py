"""The declaration of a workflow: what it takes, and what is the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Options
from sheratan.contracts.values import convert
from sheratan.contracts.workflows import (
    WORKFLOW_FORMAT,
    AllOf,
    Comparison,
    Compensation,
    Equals,
    Exists,
    Node,
    Not,
    Workflow,
    as_declared,
    run_options,
)

SMALL: dict[str, Any] = {
    "format": WORKFLOW_FORMAT,
    "name": "small",
    "nodes": [{"name": "only", "kind": "k"}],
}


def test_what_is_declared_is_what_comes_back() -> None:
    full = SMALL | {
        "input_schema": {"type": "object"},
        "nodes": [
            {
                "name": "charge",
                "kind": "pay.charge",
                "input": {"cents": "${input.cents}"},
                "attempts_max": 2,
                "when": {"is": "all", "of": [
                    {"is": "exists", "value": "${input.cents}"},
                    {"is": "not", "of": {"is": "equals", "value": "${input.cents}", "other": 0}},
                ]},
                "compensate": {"kind": "pay.refund", "input": "${charge.output.id}", "attempts_max": 9},
            },
        ],
        "budget": {"jobs_max": 5},
        "on_parent_failure": "skip",
    }  # fmt: skip
    workflow = convert(full, Workflow)
    assert as_declared(workflow) == full
    assert convert(as_declared(workflow), Workflow) == workflow
    condition = workflow.nodes[0].when
    assert condition == AllOf(
        of=(Exists(value="${input.cents}"), Not(of=Equals(value="${input.cents}", other=0)))
    )


def test_what_is_as_by_default_is_left_out() -> None:
    said = SMALL | {"description": "", "input_schema": {}, "output": None, "budget": {"depth_max": 8}}
    assert as_declared(convert(said, Workflow)) == SMALL


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"format": "sheratan.workflow/2"}, "format"),
        ({"nodes": []}, "nodes"),
        ({"nodes": [{"name": "a.b", "kind": "k"}]}, "nodes[0].name"),
        ({"nodes": [{"name": "a", "kind": "k", "attempts_max": 0}]}, "nodes[0].attempts_max"),
        ({"nodes": [{"name": "a", "kind": "k", "when": {"is": "like"}}]}, "nodes[0].when.is"),
        ({"nodes": [{"name": "a", "kind": "k", "when": {"is": "all", "of": []}}]}, "nodes[0].when.of"),
        ({"nodes": [{"name": "a", "kind": "k", "unknown": 1}]}, "nodes[0]"),
        ({"nodes": [{"name": "a", "kind": "k", "key": "x"}]}, "nodes[0]"),
        ({"budget": {"wall_seconds_max": 0}}, "budget.wall_seconds_max"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        convert(SMALL | changed, Workflow)
    assert refused.value.field == field


def test_options_of_a_job_are_those_of_its_node() -> None:
    node = Node(name="a", kind="k", queue="slow", priority=1, run_timeout_seconds=9.0, partition="${input}")
    assert run_options(node) == Options(queue="slow", priority=1, run_timeout_seconds=9.0)
    assert run_options(Compensation(kind="u", attempts_max=7)) == Options(attempts_max=7)


def test_each_comparison_has_a_word_of_its_own() -> None:
    words = [kind.__struct_config__.tag for kind in Comparison.__subclasses__()]
    assert words == [
        "equals", "not_equals", "greater_than", "less_than", "at_least", "at_most", "in", "contains",
    ]  # fmt: skip
    for word in words:
        node = convert({"name": "a", "kind": "k", "when": {"is": word, "value": 1, "other": 2}}, Node)
        assert msgspec.to_builtins(node.when) == {"is": word, "value": 1, "other": 2}
