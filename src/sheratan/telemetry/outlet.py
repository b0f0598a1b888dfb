"""A thread for a listener that may wait, as one that writes to a pipe does: the engine never waits for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

from sheratan.contracts.telemetry import Event, EventsDropped
from sheratan.engine.telemetry import Telemetry

__all__ = ["EVENTS_WAITING_MAX", "Outlet"]

EVENTS_WAITING_MAX: Final = 10_000
"""Events that wait for one listener, some 10 MB; with more of them it has stopped listening."""

_FLUSH_SECONDS: Final = 1.0
"""How long a listener that gathers events may wait for more of them."""

_END_SECONDS_MAX: Final = 2
"""How long a stop waits for the listener to hear what is left."""


class Outlet:
    """Tells a listener in a thread of its own. What it cannot take in time, or fails at, is dropped and counted."""

    def __init__(
        self,
        telemetry: Telemetry,
        name: str,
        listener: Callable[[Event], None],
        flush: Callable[[], None] | None = None,
    ) -> None:
        """`flush` has it tell what it gathers: whenever there was nothing for a second, and in the end."""
        self._telemetry = telemetry
        self._name = name
        self._listener = listener
        self._flush = flush
        self._waiting = queue.Queue[Event | None](EVENTS_WAITING_MAX)
        self._told = 0
        # A daemon: a listener that is stuck for good does not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"sheratan-{name}", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Take an event; raises queue.Full when too many wait."""
        self._waiting.put_nowait(event)

    def stop(self) -> None:
        """Let the listener hear what is left, for a short while at most."""
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(_END_SECONDS_MAX)

    def _run(self) -> None:
        while (event := self._next()) is not None:
            try:
                self._tell_dropped(event.at_us)
                self._listener(event)
            except Exception:
                self._telemetry.drop(self._name)
        if self._flush is not None:
            self._flush()

    def _next(self) -> Event | None:
        """The next event; None once there are no more."""
        if self._flush is None:
            return self._waiting.get()
        while True:
            try:
                return self._waiting.get(timeout=_FLUSH_SECONDS)
            except queue.Empty:
                self._flush()

    def _tell_dropped(self, at_us: int) -> None:
        """Say how many it has lost since it was last told."""
        lost = self._telemetry.dropped[self._name]
        if lost > self._told:
            self._told = lost
            self._listener(EventsDropped(at_us=at_us, listener=self._name, count=lost))
