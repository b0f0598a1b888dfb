"""Does a value fit a JSON Schema (2020-12)? As much of it as says what the input of a workflow is made of.

`pattern` and `format` are for those who read the schema: a pattern can take for ever on a text that is made for it, and
this is asked between batches. What would be an assertion here and is not known is refused when it is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import remainder
from operator import ge, gt, le, lt
from typing import Any, Final, NamedTuple

from sheratan.contracts.values import pointer
from sheratan.kernel.canonical import canonical
from sheratan.kernel.schema_form import KEYWORDS, TYPES, UNKNOWN, find_definition, is_type
from sheratan.kernel.words import count
from sheratan.kernel.workflow_problem import Problem

__all__ = ["Misfit", "check_schema", "find_misfit", "sound_schema"]

_ALTERNATIVES_MAX: Final = 200_000
"""Alternatives asked for one value: those within others can be more than anybody waits for, while the engine does."""

_DEEPEST: Final = 200
"""Schemas within each other, those of references and alternatives, too. A reference may lead back to itself."""

_SHOWN_MAX: Final = 10


class Misfit(NamedTuple):
    """What does not fit, and why, which quotes nothing of the value. Steps are False where the schema names no key."""

    path: tuple[tuple[str | int, bool], ...]
    detail: str

    def place(self, field: str, *, is_told: bool = False) -> str:
        """Where it is, as a JSON Pointer; keys that only the value has are left out of what the journal is told."""
        for step, is_declared in self.path:
            field = pointer(field, step if is_declared or not is_told else "*")
        return field

    def below(self, step: str | int, *, is_declared: bool = True) -> Misfit:
        """The same of what holds the value."""
        return Misfit(((step, is_declared), *self.path), self.detail)


def check_schema(schema: Any, field: str) -> list[Problem]:
    """All that is wrong with a schema itself."""
    problems: list[Problem] = []
    left = [(schema, field)]
    while left:
        given, at = left.pop()
        if isinstance(given, dict):
            for name, value in given.items():
                place = pointer(at, name)
                wrong = _wrong(schema, name, value)
                if wrong:
                    problems.append(Problem(place, wrong))
                elif name in KEYWORDS:
                    left += KEYWORDS[name].within(value, place)
        elif not isinstance(given, bool):
            problems.append(Problem(at, "a schema is an object, or true or false"))
    return problems


def _wrong(whole: Any, name: str, value: Any) -> str:
    """What is wrong with a keyword, if anything."""
    if name in UNKNOWN:
        return f"`{name}` is not looked at by this release; say it by what is known, or leave it to the kinds"
    wrong = KEYWORDS[name].wrong(value) if name in KEYWORDS else ""
    if not wrong and name == "$ref" and find_definition(whole, value) is None:
        return f"{value!r} leads nowhere; write #/$defs/NAME, and define that"
    return wrong


def sound_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that was kept, or one that takes anything where it is not sound: it is older than the check."""
    return {} if schema and check_schema(schema, "") else schema


def find_misfit(schema: Any, value: Any) -> Misfit | None:
    """The first thing in a value that does not fit a sound schema; nothing when it fits."""
    try:
        return _Check(schema).of(schema, value, 0) if schema else None
    except _TooMuch as found:
        return Misfit((), str(found))


class _TooMuch(Exception):
    """Nobody waits until it is known whether the value fits."""


class _Check:
    """The look at one value."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole
        self._alternatives = 0

    def of(self, schema: Any, value: Any, depth: int) -> Misfit | None:
        if depth > _DEEPEST:
            raise _TooMuch(f"is nested more than {_DEEPEST} schemas deep; make it simpler")
        if isinstance(schema, bool):
            return None if schema else Misfit((), "nothing may stand here")
        if len(schema) == 1 and "type" in schema:
            return _type(schema, value)  # what long lists are made of
        # A loop, since each frame of the interpreter counts here.
        for found in self._looks(schema, value, depth + 1):
            if found is not None:
                return found
        return None

    def _looks(self, schema: Mapping[str, Any], value: Any, depth: int) -> Iterator[Misfit | None]:
        if "$ref" in schema:
            yield self.of(find_definition(self._whole, schema["$ref"]), value, depth)
        yield _type(schema, value)
        yield _values(schema, value)
        if isinstance(value, str):
            yield _length(schema, len(value), "Length", "character")
        elif isinstance(value, dict):
            yield from self._object(schema, value, depth)
        elif isinstance(value, list):
            yield from self._list(schema, value, depth)
        elif is_type(value, "number"):
            yield _bounds(schema, value)
        yield from self._combined(schema, value, depth)

    def _object(
        self, schema: Mapping[str, Any], value: dict[str, Any], depth: int
    ) -> Iterator[Misfit | None]:
        yield _length(schema, len(value), "Properties", "field")
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield Misfit(((name, True),), "is missing")
        # Which fields a pattern is for is not asked, so nothing is said about those that are left.
        rest = True if "patternProperties" in schema else schema.get("additionalProperties", True)
        for name, item in value.items():
            if name in properties:
                found = self.of(properties[name], item, depth)
            elif rest is False:
                names = ", ".join(list(properties)[:_SHOWN_MAX])
                found = Misfit(
                    (), f"there is no such field; there are {names}" if names else "no field may be here"
                )
            else:
                found = self.of(rest, item, depth)
            if found is not None:
                yield found.below(name, is_declared=name in properties)

    def _list(self, schema: Mapping[str, Any], value: list[Any], depth: int) -> Iterator[Misfit | None]:
        yield _length(schema, len(value), "Items", "item")
        if schema.get("uniqueItems") and len({canonical(item) for item in value}) < len(value):
            yield Misfit((), "an item stands in it twice, and each may only once")
        first = schema.get("prefixItems", [])
        rest = schema.get("items", True)
        for place, item in enumerate(value):
            found = self.of(first[place] if place < len(first) else rest, item, depth)
            if found is not None:
                yield found.below(place)

    def _combined(self, schema: Mapping[str, Any], value: Any, depth: int) -> Iterator[Misfit | None]:
        for part in schema.get("allOf", ()):
            yield self.of(part, value, depth)
        if "anyOf" in schema:
            found = self._alternatives_of(schema["anyOf"], value, depth)
            yield None if None in found else self._none_of(schema["anyOf"], found)
        if "oneOf" in schema:
            found = self._alternatives_of(schema["oneOf"], value, depth)
            fits = found.count(None)
            if fits != 1:
                several = Misfit((), f"fits {fits} of the forms that it may have, and must fit one")
                yield several if fits else self._none_of(schema["oneOf"], found)
        if "not" in schema and self.of(schema["not"], value, depth) is None:
            yield Misfit((), "has the one form that it must not have")

    def _alternatives_of(self, parts: list[Any], value: Any, depth: int) -> list[Misfit | None]:
        self._alternatives += len(parts)
        if self._alternatives > _ALTERNATIVES_MAX:
            raise _TooMuch(
                f"is too much to look at: its schema has alternatives (`anyOf`, `oneOf`) for more than"
                f" {_ALTERNATIVES_MAX:,} times; for a type or null write a list of both as `type`"
            )
        return [self.of(part, value, depth) for part in parts]

    def _none_of(self, parts: list[Any], found: list[Misfit | None]) -> Misfit:
        """Of a value or null, what is wrong with the value; else that none fits."""
        said = [
            one
            for part, one in zip(parts, found, strict=True)
            if part != {"type": "null"} and one is not None
        ]
        return (
            said[0] if len(said) == 1 else Misfit((), f"fits none of the {len(parts)} forms that it may have")
        )


def _type(schema: Mapping[str, Any], value: Any) -> Misfit | None:
    wanted = schema.get("type")
    if wanted is None:
        return None
    types = wanted if isinstance(wanted, list) else [wanted]
    if any(is_type(value, each) for each in types):
        return None
    found = next(words for name, words in TYPES.items() if is_type(value, name))
    return Misfit((), f"must be {' or '.join(TYPES[each] for each in types)}, and is {found}")


def _values(schema: Mapping[str, Any], value: Any) -> Misfit | None:
    allowed = schema.get("enum")
    if "const" in schema:
        allowed = [schema["const"]]
    if allowed is None or canonical(value) in [canonical(each) for each in allowed]:
        return None
    shown = ", ".join(canonical(each).decode() for each in allowed[:_SHOWN_MAX])
    return Misfit((), f"must be {'one of ' if len(allowed) > 1 else ''}{shown}")


def _length(schema: Mapping[str, Any], size: int, what: str, unit: str) -> Misfit | None:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}", size)
    if least <= size <= most:
        return None
    bound = f"at least {count(least, unit)}" if size < least else f"at most {count(most, unit)}"
    return Misfit((), f"has {count(size, unit)}, and must have {bound}")


def _bounds(schema: Mapping[str, Any], value: float) -> Misfit | None:
    for name, words, holds in _BOUNDS:
        if name in schema and not holds(value, schema[name]):
            return Misfit((), f"must be {words} {schema[name]}")
    return None


def _is_multiple(value: float, bound: float) -> bool:
    return abs(remainder(value, bound)) <= bound * 1e-9


_BOUNDS: Final[tuple[tuple[str, str, Callable[[float, float], bool]], ...]] = (
    ("minimum", "at least", ge),
    ("maximum", "at most", le),
    ("exclusiveMinimum", "more than", gt),
    ("exclusiveMaximum", "less than", lt),
    ("multipleOf", "a multiple of", _is_multiple),
)
