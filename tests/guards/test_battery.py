"""T35 and T37 in virtual time, with their figures: what reaches a dependency in trouble, and how soon it is found well.

Each figure has a harness that can fail: the same load without the safeguard misses it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from math import ceil
from typing import Any, NamedTuple

from sheratan.contracts.errors import DependencyUnavailable
from sheratan.contracts.guards import GuardSettings
from sheratan.kernel.retry import backoff
from sheratan.kernel.retry_budget import RETRIES_SAVED_MAX
from tests.guards.guarding import Dependency, Guarded, passing, virtually

PER_SECOND = 200
REAL_SECONDS_MAX = 110.0


class Phase(NamedTuple):
    """From an instant on the dependency answers after so long, or fails at once."""

    at_second: int
    answers_after: float
    error: Exception | None


class Found(NamedTuple):
    """What was seen: events with their instants, what was offered and reached while open, and the most at once."""

    told: list[tuple[int, str]]
    offered: int
    reached: int
    peak: int

    def first(self, name: str, after_second: int) -> int:
        return min(second for second, told in self.told if told == name and second >= after_second)


async def t35(phases: list[Phase], end_second: int, **settings: Any) -> Found:
    """A load of 200 calls a second, through all phases."""
    guards, dependency = Guarded(**settings), Dependency()
    tasks: list[asyncio.Task[str]] = []
    offered, refused, peak = 0, 0, 0

    async def ask() -> str:
        nonlocal offered, refused
        offered_now = guards.record.state != "closed"
        said = await dependency.ask_through(guards.call())
        offered += offered_now
        refused += offered_now and said == "refused: breaker"
        return said

    for number in range(end_second * PER_SECOND):
        for phase in phases:
            if number == phase.at_second * PER_SECOND:
                dependency.answers_after, dependency.error = phase.answers_after, phase.error
        if guards.record.state == "half_open":
            peak = max(peak, guards.record.in_flight)
        tasks.append(asyncio.create_task(ask()))
        await passing(1 / PER_SECOND)
    await asyncio.gather(*tasks)
    return Found([(second, name) for second, name, _ in guards.told], offered, offered - refused, peak)


HEALTHY, FAILING, SLOW = 0.01, ConnectionResetError(), 600.0


def test_t35_a_breaker_opens_lets_few_through_and_closes_once_the_dependency_is_well() -> None:
    async def scenario() -> None:
        phases = [
            Phase(0, HEALTHY, None),
            Phase(5, HEALTHY, FAILING),
            Phase(65, SLOW, None),
            Phase(125, HEALTHY, None),
        ]
        found = await t35(phases, 160)
        opened, closed = found.first("breaker.opened", 0), found.first("breaker.closed", 0)
        assert 5 <= opened <= 15
        assert 125 <= closed <= 155
        assert found.offered > 100 * PER_SECOND
        assert found.reached <= found.offered / 100
        assert found.peak == 1, "one trial at a time"
        assert not [second for second, _ in found.told if second > closed], "it stays closed"

    virtually(scenario(), real_seconds_max=REAL_SECONDS_MAX)


def test_t35_a_dependency_that_only_gets_slow_opens_it_too() -> None:
    async def scenario() -> None:
        found = await t35(
            [Phase(0, HEALTHY, None), Phase(5, SLOW, None), Phase(65, HEALTHY, None)],
            100,
            timeout_seconds=5.0,
        )
        assert 10 <= found.first("breaker.opened", 0) <= 15
        assert 65 <= found.first("breaker.closed", 0) <= 95
        assert found.reached <= found.offered / 100

    virtually(scenario(), real_seconds_max=REAL_SECONDS_MAX)


def test_t35_without_a_breaker_the_figures_are_missed() -> None:
    async def scenario() -> None:
        phases = [Phase(0, HEALTHY, FAILING), Phase(20, HEALTHY, None)]
        found = await t35(phases, 25, failures_max=10_000, calls_min=10_000)
        assert found.told == []
        assert found.offered == 0

    virtually(scenario(), real_seconds_max=REAL_SECONDS_MAX)


class Storm(NamedTuple):
    """What came of a load whose calls all fail: first calls that reached the dependency, all that did, by second."""

    first: int
    reached: int
    by_second: Counter[int]


JOBS_PER_SECOND, BURST, LAYERS = 100, 5, ("front", "middle", "back")


async def t37(seconds: int, **settings: Any) -> Storm:
    """Every call fails for so long, behind three guards, one within the other; the engine's rule tries again."""
    layers = [Guarded(seed, **settings) for seed, _ in enumerate(LAYERS)]
    loop = asyncio.get_running_loop()
    first, reached, by_second = 0, 0, Counter[int]()

    async def attempt(is_retry: bool) -> None:
        nonlocal first, reached
        async with (
            layers[0].call(is_retry=is_retry),
            layers[1].call(is_retry=is_retry),
            layers[2].call(is_retry=is_retry),
        ):
            reached, first = reached + 1, first + (not is_retry)
            raise ConnectionRefusedError

    async def run(seed: int) -> None:
        failures, after_us = 0, None
        while True:
            by_second[int(loop.time())] += 1
            try:
                await attempt(failures > 0)
            except DependencyUnavailable as error:
                after_us = round(error.retry_after_seconds * 1_000_000)
            except ConnectionRefusedError:
                after_us = None
            failures += 1
            chosen = backoff(
                {
                    "error_class": "retryable",
                    "failures": failures,
                    "attempts_max": 3,
                    "base_us": 1_000_000,
                    "cap_us": 60_000_000,
                    "retry_after_us": after_us,
                    "seed": seed * 10 + failures,
                }
            ).chosen
            if chosen["action"] == "fail":
                return
            await passing(chosen["delay_us"] / 1_000_000)

    tasks: list[asyncio.Task[None]] = []
    for number in range(0, seconds * JOBS_PER_SECOND, BURST):
        tasks += [asyncio.create_task(run(number + one)) for one in range(BURST)]
        await passing(BURST / JOBS_PER_SECOND)
    await asyncio.gather(*tasks)
    return Storm(first, reached, by_second)


NO_BREAKER_SECONDS, NO_BREAKER = 40, {"failures_max": 10_000, "calls_min": 10_000}


def test_t37_retries_make_no_storm_whatever_fails() -> None:
    async def scenario() -> None:
        seconds = 300
        found = await t37(seconds)
        offered = seconds * JOBS_PER_SECOND
        assert found.reached <= offered / 100
        whole = [found.by_second[second] for second in range(seconds)]
        assert max(whole) <= 3 * sum(whole) / seconds, "spread"

    virtually(scenario(), real_seconds_max=REAL_SECONDS_MAX)


def test_t37_the_budget_alone_keeps_retries_at_a_tenth() -> None:
    async def scenario() -> None:
        found = await t37(NO_BREAKER_SECONDS, **NO_BREAKER)
        assert found.first == NO_BREAKER_SECONDS * JOBS_PER_SECOND
        # After a window without any call nothing is known to fail, so a single one finds out.
        windows = ceil((max(found.by_second) - NO_BREAKER_SECONDS) / GuardSettings().window_seconds)
        assert found.reached <= 1.1 * found.first + RETRIES_SAVED_MAX + windows
        assert found.reached > 1.05 * found.first, "some are made again"

    virtually(scenario(), real_seconds_max=REAL_SECONDS_MAX)


def test_t37_without_a_budget_the_figure_is_missed() -> None:
    async def scenario() -> None:
        found = await t37(NO_BREAKER_SECONDS, **NO_BREAKER, retry_permille=1_000)
        assert found.reached > 1.5 * found.first

    virtually(scenario(), real_seconds_max=REAL_SECONDS_MAX)
