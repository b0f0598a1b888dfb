"""Handlers that hold up the event loop: a world's watchdog sees them, in real time, and its end names the first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from sheratan.ambient.clock import SystemClock
from sheratan.ambient.watchdog import Blocked, Watchdog
from sheratan.contracts.worker import Assignment
from sheratan.testing.errors import HandlerBlocked

__all__ = ["Blocking"]

_TURNS: Final = 3
"""So many turns of the loop later the watchdog knows that it goes on."""


class Blocking:
    """A watchdog of a world's loop, if one is asked for; it counts what handlers do, and not what the world does."""

    def __init__(
        self, seconds: float | None, whose: Callable[[asyncio.Task[Any]], Assignment | None]
    ) -> None:
        self._watchdog = None if seconds is None else Watchdog(SystemClock(), seconds, whose, self._note)
        self._found: list[tuple[Blocked[Assignment | None], Assignment]] = []

    def start(self) -> None:
        """Watch the running loop."""
        if self._watchdog is not None:
            self._watchdog.start()

    async def stop(self) -> None:
        """Watch no more; what is over by now has been seen."""
        if self._watchdog is None:
            return
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._watchdog.stop()
        self._watchdog.join()

    def check(self) -> None:
        """HandlerBlocked for the first call that a handler has held the loop up with."""
        if not self._found:
            return
        found, given = self._found[0]
        raise HandlerBlocked(
            f"a handler of kind {given.kind} has blocked the event loop for {found.microseconds / 1_000_000:.2f} s,"
            f" in {found.function} ({found.file}:{found.line}): make it a plain function, which runs in a thread,"
            " or await asyncio.to_thread(…)"
        )

    def _note(self, found: Blocked[Assignment | None]) -> None:
        """In the watchdog's thread."""
        if found.whose is not None and not found.still:
            self._found.append((found, found.whose))
