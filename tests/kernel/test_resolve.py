"""What references stand for: a value with its type, or a reason, and never the text of the reference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sheratan.contracts.references import Reference, format_template
from sheratan.kernel.references import Item, NodeResult, Resolved, Scope, Unresolved, look_up, resolve

SCOPE = Scope(
    workflow_id="run_1",
    input={"name": "x", "odd key": {"a/b": 1}, "none": None, "float": 1.5, "yes": True, "evil": "${input.name}"},
    nodes={
        "fetch": NodeResult(state="succeeded", output={"files": ["a", "b"], "count": 2}),
        "undone": NodeResult(state="compensated", output=7),
        "later": NodeResult(state="running"),
        "skip": NodeResult(state="skipped"),
    },
    item=Item(value={"path": "p"}, index=3),
)  # fmt: skip
NO_ITEM = Scope(workflow_id="run_1", input=None, nodes={})
ROOM = 10_000


def resolved(value: Any) -> Any:
    found = resolve(value, SCOPE, field="input", bytes_max=ROOM)
    assert isinstance(found, Resolved), found
    return found.value


def unresolved(value: Any, scope: Scope = SCOPE, bytes_max: int = ROOM) -> list[tuple[str, str, str]]:
    found = resolve(value, scope, field="input", bytes_max=bytes_max)
    assert not isinstance(found, Resolved), found
    return [(one.field, one.reference, one.reason) for one in found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${fetch.output.files}", ["a", "b"]),
        ("${fetch.output.files[1]}", "b"),
        ("${fetch.state}", "succeeded"),
        ("${later.state}", "running"),
        ("${undone.output}", 7),
        ('${input["odd key"]["a/b"]}', 1),
        ("${input.none}", None),
        ("${item.path}", "p"),
        ("${index}", 3),
        ("${workflow.id}", "run_1"),
        ("no ${index}: ${input.name} ${input.float} ${input.yes}", "no 3: x 1.5 true"),
        ("$${input.name}", "${input.name}"),
        ("US$$${index}", "US$3"),
        ("plain", "plain"),
        (5, 5),
        ({"a": ["${index}", {"$${b}": "${input.name}"}], "c": None}, {"a": [3, {"${b}": "x"}], "c": None}),
    ],
)
def test_a_reference_takes_the_value_with_its_type(text: Any, value: Any) -> None:
    assert resolved(text) == value
    assert type(resolved(text)) is type(value)


def test_what_is_put_in_is_never_read_as_a_template() -> None:
    assert resolved("${input.evil}") == "${input.name}"
    assert resolved(["<${input.evil}>"]) == ["<${input.name}>"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${fetch.output.pages}", "node fetch has succeeded, its output has no `pages`"),
        ("${fetch.output.files[2]}", "node fetch has succeeded, its output.files has 2 items, and so no [2]"),
        ("${fetch.output.files.a}", "node fetch has succeeded, its output.files is a list, which has no `a`"),
        ("${fetch.output[0]}", "node fetch has succeeded, its output is an object, which has no [0]"),
        (
            "${fetch.output.count.x}",
            "node fetch has succeeded, its output.count is a number, which has no `x`",
        ),
        ("${later.output}", "node later has no output: its state is running"),
        ("${skip.output.x}", "node skip has no output: its state is skipped"),
        ("${nope.output}", "there is no node nope"),
        ("${fetch.result}", "of a node there are `.output` and `.state`: ${fetch.output}"),
        ("${fetch}", "of a node there are `.output` and `.state`: ${fetch.output}"),
        ("${fetch.state.x}", "the state of node fetch is text, which has no `x`"),
        ("${input.name[0]}", "the workflow's input.name is text, which has no [0]"),
        ("${input.none.x}", "the workflow's input.none is null, which has no `x`"),
        ("${input.yes.x}", "the workflow's input.yes is a truth value, which has no `x`"),
        ("${item.size}", "the item has no `size`"),
        ("${workflow.name}", "the workflow has no `name`"),
    ],
)
def test_what_leads_to_nothing_says_what_is_missing(text: str, reason: str) -> None:
    assert unresolved({"a": [text]}) == [("input/a/0", text, reason)]


def test_outside_a_fan_out_there_is_no_item() -> None:
    assert unresolved("${item}", NO_ITEM) == [
        ("input", "${item}", "there is no item: the node does not run for each item of a list")
    ]
    assert unresolved("${index}", NO_ITEM)[0][2].startswith("there is no index")


@pytest.mark.parametrize(
    ("text", "kind"),
    [("a ${fetch.output}", "an object"), ("a ${fetch.output.files}", "a list"), ("a ${input.none}", "null")],
)
def test_only_scalars_stand_within_text(text: str, kind: str) -> None:
    ((_, _, reason),) = unresolved(text)
    assert reason.startswith(f"its value is {kind}, and only text, numbers and truth values")


def test_all_that_is_missing_is_said_at_once_and_once() -> None:
    found = unresolved({"a/b": "${nope.output}", "c": "x ${later.output} ${fetch.output}", "${index}": 1})
    assert [(field, reference) for field, reference, _ in found] == [
        ("input/a~1b", "${nope.output}"),
        ("input/c", "${later.output}"),
        ("input/c", "${fetch.output}"),
        ("input", "${index}"),
    ]


def test_what_is_put_in_has_a_bound() -> None:
    scope = Scope(workflow_id="run_1", input="0123456789", nodes={})
    assert resolve(["${input}"] * 3, scope, field="input", bytes_max=36) == Resolved(["0123456789"] * 3)
    ((field, _, reason),) = unresolved(["${input}"] * 5, scope, bytes_max=35)
    assert field == "input/2"
    assert reason == "with its value these are more than 35 bytes; refer to a part of it"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(alphabet="ab${}", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=6,
)
REFERENCES = st.sampled_from([
    Reference("input"),
    Reference("input", ("a",)),
    Reference("input", ("b", 0)),
    Reference("n", ("output",)),
    Reference("n", ("output", "a")),
    Reference("n", ("state",)),
    Reference("m", ("output",)),
])  # fmt: skip
# A tuple is a text, as its plain and live parts.
TEXTS = st.lists(REFERENCES | st.sampled_from(["x", "$", "{", "${", "${input}"]), max_size=3).map(tuple)
VALUES = st.recursive(
    TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=6,
)


def written(value: Any) -> Any:
    """The value as it is declared."""
    if isinstance(value, tuple):
        return format_template(value)
    if isinstance(value, list):
        return [written(item) for item in value]
    return {key: written(item) for key, item in value.items()}


def filled(value: Any, scope: Scope) -> Any:
    """The value as it must become; an error where a reference leads to nothing."""
    if isinstance(value, list):
        return [filled(item, scope) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, scope) for key, item in value.items()}
    found = [part if isinstance(part, str) else stands_for(part, scope) for part in value]
    if len(value) == 1:
        return found[0]
    if any(one is None or isinstance(one, (list, dict)) for one in found):
        raise LookupError
    return "".join(one if isinstance(one, str) else json.dumps(one) for one in found)


def stands_for(reference: Reference, scope: Scope) -> Any:
    known: dict[Any, Any] = {"input": scope.input}
    for name, node in scope.nodes.items():
        known[name] = {"state": node.state} | ({"output": node.output} if node.state == "succeeded" else {})
    found: Any = known
    for step in (reference.root, *reference.path):
        places: dict[Any, Any] = dict(enumerate(found)) if isinstance(found, list) else {}
        found = (found if isinstance(found, dict) else places)[step]
    return found


@given(VALUES, JSON, JSON, st.sampled_from(["succeeded", "failed"]))
@example([("$", Reference("input")), ("${input}",)], "${n.output}", None, "failed")
def test_every_reference_is_filled_in_or_the_value_is_refused(
    value: Any, given_input: Any, output: Any, state: Any
) -> None:
    scope = Scope(workflow_id="run_1", input=given_input, nodes={"n": NodeResult(state=state, output=output)})
    found = resolve(written(value), scope, field="input", bytes_max=ROOM)
    try:
        wanted = filled(value, scope)
    except LookupError:
        assert isinstance(found, tuple)
        assert found
    else:
        assert found == Resolved(wanted)


def test_one_reference_can_be_looked_up() -> None:
    assert look_up(Reference("index"), SCOPE, field="x") == Resolved(3)
    assert look_up(Reference("nope"), SCOPE, field="x") == Unresolved("x", "${nope}", "there is no node nope")
