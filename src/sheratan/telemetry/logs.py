"""Events as lines of a log: JSON for programs, text for eyes. No line holds what looks like a credential."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.telemetry import EntryCommitted, Event, LinesLeftOut, event_name
from sheratan.telemetry.tellable import tellable

__all__ = ["LINES_PER_SECOND_MAX", "Log", "open_file"]

LINES_PER_SECOND_MAX: Final = 100
"""Lines of one name in a second: nobody reads more of them, and they would fill the disk."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SUBJECTS: Final = {"job_": "job", "run_": "run"}
"""Fields of their own for subjects that people look for, by how these begin."""


def open_file(path: str) -> int:
    """The descriptor of a file that lines are added to, or InvalidInput naming the setting."""
    # A pipe that nobody reads is refused, where opening it would wait for a reader.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
        os.set_blocking(descriptor, True)
        return descriptor
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}", field="log.file") from error


class Log:
    """A listener that writes each event as a line to a descriptor, so many of each name in a second."""

    def __init__(self, descriptor: int, *, is_json: bool) -> None:
        self._second = 0
        self._counts = Counter[str]()
        last: list[Processor] = [structlog.processors.JSONRenderer(serializer=_as_json)]
        if not is_json:
            colors = os.isatty(descriptor)
            last = [_clean, structlog.dev.ConsoleRenderer(pad_event_to=24, colors=colors, sort_keys=False)]
        self._logger: Any = structlog.wrap_logger(
            _Lines(descriptor),
            processors=[structlog.processors.add_log_level, _tellable, _order, *last],
            wrapper_class=structlog.make_filtering_bound_logger(0),
        )

    def __call__(self, event: Event) -> None:
        """Write an event, unless there were enough of its name in this second."""
        if event.at_us // 1_000_000 != self._second:
            self._tell_left_out(event.at_us)
            self._second = event.at_us // 1_000_000
        name = event_name(event)
        self._counts[name] += 1
        if self._counts[name] <= LINES_PER_SECOND_MAX:
            self._write(event)

    def _tell_left_out(self, at_us: int) -> None:
        """A second is over: say what it has left out."""
        for name, count in sorted(self._counts.items()):
            if count > LINES_PER_SECOND_MAX:
                self._write(LinesLeftOut(at_us=at_us, name=name, count=count - LINES_PER_SECOND_MAX))
        self._counts.clear()

    def _write(self, event: Event) -> None:
        at = _EPOCH + timedelta(microseconds=event.at_us)
        timestamp = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        write = getattr(self._logger, event.level)
        write(event_name(event), timestamp=timestamp, **dict(_fields(event)))


def _as_json(line: EventDict, **_: Any) -> str:
    return msgspec.json.encode(line).decode()


class _Lines:
    """Writes lines straight to a descriptor: a thread that is stuck in it holds no lock of Python's own streams."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def msg(self, line: str) -> None:
        left = memoryview((line + "\n").encode("utf-8", "backslashreplace"))
        while left:
            left = left[os.write(self._descriptor, left) :]

    debug = info = warning = error = msg


def _fields(event: Event) -> Iterator[tuple[str, Any]]:
    """What a line says of an event: only what its type declares, so no input or output gets into it."""
    for name, value in msgspec.structs.asdict(event).items():
        if name == "subject":
            yield _SUBJECTS.get(value[:4], name), value
        elif value is not None and name != "at_us" and not (name == "type" and type(event) is EntryCommitted):
            yield name, value


def _clean(_: Any, __: str, line: EventDict) -> EventDict:
    """Nothing that could steer a terminal; as JSON it is escaped anyway."""
    return {
        name: value.encode("unicode_escape").decode()
        if type(value) is str and not value.isprintable()
        else value
        for name, value in line.items()
    }


def _tellable(_: Any, __: str, line: EventDict) -> EventDict:
    return {name: tellable(value) if type(value) is str else value for name, value in line.items()}


def _order(_: Any, __: str, line: EventDict) -> EventDict:
    """What every line has comes first."""
    first = {name: line.pop(name) for name in ("timestamp", "level", "event")}
    return first | dict(line)
