"""References to values that exist only while a workflow runs, as they are written in text: `${fetch.output.files[0]}`.

A reference is a root and a path: the root is `input`, `item`, `index`, `workflow` or the name of a node; a step of the
path is `.name`, `["any key"]` (JSON text, RFC 8259 section 7) or `[0]`. Text with references in it is a template.
Doubling the `$` signs before a `{` takes their meaning away: `$${` is a plain `${`, and `$$${` a plain `$` with a
reference behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

import msgspec

from sheratan.contracts.errors import InvalidInput

__all__ = ["Part", "Path", "Reference", "format_path", "format_template", "parse_template", "sole_reference"]

Path = tuple[str | int, ...]

_OPEN: Final = re.compile(r"(\$+)\{")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")
_INDEX: Final = re.compile(r"\[(0|[1-9][0-9]{0,8})\]")
_QUOTED: Final = re.compile(r'\[("(?:[^"\\\x00-\x1f]|\\.)*")\]')
_SHOWN_MAX: Final = 20
_KNOWN_LENGTH_MAX: Final = 1_024
"""A longer text is parsed anew each time: what is kept of the others takes a few megabytes at most."""


class Reference(msgspec.Struct, frozen=True, gc=False):
    """A value to be looked up: where it starts, and the keys and places that lead to it from there."""

    root: str
    path: Path = ()

    def __str__(self) -> str:
        """The reference as text: `${fetch.output.files[0]}`."""
        return f"${{{self.root}{format_path(self.path)}}}"


Part = str | Reference


def format_path(path: Path) -> str:
    """A path as text: `.output.files[0]`."""
    return "".join(map(_format_step, path))


def format_template(parts: Iterable[Part]) -> str:
    """Plain text and references as one template, such that `parse_template` gives the same parts again."""
    runs = [(plain, list(run)) for plain, run in groupby(parts, lambda part: isinstance(part, str))]
    written: list[str] = []
    for place, (plain, run) in enumerate(runs):
        text = "".join(map(str, run))
        if plain:
            before_reference = place + 1 < len(runs)
            text = re.sub(r"\$+(?=\{|\Z)" if before_reference else r"\$+(?=\{)", _doubled, text)
        written.append(text)
    return "".join(written)


def parse_template(text: str, *, field: str) -> tuple[Part, ...]:
    """The plain text and the references of a template, in order; InvalidInput names the place of a mistake."""
    return _parse_known(text, field) if len(text) <= _KNOWN_LENGTH_MAX else _parse(text, field)


@lru_cache(maxsize=1_024)
def _parse_known(text: str, field: str) -> tuple[Part, ...]:
    """The same text is filled in for each item of a fan-out."""
    return _parse(text, field)


def _parse(text: str, field: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    plain, position = "", 0
    while found := _OPEN.search(text, position):
        dollars = len(found[1])
        plain += text[position : found.start()] + "$" * (dollars // 2)
        position = found.end()
        if dollars % 2 == 0:
            plain += "{"
            continue
        reference, position = _parse_reference(text, position, field)
        parts += [plain, reference] if plain else [reference]
        plain = ""
    plain += text[position:]
    return (*parts, plain) if plain or not parts else tuple(parts)


def sole_reference(value: Any, *, field: str) -> Reference | None:
    """The reference that a text consists of; None for any other value."""
    parts = parse_template(value, field=field) if isinstance(value, str) else ()
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Reference) else None


def _parse_reference(text: str, start: int, field: str) -> tuple[Reference, int]:
    """The reference whose root starts at a position, and the position after its `}`."""
    root = _NAME.match(text, start)
    if root is None:
        raise _mistake(text, start, "a name", field)
    path: list[str | int] = []
    position = root.end()
    while not text.startswith("}", position):
        step, position = _parse_step(text, position, field)
        path.append(step)
    return Reference(root[0], tuple(path)), position + 1


def _parse_step(text: str, position: int, field: str) -> tuple[str | int, int]:
    if text.startswith(".", position):
        if name := _NAME.match(text, position + 1):
            return name[0], name.end()
        raise _mistake(text, position + 1, 'a name, or ["…"] for any other key', field)
    if index := _INDEX.match(text, position):
        return int(index[1]), index.end()
    if quoted := _QUOTED.match(text, position):
        try:
            key: str = json.loads(quoted[1])
            key.encode()  # a lone surrogate is no text that any output could have as a key
            return key, quoted.end()
        except ValueError:
            raise _mistake(text, position, "a key as JSON text", field) from None
    raise _mistake(text, position, '`.name`, `["key"]`, `[0]` or `}`', field)


def _mistake(text: str, position: int, wanted: str, field: str) -> InvalidInput:
    rest = text[position : position + _SHOWN_MAX]
    found = f"is `{rest}`" if rest else "the text ends"
    return InvalidInput(
        f"a reference needs {wanted} at character {position + 1}, where {found}; a plain `${{` is written `$${{`",
        field=field,
    )


def _format_step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _NAME.fullmatch(step) else f"[{json.dumps(step, ensure_ascii=False)}]"


def _doubled(dollars: re.Match[str]) -> str:
    return dollars[0] * 2
