"""Which Python values are JSON values, without loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from sheratan.contracts.errors import InvalidInput

__all__ = ["DEPTH_MAX", "INTEGER_MAX", "check_json", "convert", "misfit", "pointer"]

T = TypeVar("T")

INTEGER_MAX: Final = (1 << 53) - 1
DEPTH_MAX: Final = 100


def convert(given: Any, wanted: type[T]) -> T:
    """Builtins, or a struct as they would make it, as a type of the contracts; InvalidInput names the field."""
    try:
        return msgspec.convert(given, wanted)
    except msgspec.ValidationError as error:
        raise misfit(error) from error


def misfit(error: msgspec.ValidationError) -> InvalidInput:
    """What msgspec found wrong, with the field in dotted form."""
    message, _, path = str(error).partition(" - at `$")
    return InvalidInput(message, field=path.rstrip("`").lstrip(".") or None)


def check_json(value: Any, field: str = "") -> bool:
    """Raise InvalidInput, with a JSON Pointer below `field`, when a value is not JSON or would lose digits.

    True when it holds nothing but text, integers, truth values and ASCII keys: then any encoder that sorts keys
    writes it as RFC 8785 asks.
    """
    return _check(value, field, 0)


def pointer(field: str, step: str | int) -> str:
    """The JSON Pointer (RFC 6901) to what a field holds under a key or at a place."""
    return f"{field}/{_escaped(str(step))}"


def _check(value: Any, field: str, depth: int) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    check = _CHECKS.get(kind)
    if check is None:
        raise InvalidInput(f"{kind.__name__} is not a JSON value", field=field or "/")
    return check(value, field, depth)


def _check_float(value: float, field: str, depth: int) -> bool:
    if math.isfinite(value):
        return False
    raise InvalidInput("NaN and Infinity are not JSON", field=field or "/")


def _check_integer(value: int, field: str, depth: int) -> bool:
    if -INTEGER_MAX <= value <= INTEGER_MAX:
        return True
    raise InvalidInput("an integer beyond 2^53 - 1 loses digits in JSON; send it as text", field=field or "/")


def _check_list(value: Sequence[Any], field: str, depth: int) -> bool:
    _check_depth(field, depth)
    plain = True
    for index, item in enumerate(value):
        plain &= _check(item, f"{field}/{index}", depth + 1)
    return plain


def _escaped(key: str) -> str:
    """A key as a step of a JSON Pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def _check_dict(value: dict[Any, Any], field: str, depth: int) -> bool:
    _check_depth(field, depth)
    plain = True
    for key, item in value.items():
        if type(key) is not str:
            raise InvalidInput(f"key {key!r} is not text", field=field or "/")
        # Beyond ASCII, UTF-16 order (RFC 8785 section 3.2.3) and code point order may differ.
        plain &= key.isascii()
        plain &= _check(item, f"{field}/{_escaped(key)}", depth + 1)
    return plain


def _check_depth(field: str, depth: int) -> None:
    if depth >= DEPTH_MAX:
        raise InvalidInput(f"nested deeper than {DEPTH_MAX} levels", field=field or "/")


_CHECKS: Final[dict[type, Callable[[Any, str, int], bool]]] = {
    int: _check_integer,
    float: _check_float,
    list: _check_list,
    tuple: _check_list,
    dict: _check_dict,
}
