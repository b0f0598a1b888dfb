"""What a step gives: turned into JSON once, and made anew from that same JSON in every attempt."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

import msgspec
from pydantic import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, TypeAdapter, ValidationError

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.values import check_json
from sheratan.sdk.adapter import dump, make_adapter
from sheratan.sdk.errors import CodeChanged, Fatal, InvalidOutput

__all__ = ["StepOutput"]

_encode = msgspec.json.Encoder().encode
_TYPES_MAX: Final = 1_024


class StepOutput:
    """The type that a step's function says it returns; plain JSON when it names none."""

    def __init__(self, adapter: TypeAdapter[Any]) -> None:
        self._adapter = adapter

    @staticmethod
    def of(function: Callable[..., Any]) -> StepOutput:
        """What a function gives. Raises Fatal, before it is run, when nothing can be made of the type that it names."""
        inner = function
        while isinstance(inner, functools.partial):
            inner = inner.func
        if not getattr(inner, "__annotations__", None):
            return _PLAIN
        try:
            wanted = inspect.get_annotations(inner, eval_str=True).get("return", Any)
        except (TypeError, NameError, AttributeError) as error:
            raise Fatal(f"the type that a step returns cannot be read: {error}") from error
        try:
            return _of_type(wanted)
        except TypeError:
            # Not hashable, as Annotated with a list in it.
            return _make(wanted)

    def dump(self, output: Any) -> bytes:
        """An output as JSON; InvalidOutput when it is of another type, or no JSON value."""
        try:
            value = dump(self._adapter, output, "output")
            check_json(value, "output")
        except InvalidInput as error:
            raise InvalidOutput(str(error)) from error
        return _as_text(value)

    def read(self, data: bytes | msgspec.Raw) -> Any:
        """The output that every attempt gets; CodeChanged when the type has changed and does not take it any more."""
        if self is _PLAIN:
            return msgspec.json.decode(data)
        try:
            return self._adapter.validate_json(bytes(data))
        except ValidationError as error:
            raise CodeChanged(f"the output of a step that is recorded is of another type: {error}") from error


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
