"""A watchdog: a thread that sees when a call blocks the event loop, and which."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sheratan.ambient.clock import Clock

__all__ = ["Blocked", "Watchdog", "look"]

AGAIN_SECONDS: Final = 10.0
"""A call that goes on is told of again after so long, as one that never ends would not be told of otherwise."""

_FRAMES_MAX: Final = 12
_LIBRARY: Final = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
_PACKAGES: Final = ("/site-packages/", "/dist-packages/")

_RUN_ONCE: Final = asyncio.BaseEventLoop._run_once.__code__  # type: ignore[attr-defined]

T = TypeVar("T")
Task = asyncio.Task[Any]


class Blocked(NamedTuple, Generic[T]):
    """A call that has blocked the loop, for how long, and whether it still does.

    `function`, `file` and `line` are the innermost place outside of Python's library and of installed packages, or the
    next best one; `calls` is how the loop came to be where it is, from the outside in. `whose` is what is known of the
    task whose turn it was, if it was one's. A turn of many small things counts, too, under the place of one of them.
    """

    microseconds: int
    still: bool
    function: str
    file: str
    line: int
    calls: str
    whose: T | None


class Watchdog(Generic[T]):
    """Asks the loop for an answer again and again, and looks at its thread when none comes in time.

    A call that blocks for twice `seconds` is seen for sure; below `seconds` none is. In the watchdog's own thread
    `whose` is asked about a task while it blocks, and `tell` called once it is over, and every ten seconds before.
    """

    def __init__(
        self,
        clock: Clock,
        seconds: float,
        whose: Callable[[Task], T],
        tell: Callable[[Blocked[T]], None],
        *,
        again_seconds: float = AGAIN_SECONDS,
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._whose = whose
        self._tell = tell
        self._again_seconds = again_seconds
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the running loop."""
        loop, ident = asyncio.get_running_loop(), threading.get_ident()
        # A daemon: a loop that is blocked for good does not keep the process from ending.
        self._thread = threading.Thread(
            target=self._run, args=(loop, ident), name="sheratan-watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._ended.set()

    def join(self) -> None:
        """Wait until what it has seen is told."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, loop: asyncio.AbstractEventLoop, ident: int) -> None:
        while not self._ended.wait(self._seconds):
            if _is_idle(ident) and not loop.is_closed():
                # It would answer at once; to ask would only wake it up, again and again.
                continue
            answered, asked_us = threading.Event(), self._clock.monotonic_us()
            try:
                loop.call_soon_threadsafe(answered.set)
            except RuntimeError:
                # The loop is closed: there is nothing to watch any more.
                return
            if not answered.wait(self._seconds):
                self._wait(loop, ident, answered, asked_us)

    def _wait(
        self, loop: asyncio.AbstractEventLoop, ident: int, answered: threading.Event, asked_us: int
    ) -> None:
        """Look at what the loop does instead of answering, and wait until it answers."""
        found = look(loop, ident, self._whose)
        while not (is_over := answered.wait(self._again_seconds)) and not self._ended.is_set():
            self._say(found, asked_us, still=True)
        if is_over:
            self._say(found, asked_us, still=False)

    def _say(self, found: Blocked[T] | None, asked_us: int, *, still: bool) -> None:
        if found is not None:
            took_us = self._clock.monotonic_us() - asked_us
            self._tell(found._replace(microseconds=took_us, still=still))


def _is_idle(ident: int) -> bool:
    """Whether a thread's loop waits for something to do right now."""
    frame = sys._current_frames().get(ident)
    if frame is None or frame.f_back is None or frame.f_code.co_name != "select":
        return False
    return frame.f_back.f_code is _RUN_ONCE


def look(loop: asyncio.AbstractEventLoop, ident: int, whose: Callable[[Task], T]) -> Blocked[T] | None:
    """What a loop's thread does; None when it only waits, as on a machine that gave it no time to answer."""
    task = asyncio.current_task(loop)
    inner = [(one, one.f_lineno) for one in _outwards(sys._current_frames().get(ident))]
    foreign = [one for one in inner if not _is_of_python(one[0])]
    if not foreign and _waits(inner):
        return None
    frame, line = _own(foreign) or (foreign or inner)[0]
    return Blocked(
        microseconds=0,
        still=True,
        function=frame.f_code.co_qualname,
        file=frame.f_code.co_filename,
        line=line,
        calls=" > ".join(_place(*one) for one in reversed(foreign[:_FRAMES_MAX])),
        whose=None if task is None else whose(task),
    )


def _waits(inner: list[tuple[FrameType, int]]) -> bool:
    """Whether a loop that runs nothing but Python's own code waits for something to do, or is over."""
    return not inner or inner[0][0].f_code.co_name == "select"


def _own(frames: list[tuple[FrameType, int]]) -> tuple[FrameType, int] | None:
    """The innermost one that is not of an installed package."""
    return next((one for one in frames if not _is_of_package(one[0])), None)


def _place(frame: FrameType, line: int) -> str:
    return f"{frame.f_code.co_filename}:{line} {frame.f_code.co_qualname}"


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of what the loop runs, without those of whoever runs the loop."""
    while frame is not None and frame.f_code.co_name != "run_forever":
        yield frame
        frame = frame.f_back


def _is_of_python(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_LIBRARY) and not _is_of_package(frame)


def _is_of_package(frame: FrameType) -> bool:
    return any(part in frame.f_code.co_filename for part in _PACKAGES)
