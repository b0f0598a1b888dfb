"""Values on the command line: durations, and JSON from an argument, a file or stdin."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
from click.core import ParameterSource

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.tracing import Traceparent
from sheratan.kernel.canonical import canonical, parse_strict

__all__ = [
    "COUNT_IN_TIME",
    "DURATION",
    "INSTANT",
    "drop_bad_environment",
    "read_instant",
    "read_json",
    "whole",
]

_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|d)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COUNT_IN_TIME = re.compile(r"(\d+)/(.+)", re.ASCII)
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


class _Instant(click.ParamType[int]):
    """An instant in microseconds since the epoch."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Microseconds since the epoch from text such as 2026-11-21 or 2026-11-21T14:05:00Z."""
        if isinstance(value, int):
            return value
        try:
            return read_instant(value)
        except ValueError:
            self.fail(f"{value!r} is not an instant; write 2026-11-21 or 2026-11-21T14:05:00Z.", param, ctx)


class _CountInTime(click.ParamType[tuple[int, float]]):
    """A count in a period."""

    name = "count/period"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float]:
        """A count and seconds from text such as 100/60s, 5/1s or 1000/1h."""
        match = _COUNT_IN_TIME.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not a rate; write 100/60s, 5/1s or 1000/1h.", param, ctx)
        return int(match[1]), DURATION.convert(match[2], param, ctx)


def drop_bad_environment(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A traceparent; one that the environment has wrong is none, as W3C Trace Context asks, and stops nobody."""
    if value is not None and ctx.get_parameter_source(param.name or "") is ParameterSource.ENVIRONMENT:
        try:
            return msgspec.convert(value, Traceparent)
        except msgspec.ValidationError:
            return None
    return value


def read_instant(text: str) -> int:
    """Microseconds since the epoch; an instant without an offset is in UTC. ValueError when it is none (RFC 3339)."""
    at = datetime.fromisoformat(text)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return (at - _EPOCH) // timedelta(microseconds=1)


INSTANT = _Instant()
"""An instant as RFC 3339 writes it, or a day, which stands for its beginning; in UTC unless it says otherwise."""

DURATION = _Duration()
"""`90` and `90s` are seconds; `ms`, `m`, `h` and `d` are known, too."""

COUNT_IN_TIME = _CountInTime()
"""`100/60s`: a count, and a duration."""


def whole(seconds: float | None) -> float | None:
    """Whole seconds as an integer; whoever takes no others says so of the rest."""
    return seconds if seconds is None or seconds % 1 else int(seconds)


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
