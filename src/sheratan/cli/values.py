"""Values on the command line: durations, and JSON from an argument, a file or stdin."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click

from sheratan.contracts.errors import InvalidInput
from sheratan.kernel.canonical import canonical, parse_strict

__all__ = ["DURATION", "read_json"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|d)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


class _Duration(click.ParamType[float]):
    """A duration in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds from text such as 90, 1.5s, 2m, 1h or 3d."""
        if isinstance(value, int | float):
            return float(value)
        match = _DURATION.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is not a duration; write 90, 1.5s, 2m, 1h or 3d.", param, ctx)
        return float(match[1]) * _SECONDS[match[2] or "s"]


DURATION = _Duration()
"""`90` and `90s` are seconds; `ms`, `m`, `h` and `d` are known, too."""


def read_json(text: str, field: str) -> Any:
    """The JSON value that an argument holds: as it is, from a file (@FILE) or from stdin (-)."""
    value = parse_strict(_decode(_read(text, field), field), field=field)
    # What has no canonical form (such as half a character) is refused here, not on the wire.
    canonical(value, field=field)
    return value


def _read(text: str, field: str) -> bytes:
    try:
        if text == "-":
            return sys.stdin.buffer.read()
        if text.startswith("@"):
            return Path(text[1:]).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{text[1:] or 'stdin'} cannot be read: {error.strerror}", field=field) from error
    return text.encode("utf-8", "surrogateescape")


def _decode(data: bytes, field: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"not valid UTF-8: byte {error.start}", field=field) from error
