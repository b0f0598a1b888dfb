"""Workflows declared in Python are what a file would declare."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from sheratan import job
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.workflows import Budget, Workflow, as_declared
from sheratan.kernel.workflow_check import check_workflow
from sheratan.sdk.workflow import WorkflowBuilder, all_of, any_of, not_, text
from sheratan.sdk.workflow_file import dump_workflow, load_workflow


class Order(BaseModel):
    cents: int
    currency: str = "EUR"


@job(kind="shop.charge")
async def charge(order: Order) -> str:
    return order.currency


@job(kind="shop.refund")
async def refund(payment: str) -> None:
    assert payment


YAML = """\
format: sheratan.workflow/1
name: shop
description: Sell things.
input_schema: {type: object}
nodes:
  - name: basket
    kind: shop.basket
    input: {customer: "${input.customer}", run: "${workflow.id}"}
    queue: fast
    run_timeout_seconds: 5
  - name: pay
    kind: shop.charge
    input: {cents: "${basket.output.cents}"}
    attempts_max: 5
    when:
      is: all
      of:
        - {value: "${basket.output.cents}", is: greater_than, other: 0}
        - is: not
          of: {value: "${basket.output.tags[0]}", is: in, other: [free, "${input.free}"]}
    compensate:
      {kind: shop.refund, input: "${pay.output}", attempts_max: 9, partition: "c-${input.customer}"}
  - name: send
    kind: shop.send
    input: 'no ${index} of US$$${basket.output["net price"]}: ${item.name}'
    for_each: ${basket.output.items}
    at_once_max: 4
    after: [pay]
    on_parent_failure: skip
    partition: ${item.name}
  - name: report
    workflow: reports
    input: ["${send.output}", "${pay.state}", "$${plain}"]
    when:
      is: any
      of:
        - {value: "${pay.output}", is: exists}
        - {value: "${pay.state}", is: equals, other: failed}
    on_parent_failure: continue
output: {sent: "${send.output}"}
budget: {jobs_max: 100, wall_seconds_max: 3600}
workflows:
  - format: sheratan.workflow/1
    name: reports
    nodes:
      - {name: write, kind: write, input: "${input[0]}"}
"""


def build() -> Workflow:
    flow = WorkflowBuilder(
        "shop",
        description="Sell things.",
        input_schema={"type": "object"},
        budget=Budget(jobs_max=100, wall_seconds_max=3600),
    )
    basket = flow.job(
        "basket",
        "shop.basket",
        {"customer": flow.input["customer"], "run": flow.id},
        queue="fast",
        run_timeout_seconds=5,
    )
    cents = basket.output["cents"]
    pay = flow.job(
        "pay",
        charge,
        {"cents": cents},
        attempts_max=5,
        when=all_of(
            cents.greater_than(0), not_(basket.output["tags"][0].is_in(["free", flow.input["free"]]))
        ),
    )
    pay.compensate(refund, pay.output, attempts_max=9, partition=f"c-{flow.input['customer']}")
    send = flow.job(
        "send",
        "shop.send",
        text("no ", flow.index, " of US$", basket.output["net price"], ": ", flow.item["name"]),
        for_each=basket.output["items"],
        at_once_max=4,
        after=[pay],
        on_parent_failure="skip",
        partition=flow.item["name"],
    )
    reports = WorkflowBuilder("reports")
    reports.job("write", "write", reports.input[0])
    flow.workflow(
        "report",
        reports.build(),
        [send.output, pay.state, text("${plain}")],
        when=any_of(pay.output.exists(), pay.state.equals("failed")),
        on_parent_failure="continue",
    )
    return flow.build(output={"sent": send.output})


def test_a_program_and_a_file_declare_the_same() -> None:
    built = build()
    assert built == load_workflow(YAML, "yaml").workflow
    assert load_workflow(dump_workflow(built), "json").workflow == built
    assert check_workflow(built) == []


def test_the_kind_checks_an_input_that_is_known() -> None:
    flow = WorkflowBuilder("w")
    with pytest.raises(InvalidInput) as refused:
        flow.job("a", charge, {"cents": "many"})
    assert refused.value.field == "input/cents"
    flow.job("a", charge, {"cents": 5})
    flow.job("b", charge, Order(cents=5))
    flow.job("c", charge, {"cents": flow.input})
    assert [node.input for node in flow.build().nodes] == [
        {"cents": 5},
        {"cents": 5, "currency": "EUR"},
        {"cents": "${input}"},
    ]


def test_each_comparison_has_a_method() -> None:
    value = WorkflowBuilder("w").input["n"]
    other = WorkflowBuilder("w").input["m"]
    made = [
        value.equals(other), value.not_equals(other), value.greater_than(other), value.less_than(other),
        value.at_least(other), value.at_most(other), value.is_in(other), value.contains(other),
    ]  # fmt: skip
    assert [as_declared(one) for one in made] == [
        {"is": word, "value": "${input.n}", "other": "${input.m}"}
        for word in (
            "equals", "not_equals", "greater_than", "less_than", "at_least", "at_most", "in", "contains",
        )
    ]  # fmt: skip


def test_a_value_is_text_within_text() -> None:
    flow = WorkflowBuilder("w")
    assert f"page {flow.index}" == "page ${index}"
    assert text("US$", flow.input["x"], " ${y}") == "US$$${input.x} $${y}"
    assert repr(flow.input["odd key"]) == '<value ${input["odd key"]}>'


def test_what_is_not_known_yet_cannot_be_looked_at() -> None:
    value = WorkflowBuilder("w").input
    with pytest.raises(TypeError, match="use for_each"):
        list(value)
    with pytest.raises(TypeError, match="not iterable"):
        assert 1 in value  # type: ignore[operator]
    with pytest.raises(TypeError, match="use when"):
        assert value
    with pytest.raises(InvalidInput, match="from the start"):
        value[-1]


@pytest.mark.parametrize(
    ("options", "field"),
    [({"attempts_max": 0}, "attempts_max"), ({"at_once_max": 0}, "at_once_max"), ({"when": False}, "when")],
)
def test_options_are_checked_when_a_node_is_added(options: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        WorkflowBuilder("w").job("a", "k", **options)
    assert refused.value.field == field


def test_what_does_not_fit_is_refused_where_it_is_said() -> None:
    flow = WorkflowBuilder("w")
    node = flow.job("a", "k")
    with pytest.raises(InvalidInput, match="a node 'a' already"):
        flow.job("a", "k")
    with pytest.raises(InvalidInput, match="name"):
        flow.job("a b", "k")
    with pytest.raises(InvalidInput, match="input/x: set is not a JSON value"):
        flow.job("b", "k", {"x": {1}})
    with pytest.raises(InvalidInput, match="input: set is not a JSON value"):
        flow.workflow("b", "w", {1})
    with pytest.raises(InvalidInput, match="attempts_max"):
        node.compensate("k", attempts_max=0)
    with pytest.raises(InvalidInput, match="output: set is not a JSON value"):
        flow.build(output={1})
    with pytest.raises(InvalidInput, match="nodes"):
        WorkflowBuilder("empty").build()
    assert [one.name for one in flow.build().nodes] == ["a"]


def test_a_schema_can_be_a_type_and_a_sub_workflow_a_workflow() -> None:
    flow = WorkflowBuilder("w", input_schema=Order)
    flow.workflow("all", build())
    flow.workflow("again", build())
    built = flow.build()
    assert built.input_schema["required"] == ["cents"]
    assert built.nodes[0].workflow == "shop"
    assert [one.name for one in built.workflows] == ["shop", "reports"]
    assert [one.workflows for one in built.workflows] == [(), ()]
    with pytest.raises(InvalidInput, match="another workflow 'shop'"):
        flow.workflow("other", msgspec.structs.replace(build(), description="another"))
