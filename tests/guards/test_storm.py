"""Storms of cancellations, in an order that a seed chooses: never more than may be under way, and no permit is lost."""

from __future__ import annotations

import asyncio

import pytest

from sheratan.contracts.errors import DependencyUnavailable, TimedOut
from sheratan.simulation.choices import Choices
from sheratan.simulation.loop import SimulatedLoop
from tests.guards.guarding import Guarded, passing

CALLERS, CALLS, SEEDS = 25, 8, 400


class Storm:
    """Callers that call, hang, fail, and are cancelled wherever they are."""

    def __init__(self, seed: int) -> None:
        self.choices = Choices(seed)
        self.loop = SimulatedLoop(self.choices, "uniform")
        self.live = self.peak = self.begun = self.cancelled = 0

    def run(self) -> None:
        self.loop.run(self._whole())
        self.loop.bury()
        assert self.loop.accidents == []

    async def _whole(self) -> None:
        concurrency = self.choices.between("concurrency", 1, 5)
        self.guards = Guarded(
            self.choices.seed,
            concurrency=concurrency,
            adaptive=False,
            waiting_max=10,
            wait_seconds=0.05,
            timeout_seconds=0.5,
            failures_max=self.choices.between("failures_max", 2, 20),
            open_seconds=0.05,
            open_seconds_max=0.1,
        )
        self.callers = [self.loop.spawn(f"caller{number}", self._calls(number)) for number in range(CALLERS)]
        chaos = self.loop.spawn("chaos", self._cancel_some())
        await asyncio.gather(*self.callers, chaos, return_exceptions=True)
        assert self.peak <= concurrency
        found = self.guards.record
        assert (self.live, found.in_flight, found.waiting) == (0, 0, 0)
        ended = sum(found.calls.values()) - found.calls["refused"]
        assert ended >= self.begun, (
            "each has ended once; some were cancelled before they knew of their permit"
        )
        await self._fill(concurrency)

    async def _calls(self, number: int) -> None:
        for _ in range(CALLS):
            try:
                async with self.guards.call(is_retry=self.choices.between("retry", 0, 3) == 0):
                    await self._call(number)
            except (DependencyUnavailable, TimedOut, ConnectionResetError):
                await passing(self.choices.between("pause", 0, 30) / 1_000)
            except asyncio.CancelledError:
                if self.choices.between("gives up", 0, 1):
                    raise

    async def _call(self, number: int) -> None:
        self.begun += 1
        self.live += 1
        self.peak = max(self.peak, self.live)
        try:
            await passing(self.choices.between("call", 0, 40) / 1_000)
            how = self.choices.between("how", 0, 9)
            if how < 3:
                raise ConnectionResetError
            if how == 3:
                await passing(60)
        finally:
            self.live -= 1

    async def _cancel_some(self) -> None:
        for _ in range(CALLERS):
            await passing(self.choices.between("cancel", 0, 20) / 1_000)
            task = self.callers[self.choices.between("whom", 0, CALLERS - 1)]
            self.cancelled += task.cancel()

    async def _fill(self, concurrency: int) -> None:
        """Every permit can be had again, once the breaker has closed."""
        await passing(60)
        async with self.guards.call():
            pass
        calls = [self.guards.call() for _ in range(concurrency)]
        for call in calls:
            await call.__aenter__()
        assert self.guards.record.in_flight == concurrency
        for call in reversed(calls):
            await call.__aexit__(None, None, None)
        assert self.guards.record.in_flight == 0


@pytest.mark.parametrize("seeds", [range(first, first + 100) for first in range(0, SEEDS, 100)], ids=str)
def test_whoever_is_cancelled_wherever_it_is_the_peak_is_kept_and_nothing_is_lost(seeds: range) -> None:
    storms = [Storm(seed) for seed in seeds]
    for storm in storms:
        storm.run()
    assert sum(storm.cancelled for storm in storms) > 500
    assert max(storm.peak for storm in storms) > 1
