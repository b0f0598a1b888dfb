"""A dependency that is simulated, and guards on a clock that is the loop's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts.errors import DependencyUnavailable, TimedOut
from sheratan.contracts.guards import GuardRecord, GuardSettings
from sheratan.contracts.telemetry import Event, event_name
from sheratan.guards.guards import GuardedCall, Guards
from sheratan.guards.outcomes import outcome_of
from sheratan.testing import run

__all__ = ["NAME", "Dependency", "Guarded", "LoopClock", "passing", "virtually"]

NAME = "stripe"


class LoopClock:
    """The time of the running loop."""

    def now_us(self) -> int:
        return self.monotonic_us() + 1_700_000_000_000_000

    def monotonic_us(self) -> int:
        return round(asyncio.get_running_loop().time() * 1_000_000)


class Guarded:
    """The guards of a worker, with one dependency, and what they have told."""

    def __init__(self, seed: int = 1, **settings: Any) -> None:
        self.told: list[tuple[int, str, str]] = []
        """Events: the instant in seconds, the name, and why."""
        self._clock = LoopClock()
        self.guards = Guards(
            {NAME: GuardSettings(**settings)},
            clock=self._clock,
            randomness=SeededRandomness(seed),
            tell=self._hear,
        )
        self.guards.start()

    def call(
        self, name: str = NAME, *, is_retry: bool = False, seconds_left: float | None = None
    ) -> GuardedCall:
        until_us = None
        if seconds_left is not None:
            until_us = self._clock.monotonic_us() + round(seconds_left * 1_000_000)
        return self.guards.call(name, outcome_of, is_retry=is_retry, until_us=until_us)

    @property
    def record(self) -> GuardRecord:
        [found] = [one for one in self.guards.records if one.dependency == NAME]
        return found

    def _hear(self, event: Event) -> None:
        second = self._clock.monotonic_us() // 1_000_000
        self.told.append((second, event_name(event), getattr(event, "because", "")))


class Dependency:
    """Something outside: it answers after a while, or fails, as it is told to."""

    def __init__(self, answers_after: float = 0.01) -> None:
        self.answers_after = answers_after
        self.error: Exception | None = None
        self.live = 0
        self.peak = 0
        self.reached_at: list[float] = []
        self.said = Counter[str]()

    async def ask(self) -> None:
        """Be reached, and answer."""
        self.reached_at.append(asyncio.get_running_loop().time())
        self.live += 1
        self.peak = max(self.peak, self.live)
        try:
            await passing(self.answers_after)
            if self.error is not None:
                raise self.error
        finally:
            self.live -= 1

    async def ask_through(self, call: GuardedCall) -> str:
        """Be asked through a guard; how that ended."""
        try:
            async with call:
                await self.ask()
            end = "answered"
        except DependencyUnavailable as error:
            end = f"refused: {error.extra['reason']}"
        except TimedOut:
            end = "timed out"
        except Exception as error:
            end = type(error).__name__
        self.said[end] += 1
        return end


async def passing(seconds: float) -> None:
    """Let virtual time pass."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(seconds, lambda: passed.done() or passed.set_result(None))
    await passed


def virtually(scenario: Coroutine[Any, Any, None], *, real_seconds_max: float = 60.0) -> None:
    """Run a scenario in virtual time."""

    async def whole() -> None:
        await scenario

    run(whole, real_seconds_max=real_seconds_max)
