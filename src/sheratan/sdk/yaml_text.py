"""YAML text as a JSON value, strictly: what two parsers could read differently is refused by line.

That is: keys that appear twice, plain words that YAML 1.1 and YAML 1.2 disagree about (`no`, `012`, `12:30`), tags,
and anchors with their aliases, by which a small text becomes a huge value. The rest is read as the core schema of
YAML 1.2.2 (section 10.3) says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, NoReturn

import yaml

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.values import DEPTH_MAX, pointer

__all__ = ["YamlValue", "parse_yaml"]

_CORE: Final = (
    ("null", re.compile(r"null|Null|NULL|~|")),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")),
    ("float", re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")),
)
_TAG_PREFIX: Final = "tag:yaml.org,2002:"
_OCTAL: Final = re.compile(r"[-+]?0[0-9]+")
_WORDS: Final = {
    "null": "null",
    "bool": "a truth value",
    "int": "an integer",
    "float": "a number",
    "timestamp": "an instant",
    "merge": "a merge of another mapping",
    "value": "a default value",
    "str": "text",
}


class YamlValue(NamedTuple):
    """A JSON value, and the line of each of its parts by its JSON Pointer (without the first `/`), counted from 1."""

    value: Any
    lines: dict[str, int]


def parse_yaml(text: str, *, source: str) -> YamlValue:
    """The one document in a YAML text; InvalidInput names the source and the line of what is refused."""
    try:
        return _Reader(text, source).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = source if mark is None else f"{source}:{mark.line + 1}"
        raise InvalidInput(f"not valid YAML: {error.problem}", field=place) from error
    except yaml.YAMLError as error:
        raise InvalidInput(f"not valid YAML: {' '.join(str(error).split())}", field=source) from error


class _Reader:
    """The events of a YAML text on their way to being a value."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._old_rules = yaml.SafeLoader("")
        self._lines: dict[str, int] = {}

    def document(self) -> YamlValue:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise InvalidInput("there is nothing in it", field=self._source)
        value = self._value(next(self._events), "", 0)
        next(self._events)
        following = next(self._events)
        if not isinstance(following, yaml.StreamEndEvent):
            self._refuse(following, "a second document begins; keep each in a file of its own")
        return YamlValue(value, self._lines)

    def _value(self, event: yaml.Event, field: str, depth: int) -> Any:
        self._check_plain(event)
        self._lines.setdefault(field, _line(event))
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if depth >= DEPTH_MAX:
            self._refuse(event, f"nested deeper than {DEPTH_MAX} levels")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        return self._mapping(field, depth) if is_mapping else self._sequence(field, depth)

    def _mapping(self, field: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            self._check_plain(event)
            key = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else None
            if not isinstance(key, str):
                self._refuse(event, "a key must be text; write it in quotes")
            if key in found:
                self._refuse(event, f"key {key!r} appears twice")
            below = _below(field, key)
            self._lines[below] = _line(event)
            found[key] = self._value(next(self._events), below, depth + 1)
        return found

    def _sequence(self, field: str, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._value(event, _below(field, len(found)), depth + 1))
        return found

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        text = event.value
        if not event.implicit[0]:
            return text
        old = self._old_rules.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_TAG_PREFIX)
        new = next((name for name, pattern in _CORE if pattern.fullmatch(text)), "str")
        if old != new:
            self._refuse_doubt(event, f"{_WORDS[new]} for YAML 1.2 and {_WORDS[old]} for YAML 1.1")
        if new == "int" and _OCTAL.fullmatch(text):
            self._refuse_doubt(event, "a decimal number for YAML 1.2 and an octal one for YAML 1.1")
        return self._typed(event, new)

    def _typed(self, event: yaml.ScalarEvent, name: str) -> Any:
        text = event.value
        if name == "str":
            return text
        if name == "null":
            return None
        if name == "bool":
            return text.lower() == "true"
        try:
            if name == "int":
                return int(text, 16 if text.startswith("0x") else 10)
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self._refuse(event, "no number that JSON can hold")

    def _check_plain(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, f"*{event.anchor} is an alias; write the value itself")
        assert isinstance(event, yaml.NodeEvent)
        if event.anchor is not None:
            self._refuse(event, f"&{event.anchor} is an anchor; write the value where it is needed")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._refuse(event, f"{tag} is a tag; plain and quoted values are all that is needed")

    def _refuse_doubt(self, event: yaml.ScalarEvent, readings: str) -> NoReturn:
        self._refuse(event, f"{event.value} is {readings}; write what is meant, as text in quotes")

    def _refuse(self, event: yaml.Event, detail: str) -> NoReturn:
        raise InvalidInput(detail, field=f"{self._source}:{_line(event)}")


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1


def _below(field: str, step: str | int) -> str:
    return pointer(field, step).lstrip("/") if not field else pointer(field, step)
