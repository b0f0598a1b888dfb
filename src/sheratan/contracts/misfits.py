"""What does not fit a type of the contracts, in words: what is wrong, and what may stand there instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from sheratan.contracts.patterns import PATTERN_WORDS

__all__ = ["in_words", "path_of"]

_SHOWN_MAX: Final = 40

_OF_PATTERN: Final = " matching regex "
_OF_NAMES: Final = " as a name"
_WORDS: Final = {repr(pattern): words for pattern, words in PATTERN_WORDS.items()}
"""By patterns as msgspec quotes them."""


def in_words(message: str, path: str, wanted: Any) -> str:
    """What msgspec says of a value, without its path, with what may stand there as far as that is known."""
    name = _OF_NAMES if message.endswith(_OF_NAMES) else ""
    expected, _, pattern = message.removesuffix(name).partition(_OF_PATTERN)
    if expected and pattern in _WORDS:
        return f"Expected {_WORDS[pattern]}{name}"
    if message.startswith(("Invalid enum value", "Invalid value")):
        is_tag = message.startswith("Invalid value")
        return _with(message, _choices(wanted, path.rpartition(".")[0] if is_tag else path, is_tag=is_tag))
    if message.startswith("Object contains unknown field"):
        return _with(message, [name for struct in _structs(wanted, path) for name in _fields(struct)])
    return message


def _with(message: str, known: list[str]) -> str:
    if not known:
        return message
    more = ", …" if len(known) > _SHOWN_MAX else ""
    return f"{message}; there are {', '.join(known[:_SHOWN_MAX])}{more}"


def _choices(wanted: Any, path: str, *, is_tag: bool) -> list[str]:
    if is_tag:
        return [str(struct.tag) for struct in _structs(wanted, path)]
    return [
        str(value)
        for one in _at(wanted, path)
        if isinstance(one, inspect.LiteralType)
        for value in one.values
    ]


def _structs(wanted: Any, path: str) -> list[inspect.StructType]:
    return [one for one in _at(wanted, path) if isinstance(one, inspect.StructType)]


def _fields(struct: inspect.StructType) -> list[str]:
    return [field.encode_name for field in struct.fields]


def _at(wanted: Any, path: str) -> list[inspect.Type]:
    """The types that may stand at a path such as `.nodes[0].when`."""
    found = list(_plain(_type_info(wanted)))
    for step in re.findall(r"\[[^\]]*\]|[^.\[\]]+", path):
        found = [inner for one in found for kind in _within(one, step) for inner in _plain(kind)]
    return found


@lru_cache(16)
def _type_info(wanted: Any) -> inspect.Type:
    return inspect.type_info(wanted)


def _plain(kind: inspect.Type) -> Iterator[inspect.Type]:
    """A type without what is said about it, or each of several."""
    if isinstance(kind, inspect.Metadata):
        yield from _plain(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _plain(one)
    else:
        yield kind


def _within(kind: inspect.Type, step: str) -> Iterator[inspect.Type]:
    """What stands in a type under a step of a path."""
    if isinstance(kind, inspect.StructType):
        yield from (field.type for field in kind.fields if field.encode_name == step)
    elif isinstance(kind, inspect.DictType):
        yield kind.value_type
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
        yield kind.item_type


def path_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """What msgspec says, and where, as `.nodes[0].when`."""
    message, _, path = str(error).replace(" - at `key` in `$", f"{_OF_NAMES} - at `$").partition(" - at `$")
    return message, path.rstrip("`")
