"""Canonical JSON (RFC 8785): one value, one sequence of bytes, on any machine.

Values: None, bool, int within ±(2^53 - 1), finite float, str without lone surrogates, list or tuple, dict with
str keys. Everything else is refused with InvalidInput naming a JSON Pointer (RFC 6901).
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any, Final

import msgspec

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.values import INTEGER_MAX, check_json

__all__ = ["canonical", "digest", "parse_strict"]

_SMALL_BYTES = 64
_encode_plain = msgspec.json.Encoder(order="sorted").encode
_encode_text = json.JSONEncoder(ensure_ascii=False).encode
_FLOAT_DIGITS_MAX: Final = 22


def canonical(value: Any, *, field: str = "") -> bytes:
    """The RFC 8785 bytes of a value; `field` prefixes the pointer in a refusal."""
    if value is None:
        return b"null"
    try:
        if check_json(value, field):
            # Integers, ASCII keys and text only: the fast encoder and RFC 8785 agree on these.
            return _encode_plain(value)
        return _slow(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInput(
            "text with a lone surrogate cannot be written as UTF-8", field=field or "/"
        ) from error


def digest(data: bytes) -> str:
    """The SHA-256 of some bytes, as 64 hexadecimal digits."""
    return _digest_of_small(data) if len(data) <= _SMALL_BYTES else hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=1024)
def _digest_of_small(data: bytes) -> str:
    """Small inputs and outputs repeat: `null`, `true`, an empty object."""
    return hashlib.sha256(data).hexdigest()


def parse_strict(text: str | bytes, *, field: str = "") -> Any:
    """JSON text as a value; duplicate keys, NaN, Infinity, deep nesting and broken text are refused."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_no_duplicates, parse_constant=_no_constants, parse_int=_integer
        )
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"not valid JSON: {error}", field=field or "/") from error
    check_json(value, field)
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} appears twice")
        found[key] = value
    return found


def _no_constants(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int | float:
    """An integer; or the float that RFC 8785 writes with just these digits, as it does between 2^53 and 10^21."""
    value = int(digits)
    if abs(value) > INTEGER_MAX and len(digits) <= _FLOAT_DIGITS_MAX and _number(float(value)) == digits:
        return float(value)
    return value


def _slow(value: Any) -> str:
    kind = type(value)
    if kind is float:
        return _number(value)
    if kind is dict:
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{_text(key)}:{_slow(value[key])}" for key in keys) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join(_slow(item) for item in value) + "]"
    if kind is str:
        return _text(value)
    return msgspec.json.encode(value).decode()


def _text(value: str) -> str:
    return _encode_text(value)


def _number(value: float) -> str:
    """ECMAScript Number::toString (ECMA-262 section 6.1.6.1.20), from Python's shortest digits."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent_text = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent_text or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return sign + _place_point(digits, point)


def _place_point(digits: str, point: int) -> str:
    """Digits `d` with the decimal point after `point` of them, laid out as ECMAScript does."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = point - 1
    head = digits[0] + ("." + digits[1:] if count > 1 else "")
    return f"{head}e{'+' if exponent > 0 else '-'}{abs(exponent)}"
