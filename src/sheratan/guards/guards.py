"""The guards of a worker, one for each dependency, and the calls that they guard."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from sheratan.ambient.clock import Clock, SystemClock
from sheratan.ambient.randomness import Randomness, SystemRandomness
from sheratan.contracts.errors import InternalError, InvalidInput, LimitReached, TimedOut
from sheratan.contracts.guards import GUARDS_MAX, GuardRecord, GuardSettings, Outcome
from sheratan.contracts.patterns import DEPENDENCY, DEPENDENCY_NAME, PATTERN_WORDS
from sheratan.contracts.telemetry import Event
from sheratan.guards.guard import Guard, Permit
from sheratan.guards.outcomes import outcome_of

__all__ = ["GuardedCall", "Guards"]

_NAME: Final = re.compile(DEPENDENCY_NAME)

Classify = Callable[[BaseException | None], Outcome]
OnEnd = Callable[[int, int, Outcome], None]
"""Is told when a call has begun and ended, in microseconds since the epoch, and how."""


def _tell_nobody(event: Event) -> None:
    """Nobody listens to a worker that is no part of a server."""


class Guards:
    """All guards of a worker, or of several on one loop. A dependency that nobody has declared has the defaults."""

    def __init__(
        self,
        settings: Mapping[str, GuardSettings] | None = None,
        *,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        tell: Callable[[Event], None] = _tell_nobody,
    ) -> None:
        self._settings = dict(settings or {})
        self.clock = clock or SystemClock()
        self._randomness = randomness or SystemRandomness()
        self._tell = tell
        self.tell_span: Callable[[Event], None] | None = None
        """Who is told of each call as a span of the job's trace that makes it; None: nobody."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guards = {name: self._make(name) for name in self._settings}

    @property
    def records(self) -> list[GuardRecord]:
        """Every guard as it stands."""
        return [guard.record for guard in self._guards.values()]

    def start(self) -> None:
        """Belong to the running loop: threads ask for their permits there."""
        self._loop = asyncio.get_running_loop()

    def guard(self, dependency: str) -> GuardedCall:
        """A call that is about to be made, and is none of a job's."""
        return self.call(dependency, outcome_of, is_retry=False)

    def call(
        self,
        dependency: str,
        classify: Classify,
        *,
        is_retry: bool,
        on_end: OnEnd | None = None,
        until_us: int | None = None,
    ) -> GuardedCall:
        """A call that is about to be made; `on_end` hears when it has begun and ended, and how.

        Whoever makes it has time until `until_us`, in monotonic time of `clock`; None: as long as the guard gives.
        """
        if dependency not in self._guards and _NAME.fullmatch(dependency) is None:
            raise InvalidInput(
                f"{dependency!r} is no name of a dependency: {PATTERN_WORDS[DEPENDENCY]}", field="dependency"
            )
        assert self._loop is not None, "it was not started"
        return GuardedCall(lambda: self._find(dependency), self._loop, classify, is_retry, on_end, until_us)

    def _find(self, dependency: str) -> Guard:
        guard = self._guards.get(dependency)
        if guard is None:
            if len(self._guards) >= GUARDS_MAX:
                raise LimitReached(
                    f"{GUARDS_MAX} dependencies are guarded already; their names must not be made of data",
                    field="dependency",
                )
            guard = self._guards[dependency] = self._make(dependency)
        return guard

    def _make(self, dependency: str) -> Guard:
        settings = self._settings.get(dependency, GuardSettings())
        return Guard(dependency, settings, self.clock, self._randomness, self._tell)


class GuardedCall:
    """A call of a dependency. `async with` it on the loop; a plain function in a thread uses `with`."""

    def __init__(
        self,
        find: Callable[[], Guard],
        loop: asyncio.AbstractEventLoop,
        classify: Classify,
        is_retry: bool,
        on_end: OnEnd | None = None,
        until_us: int | None = None,
    ) -> None:
        self._find = find
        self._loop = loop
        self._classify = classify
        self._is_retry = is_retry
        self._on_end = on_end
        self._until_us = until_us
        self._held: tuple[Guard, Permit] | None = None
        self._seconds = 0.0
        self._timeout: asyncio.Timeout | None = None

    @property
    def timeout_seconds(self) -> float:
        """How long the call may take. In a thread nothing interrupts it: hand this to the client that makes it."""
        self._taken()
        return self._seconds

    async def __aenter__(self) -> Self:
        await self._acquire()
        self._timeout = asyncio.timeout(self.timeout_seconds)
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._timeout is not None
        guard, _ = self._taken()
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as late:
            text = f"{guard.dependency} has not answered within {self._seconds:g} s"
            self._give_back("abandoned" if self._is_cut_short else "failed", text)
            raise TimedOut(text) from late
        self._give_back(*self._end(error))

    def __enter__(self) -> Self:
        if self._is_on_loop():
            raise InternalError(
                "on the loop use `async with`: a plain `with` would wait for the loop that it holds up"
            )
        asyncio.run_coroutine_threadsafe(self._acquire(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        outcome, text = self._end(error)
        with suppress(RuntimeError):
            # The loop has been closed, and the worker is gone with all its guards.
            self._loop.call_soon_threadsafe(self._give_back, outcome, text)

    async def _acquire(self) -> None:
        if self._held is not None:
            raise InternalError("a guarded call is made once: ask for another one")
        guard = self._find()
        if guard.seconds_until(self._until_us) <= 0:
            raise TimedOut(f"no time is left for a call of {guard.dependency}, so it was not made")
        self._held = guard, await guard.acquire(is_retry=self._is_retry, until_us=self._until_us)
        self._seconds = min(guard.settings.timeout_seconds, guard.seconds_until(self._until_us))

    def _give_back(self, outcome: Outcome, error: str) -> None:
        guard, permit = self._taken()
        guard.release(permit, outcome, error)
        if self._on_end is not None:
            self._on_end(*guard.times_of(permit), outcome)

    def _taken(self) -> tuple[Guard, Permit]:
        assert self._held is not None, "it has not begun"
        return self._held

    @property
    def _is_cut_short(self) -> bool:
        """Whether its maker's time is over, and was less than the dependency is given: then it is not to blame."""
        guard, _ = self._taken()
        return self._seconds < guard.settings.timeout_seconds and guard.seconds_until(self._until_us) <= 0

    def _end(self, error: BaseException | None) -> tuple[Outcome, str]:
        outcome = self._classify(error)
        if outcome == "failed" and self._is_cut_short:
            outcome = "abandoned"
        return outcome, type(error).__name__ if outcome == "failed" else ""

    def _is_on_loop(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False
