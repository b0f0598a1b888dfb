"""The keywords of JSON Schema (2020-12) that inputs of workflows are checked by, and how each must be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sheratan.contracts.values import pointer

__all__ = ["KEYWORDS", "TYPES", "UNKNOWN", "Keyword", "find_definition", "is_type"]

TYPES: Final = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "an object",
}
"""Each type, and what users are told of it."""

_CLASSES: Final[dict[str, tuple[type, ...]]] = {
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}

Within = Callable[[Any, str], list[tuple[Any, str]]]


class Keyword(NamedTuple):
    """What is wrong with how a keyword is written, in words, and the schemas within it with their fields."""

    wrong: Callable[[Any], str]
    within: Within = lambda _value, _field: []


def is_type(value: Any, name: str) -> bool:
    """Whether a JSON value is of a type; 1.0 is a whole number, and true is no number."""
    if isinstance(value, bool) or value is None:
        return name == ("null" if value is None else "boolean")
    if name == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, _CLASSES.get(name, ()))


def find_definition(whole: Any, reference: str) -> Any:
    """What a reference within a schema leads to; None when that is nothing, or nowhere where schemas stand."""
    if reference == "#":
        return whole
    name = reference.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
    definitions = whole.get("$defs") if isinstance(whole, dict) else None
    is_known = isinstance(definitions, dict) and reference.startswith("#/$defs/")
    return definitions.get(name) if is_known and isinstance(definitions, dict) else None


def _must_be(words: str, is_right: Callable[[Any], bool]) -> Callable[[Any], str]:
    return lambda value: "" if is_right(value) else f"must be {words}"


def _is_size(value: Any) -> bool:
    return is_type(value, "integer") and value >= 0


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _types_wrong(value: Any) -> str:
    names = value if isinstance(value, list) and value else [value]
    unknown = [each for each in names if not isinstance(each, str) or each not in TYPES]
    return f"{unknown[0]!r} is no type; there are {', '.join(TYPES)}" if unknown else ""


def _one(value: Any, field: str) -> list[tuple[Any, str]]:
    return [(value, field)]


def _each(value: Any, field: str) -> list[tuple[Any, str]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [(item, pointer(field, step)) for step, item in items]


_anything = _must_be("any value", lambda _value: True)
_size = Keyword(_must_be("a whole number of at least 0", _is_size))
_bound = Keyword(_must_be("a number", lambda value: is_type(value, "number")))
_list = _must_be("a list with at least one item", lambda value: isinstance(value, list) and bool(value))
_schemas = Keyword(_list, _each)
_named = Keyword(_must_be("an object", lambda value: isinstance(value, dict)), _each)
_schema = Keyword(_anything, _one)

KEYWORDS: Final = {
    "$ref": Keyword(_must_be("text", lambda value: isinstance(value, str))),
    "$defs": _named,
    "type": Keyword(_types_wrong),
    "enum": Keyword(_list),
    "const": Keyword(_anything),
    "properties": _named,
    "required": Keyword(_must_be("a list of names", _is_names)),
    "additionalProperties": _schema,
    "items": _schema,
    "prefixItems": _schemas,
    "uniqueItems": Keyword(_must_be("true or false", lambda value: isinstance(value, bool))),
    "anyOf": _schemas,
    "oneOf": _schemas,
    "allOf": _schemas,
    "not": _schema,
    "minimum": _bound,
    "maximum": _bound,
    "exclusiveMinimum": _bound,
    "exclusiveMaximum": _bound,
    "multipleOf": Keyword(_must_be("more than 0", lambda value: is_type(value, "number") and value > 0)),
    **{f"{bound}{of}": _size for bound in ("min", "max") for of in ("Length", "Items", "Properties")},
}
"""What is asked of values."""

UNKNOWN: Final = frozenset(
    [
        "$anchor",
        "$dynamicAnchor",
        "$dynamicRef",
        "contains",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "maxContains",
        "minContains",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]
)
"""Keywords that would ask something, and are not known."""
