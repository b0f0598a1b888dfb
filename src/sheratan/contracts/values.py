"""Which Python values are JSON values, without loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.misfits import in_words, path_of

__all__ = ["DEPTH_MAX", "INTEGER_MAX", "check_json", "convert", "misfit", "pointer"]

T = TypeVar("T")

INTEGER_MAX: Final = (1 << 53) - 1
DEPTH_MAX: Final = 100


def convert(given: Any, wanted: type[T]) -> T:
    """Builtins, or a struct as they would make it, as a type of the contracts; InvalidInput names the field."""
    try:
        return msgspec.convert(given, wanted)
    except msgspec.ValidationError as error:
        raise misfit(error, wanted) from error


def misfit(error: msgspec.ValidationError, wanted: Any) -> InvalidInput:
    """What msgspec found wrong with what is to be of this type, with the field in dotted form."""
    message, path = path_of(error)
    return InvalidInput(in_words(message, path, wanted), field=path.lstrip(".") or None)


def check_json(value: Any, field: str = "") -> bool:
    """Raise InvalidInput, with a JSON Pointer below `field`, when a value is not JSON or would lose digits.

    True when it holds nothing but text, integers, truth values and ASCII keys: then any encoder that sorts keys
    writes it as RFC 8785 asks.
    """
    try:
        return _check(value, 0)
    except InvalidInput as refusal:
        refusal.field = f"{field}{refusal.field or ''}" or "/"
        raise


def pointer(field: str, step: str | int) -> str:
    """The JSON Pointer (RFC 6901) to what a field holds under a key or at a place."""
    return f"{field}/{_escaped(str(step))}"


def _check(value: Any, depth: int) -> bool:
    """As check_json; the pointer in a refusal is written on the way back, as most values have nothing wrong in them."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    check = _CHECKS.get(kind)
    if check is None:
        raise InvalidInput(f"{kind.__name__} is not a JSON value")
    return check(value, depth)


def _check_float(value: float, depth: int) -> bool:
    if math.isfinite(value):
        return False
    raise InvalidInput("NaN and Infinity are not JSON")


def _check_integer(value: int, depth: int) -> bool:
    if -INTEGER_MAX <= value <= INTEGER_MAX:
        return True
    raise InvalidInput("an integer beyond 2^53 - 1 loses digits in JSON; send it as text")


def _check_list(value: Sequence[Any], depth: int) -> bool:
    _check_depth(depth)
    plain = True
    for place, item in enumerate(value):
        try:
            plain &= _check(item, depth + 1)
        except InvalidInput as refusal:
            refusal.field = f"/{place}{refusal.field or ''}"
            raise
    return plain


def _escaped(key: str) -> str:
    """A key as a step of a JSON Pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def _check_dict(value: dict[Any, Any], depth: int) -> bool:
    _check_depth(depth)
    plain = True
    for key, item in value.items():
        if type(key) is not str:
            raise InvalidInput(f"key {key!r} is not text")
        # Beyond ASCII, UTF-16 order (RFC 8785 section 3.2.3) and code point order may differ.
        plain &= key.isascii()
        try:
            plain &= _check(item, depth + 1)
        except InvalidInput as refusal:
            refusal.field = f"/{_escaped(key)}{refusal.field or ''}"
            raise
    return plain


def _check_depth(depth: int) -> None:
    if depth >= DEPTH_MAX:
        raise InvalidInput(f"nested deeper than {DEPTH_MAX} levels")


_CHECKS: Final[dict[type, Callable[[Any, int], bool]]] = {
    int: _check_integer,
    float: _check_float,
    list: _check_list,
    tuple: _check_list,
    dict: _check_dict,
}
