"""What a step gives: turned into JSON once, and made anew from that same JSON in every attempt."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
from pydantic import (
    PydanticInvalidForJsonSchema,
    PydanticSchemaGenerationError,
    PydanticUndefinedAnnotation,
    TypeAdapter,
    ValidationError,
)

from sheratan.contracts.code import ASKED_MAX
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.values import check_json
from sheratan.sdk.adapter import dump, make_adapter
from sheratan.sdk.errors import Fatal, InvalidOutput

__all__ = ["StepOutput", "Unreadable"]

_encode = msgspec.json.Encoder().encode
_TYPES_MAX: Final = 1_024
_PLACE_LENGTH_MAX: Final = 200


class Unreadable(Exception):
    """What a step has recorded is not of the type that its function returns; the places say where."""

    def __init__(self, places: tuple[str, ...]) -> None:
        super().__init__(", ".join(places))
        self.places = places


class StepOutput:
    """The type that a step's function says it returns; plain JSON when it names none."""

    def __init__(self, adapter: TypeAdapter[Any]) -> None:
        self._adapter = adapter

    @staticmethod
    def of(function: Callable[..., Any]) -> StepOutput:
        """What a function gives. Raises Fatal, before it is run, when nothing can be made of the type that it names."""
        inner: Any = function
        while isinstance(inner, functools.partial):
            inner = inner.func
        # A bound method is another object each time that it is asked for.
        inner = getattr(inner, "__func__", inner)
        if not isinstance(inner, FunctionType):
            return _read_annotation(inner)
        known = _known.get(inner)
        if known is None:
            known = _known[inner] = _read_annotation(inner)
        return known

    def dump(self, output: Any) -> bytes:
        """An output as JSON; InvalidOutput when it is of another type, or no JSON value."""
        try:
            value = dump(self._adapter, output, "output")
            check_json(value, "output")
        except InvalidInput as error:
            raise InvalidOutput(str(error)) from error
        return _as_text(value)

    def read(self, data: bytes | msgspec.Raw) -> Any:
        """The output that every attempt gets; Unreadable when its type has changed and does not take it any more."""
        if self is _PLAIN:
            return msgspec.json.decode(data)
        try:
            return self._adapter.validate_json(bytes(data))
        except ValidationError as error:
            raise Unreadable(_places(error, self._adapter)) from error


_known: Final[WeakKeyDictionary[FunctionType, StepOutput]] = WeakKeyDictionary()
"""Of functions that were steps before: evaluating an annotation takes longer than recording a step."""


def _read_annotation(function: Any) -> StepOutput:
    if not getattr(function, "__annotations__", None):
        return _PLAIN
    try:
        wanted = inspect.get_annotations(function, eval_str=True).get("return", Any)
    except (TypeError, NameError, AttributeError) as error:
        raise Fatal(f"the type that a step returns cannot be read: {error}") from error
    try:
        return _of_type(wanted)
    except TypeError:
        # Not hashable, as Annotated with a list in it.
        return _make(wanted)


def _places(error: ValidationError, adapter: TypeAdapter[Any]) -> tuple[str, ...]:
    """Where a value does not fit a type, and what is wrong there: by names that the type has, for the journal forgets
    nothing, and the keys of a mapping may be anybody's."""
    try:
        names = frozenset(_field_names(adapter.json_schema()))
    except PydanticInvalidForJsonSchema:
        names = frozenset()
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return tuple(_place(one["loc"], one["type"], names) for one in found[:ASKED_MAX])


def _place(where: tuple[int | str, ...], what: str, names: frozenset[str]) -> str:
    parts = [str(part) if isinstance(part, int) or part in names else "…" for part in where]
    return f"{'.'.join(parts) or 'output'}: {what}"[-_PLACE_LENGTH_MAX:]


def _field_names(schema: Any) -> Iterator[str]:
    """The names of all fields in a JSON Schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _field_names(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _field_names(part)


class _Plain(StepOutput):
    def dump(self, output: Any) -> bytes:
        """As StepOutput does; values that are JSON already need no adapter."""
        try:
            check_json(output, "output")
        except InvalidInput:
            return super().dump(output)
        return _as_text(output)


def _as_text(value: Any) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError as error:
        raise InvalidOutput("text with a lone surrogate cannot be written as UTF-8") from error


def _make(wanted: Any) -> StepOutput:
    if wanted is Any:
        return _PLAIN
    try:
        return StepOutput(make_adapter(wanted))
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation) as error:
        raise Fatal(f"nothing can be made of the type {wanted!r} that a step returns") from error


_of_type: Final = functools.lru_cache(_TYPES_MAX)(_make)
_PLAIN: Final = _Plain(make_adapter(Any))
