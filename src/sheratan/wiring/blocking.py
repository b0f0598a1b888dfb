"""Tells of calls that block the event loop: aloud once a minute for each place, with the job whose handler it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from sheratan.ambient.clock import Clock
from sheratan.ambient.watchdog import Blocked, Watchdog
from sheratan.contracts.telemetry import LoopBlocked
from sheratan.contracts.worker import Assignment
from sheratan.engine.telemetry import Telemetry
from sheratan.sdk.worker import Worker

__all__ = ["Blocking"]

_QUIET_US: Final = 60_000_000
PLACES_MAX: Final = 1_000
"""Places that are remembered; with more of them all are forgotten, and told aloud again."""


class Blocking:
    """A watchdog of the loop, and what is told of what it sees."""

    def __init__(self, telemetry: Telemetry, clock: Clock, seconds: float) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._watchdog = Watchdog(clock, seconds, self._assignment, self.tell)
        self._workers: Sequence[Worker] = ()
        self._told_us: dict[tuple[str, int], int] = {}

    def start(self, workers: Sequence[Worker]) -> None:
        """Watch the running loop, on which these workers run their handlers."""
        self._workers = workers
        self._watchdog.start()

    def stop(self) -> None:
        """Watch no more."""
        self._watchdog.stop()

    def tell(self, found: Blocked[Assignment | None]) -> None:
        """Tell of a call. In the watchdog's thread."""
        given = found.whose
        self._telemetry.emit(
            LoopBlocked(
                at_us=self._telemetry.now_us(),
                blocked_us=found.microseconds,
                still=found.still,
                function=found.function,
                file=found.file,
                line=found.line,
                calls=found.calls,
                job=None if given is None else given.id,
                kind=None if given is None else given.kind,
                again=self._is_known((found.file, found.line)),
            )
        )

    def _is_known(self, place: tuple[str, int]) -> bool:
        """Whether a place was told of aloud a short while ago."""
        now_us = self._clock.monotonic_us()
        told_us = self._told_us.get(place)
        if told_us is not None and now_us - told_us < _QUIET_US:
            return True
        if len(self._told_us) >= PLACES_MAX:
            self._told_us.clear()
        self._told_us[place] = now_us
        return False

    def _assignment(self, task: asyncio.Task[Any]) -> Assignment | None:
        """What a worker's task works at."""
        return next(filter(None, (worker.assignment_of(task) for worker in self._workers)), None)
