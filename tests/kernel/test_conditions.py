"""When a condition holds, why, and when the question cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest

from sheratan.contracts.values import convert
from sheratan.contracts.workflows import Node
from sheratan.kernel.conditions import Answer, evaluate
from sheratan.kernel.references import NodeResult, Scope, Unresolved

SCOPE = Scope(
    workflow_id="run_1",
    input={
        "n": 3,
        "text": "abc",
        "list": [1, "a", {"x": 1.0}],
        "none": None,
        "yes": True,
        "object": {"k": 0},
    },
    nodes={"ok": NodeResult(state="succeeded", output=[]), "bad": NodeResult(state="failed")},
)


def ask(condition: dict[str, Any]) -> Answer | tuple[Unresolved, ...]:
    node = convert({"name": "a", "kind": "k", "when": condition}, Node)
    assert node.when is not None
    return evaluate(node.when, SCOPE, field="when", bytes_max=1_000)


def holds(condition: dict[str, Any]) -> bool:
    answer = ask(condition)
    assert isinstance(answer, Answer), answer
    return answer.holds


@pytest.mark.parametrize(
    ("value", "word", "other", "wanted"),
    [
        ("${input.n}", "equals", 3, True),
        ("${input.n}", "equals", 3.0, True),
        ("${input.n}", "equals", "3", False),
        ("${input.yes}", "equals", 1, False),
        ("${input.object}", "equals", {"k": 0}, True),
        ("${input.object}", "equals", {"k": False}, False),
        ("${input.n}", "not_equals", 3, False),
        ("${input.n}", "not_equals", None, True),
        ("${input.n}", "greater_than", 2.5, True),
        ("${input.n}", "greater_than", 3, False),
        ("${input.n}", "less_than", 4, True),
        ("${input.n}", "less_than", 3, False),
        ("${input.n}", "at_least", 3, True),
        ("${input.n}", "at_least", 4, False),
        ("${input.n}", "at_most", 3, True),
        ("${input.n}", "at_most", 2, False),
        ("${input.text}", "less_than", "abd", True),
        ("a", "in", "${input.list}", True),
        (True, "in", "${input.list}", False),
        ({"x": 1}, "in", "${input.list}", True),
        ("bc", "in", "${input.text}", True),
        ("k", "in", "${input.object}", True),
        ("${input.list}", "contains", 1, True),
        ("${input.list}", "contains", "b", False),
        ("${input.text}", "contains", "cb", False),
        ("${input.object}", "contains", "k", True),
        ("${bad.state}", "equals", "failed", True),
    ],
)
def test_two_values_are_compared(value: Any, word: str, other: Any, wanted: bool) -> None:
    assert holds({"is": word, "value": value, "other": other}) is wanted


@pytest.mark.parametrize(
    ("value", "word", "other", "reason"),
    [
        ("${input.n}", "greater_than", "2", "greater_than does not apply to a number and text"),
        ("${input.yes}", "at_least", 0, "at_least does not apply to a truth value and a number"),
        ("${input.list}", "less_than", [], "less_than does not apply to a list and a list"),
        ("${input.none}", "at_most", None, "at_most does not apply to null and null"),
        ("${input.n}", "contains", 3, "contains does not apply to a number and a number"),
        ("${input.text}", "contains", 3, "contains does not apply to text and a number"),
        (3, "in", "${input.object}", "in does not apply to a number and an object"),
    ],
)
def test_what_cannot_be_compared_is_no_answer(value: Any, word: str, other: Any, reason: str) -> None:
    found = ask({"is": word, "value": value, "other": other})
    assert isinstance(found, tuple)
    assert [(one.field, one.reason) for one in found] == [("when/value", reason)]


def test_a_reference_that_leads_to_nothing_is_no_answer() -> None:
    found = ask({"is": "not", "of": {"is": "equals", "value": "${bad.output}", "other": "${input.q}"}})
    assert isinstance(found, tuple)
    assert [one.field for one in found] == ["when/of/value", "when/of/other"]
    assert found[0].reason == "node bad has no output: its state is failed"


@pytest.mark.parametrize(
    ("value", "wanted", "because"),
    [
        ("${ok.output}", True, "${ok.output} exists."),
        ("${input.none}", True, "${input.none} exists."),
        ("${input.q}", False, "${input.q} does not exist: the workflow's input has no `q`."),
        ("${bad.output.x}", False, "${bad.output.x} does not exist: node bad has no output: its state is failed."),
    ],
)  # fmt: skip
def test_what_is_there_exists(value: str, wanted: bool, because: str) -> None:
    assert ask({"is": "exists", "value": value}) == Answer(wanted, because)


def test_exists_asks_for_one_reference() -> None:
    found = ask({"is": "exists", "value": "x ${input.n}"})
    assert isinstance(found, tuple)
    assert found[0].field == "when/value"


YES = {"is": "equals", "value": 1, "other": 1}
NO = {"is": "equals", "value": 1, "other": 2}
BROKEN = {"is": "equals", "value": "${nope.output}", "other": 2}


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ({"is": "all", "of": [YES, YES]}, True),
        ({"is": "all", "of": [YES, NO]}, False),
        ({"is": "all", "of": [NO, BROKEN]}, False),
        ({"is": "any", "of": [NO, NO]}, False),
        ({"is": "any", "of": [NO, YES]}, True),
        ({"is": "any", "of": [YES, BROKEN]}, True),
        ({"is": "not", "of": NO}, True),
        ({"is": "not", "of": {"is": "all", "of": [YES, {"is": "not", "of": NO}]}}, False),
    ],
)
def test_conditions_are_combined_in_order(condition: dict[str, Any], wanted: bool) -> None:
    assert holds(condition) is wanted


def test_what_has_no_answer_is_not_stepped_over() -> None:
    for word in ("all", "any"):
        found = ask({"is": word, "of": [YES if word == "all" else NO, BROKEN]})
        assert isinstance(found, tuple)
        assert found[0].field == "when/of/1/value"


def test_the_reason_shows_what_was_declared_and_never_a_value() -> None:
    assert ask({"is": "equals", "value": "${input.text}", "other": "abc"}) == Answer(
        True, '${input.text} is equal to "abc".'
    )
    assert ask({"is": "contains", "value": "${input.text}", "other": "q"}) == Answer(
        False, '${input.text} does not contain "q".'
    )
    assert ask({"is": "at_most", "value": "${input.n}", "other": "${input.n}"}) == Answer(
        True, "${input.n} is at most ${input.n}."
    )
    answer = ask({"is": "in", "value": "${input.n}", "other": list(range(99))})
    assert isinstance(answer, Answer)
    assert len(answer.because) < 100


def test_what_is_compared_has_a_bound() -> None:
    node = convert(
        {"name": "a", "kind": "k", "when": {"is": "in", "value": 1, "other": "${input.list}"}}, Node
    )
    assert node.when is not None
    found = evaluate(node.when, SCOPE, field="when", bytes_max=10)
    assert isinstance(found, tuple)
    assert "more than 10 bytes" in found[0].reason
