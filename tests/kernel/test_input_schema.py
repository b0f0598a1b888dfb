"""Inputs of workflows against their schemas: what fits, what does not, and what is no schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from sheratan.kernel.input_schema import check_schema, find_misfit, sound_schema


class Line(BaseModel):
    """One of an order."""

    model_config = {"extra": "forbid"}

    article: str
    pieces: Annotated[int, Field(ge=1, le=100)] = 1
    below: list[Line] = []


class Order(BaseModel):
    """As a user would declare it."""

    customer: str
    lines: Annotated[list[Line], Field(min_length=1)]
    how: Literal["post", "van"] = "post"
    note: str | None = None
    shares: dict[str, float] = {}
    place: tuple[int, str] = (0, "")


ORDER: dict[str, Any] = TypeAdapter(Order).json_schema()


def order(**fields: Any) -> dict[str, Any]:
    """One that fits, but for these fields."""
    return {"customer": "ada", "lines": [{"article": "ice", "pieces": 3}], **fields}


def test_what_fits() -> None:
    deep = order(
        lines=[{"article": "a", "below": [{"article": "b"}]}], note=None, shares={"x": 1}, place=[1, "b"]
    )
    assert check_schema(ORDER, "input_schema") == []
    assert find_misfit(ORDER, order()) is None
    assert find_misfit(ORDER, deep) is None
    assert find_misfit({}, "anything") is None


@pytest.mark.parametrize(
    ("value", "field", "detail"),
    [
        (5, "input", "must be an object, and is a whole number"),
        (None, "input", "must be an object, and is null"),
        ({"lines": []}, "input/customer", "is missing"),
        (order(customer=True), "input/customer", "must be text, and is true or false"),
        (order(lines=[]), "input/lines", "has 0 items, and must have at least 1 item"),
        (order(lines=[{"article": "a"}, {}]), "input/lines/1/article", "is missing"),
        (order(lines=[{"article": "a", "pieces": 0}]), "input/lines/0/pieces", "must be at least 1"),
        (
            order(lines=[{"article": "a", "x": 0}]),
            "input/lines/0/x",
            "there is no such field; there are article, p",
        ),
        (order(lines=[{"article": "a", "below": [{}]}]), "input/lines/0/below/0/article", "is missing"),
        (order(how="foot"), "input/how", 'must be one of "post", "van"'),
        (order(note=7), "input/note", "must be text, and is a whole number"),
        (order(shares={"a/b": "x"}), "input/shares/a~1b", "must be a number, and is text"),
        (order(place=[1]), "input/place", "has 1 item, and must have at least 2 items"),
        (order(place=[1, 2]), "input/place/1", "must be text, and is a whole number"),
    ],
)
def test_what_does_not(value: Any, field: str, detail: str) -> None:
    misfit = find_misfit(ORDER, value)
    assert misfit is not None
    assert misfit.place("input") == field
    assert misfit.detail.startswith(detail)


@pytest.mark.parametrize(
    ("schema", "fits", "fits_not"),
    [
        ({"type": "integer"}, 1.0, 1.5),
        ({"type": ["integer", "null"]}, None, "x"),
        ({"const": 1}, 1.0, True),
        ({"enum": [{"a": 1}]}, {"a": 1}, {"a": 2}),
        ({"minLength": 2, "maxLength": 3}, "ab", "abcd"),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 2}, 1.5, 2),
        ({"maximum": 2}, 2, 2.5),
        ({"multipleOf": 0.1}, 0.3, 0.35),
        ({"maxItems": 1, "items": {"type": "null"}}, [None], [None, None]),
        ({"uniqueItems": True}, [1, "1"], [1, 1.0]),
        ({"maxProperties": 1}, {"a": 1}, {"a": 1, "b": 1}),
        ({"properties": {"a": False}}, {}, {"a": 1}),
        ({"additionalProperties": {"type": "null"}}, {"a": None}, {"a": 1}),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 2, 3),
        ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, 6, 4),
        ({"oneOf": [{"minimum": 1}, {"maximum": 5}]}, 7, 3),
        ({"not": {"type": "null"}}, 1, None),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "null"}}}, None, 1),
        ({"properties": {"a": {"$ref": "#"}}, "type": "object"}, {"a": {}}, {"a": {"a": 1}}),
    ],
)
def test_keywords(schema: dict[str, Any], fits: Any, fits_not: Any) -> None:
    assert check_schema(schema, "") == []
    assert find_misfit(schema, fits) is None
    assert find_misfit(schema, fits_not) is not None


@pytest.mark.parametrize(
    ("schema", "field", "detail"),
    [
        ({"type": "strin"}, "s/type", "'strin' is no type; there are null, boolean"),
        ({"type": []}, "s/type", "[] is no type"),
        ({"properties": {"a": 1}}, "s/properties/a", "a schema is an object, or true or false"),
        ({"properties": []}, "s/properties", "must be an object"),
        ({"items": {"minLength": -1}}, "s/items/minLength", "must be a whole number of at least 0"),
        ({"anyOf": []}, "s/anyOf", "must be a list with at least one item"),
        ({"anyOf": [True, {"maximum": "9"}]}, "s/anyOf/1/maximum", "must be a number"),
        ({"required": "a"}, "s/required", "must be a list of names"),
        ({"multipleOf": 0}, "s/multipleOf", "must be more than 0"),
        ({"uniqueItems": 1}, "s/uniqueItems", "must be true or false"),
        ({"$ref": "#/$defs/A"}, "s/$ref", "'#/$defs/A' leads nowhere; write #/$defs/NAME"),
        ({"$ref": "https://example.org/a"}, "s/$ref", "'https://example.org/a' leads nowhere"),
        ({"$ref": 1}, "s/$ref", "must be text"),
        ({"if": {}}, "s/if", "`if` is not looked at by this release; say it by what is known"),
    ],
)
def test_what_is_no_schema(schema: dict[str, Any], field: str, detail: str) -> None:
    [problem] = check_schema(schema, "s")
    assert problem.field == field
    assert problem.detail.startswith(detail)
    assert sound_schema(schema) == {}


def test_what_is_told_in_the_journal_holds_no_key_that_only_the_input_has() -> None:
    misfit = find_misfit(ORDER, order(shares={"a secret": "x"}))
    assert misfit is not None
    assert misfit.place("nodes/0/input", is_told=True) == "nodes/0/input/shares/*"
    assert "secret" not in misfit.detail


@pytest.mark.parametrize(
    ("schema", "levels", "detail"),
    [
        ({"$ref": "#"}, 1, "is nested more than 200 schemas deep"),
        ({"anyOf": [{"items": {"$ref": "#"}, "not": False}] * 2}, 90, "is nested more than 200 schemas deep"),
        ({"anyOf": [{"items": {"$ref": "#"}, "not": True}] * 2}, 40, "is too much to look at"),
    ],
)
def test_a_schema_that_goes_round_in_circles_comes_to_an_end(
    schema: dict[str, Any], levels: int, detail: str
) -> None:
    value: Any = None
    for _ in range(levels):
        value = [value]
    assert check_schema(schema, "") == []
    misfit = find_misfit(schema, value)
    assert misfit is not None
    assert misfit.detail.startswith(detail)


def test_a_list_with_too_many_alternatives_is_not_said_to_fit_none_of_them() -> None:
    either: dict[str, Any] = {"items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}
    misfit = find_misfit(either, [None] * 100_001)
    assert misfit is not None
    assert misfit.detail.startswith("is too much to look at")
    assert find_misfit({"items": {"type": ["integer", "null"]}}, [None] * 100_001) is None
