"""What does a guard cost?"""

from __future__ import annotations

import asyncio
import time

from bench.harness import Bench, Row, Samples, Section, at_most, plain, quiesce
from sheratan import Guards
from sheratan.guards.outcomes import outcome_of

__all__ = ["measure", "seconds_per_call"]

CALLS = 20_000
MICROSECONDS_MAX = 100.0
"""A tenth of what the quickest call within a data centre takes."""

_GUARDED, _TIMED = "a guarded call", "the same with `asyncio.timeout` alone"


def measure(bench: Bench) -> Section:
    """20,000 calls of nothing, one after the other, each in the block of a guard: what the guard itself takes.

    Beside it the same block with a time limit only, which any call of something outside should have anyway.
    """
    samples: Samples = {_GUARDED: [], _TIMED: []}
    for number in range(bench.rounds):
        for name in (_GUARDED, _TIMED) if number % 2 == 0 else (_TIMED, _GUARDED):
            quiesce()
            seconds = asyncio.run(seconds_per_call(is_guarded=name == _GUARDED))
            samples[name].append(seconds * 1e6)
    guarded = plain(samples, _GUARDED, "µs")
    rows = [Row(_GUARDED, guarded.figure, "µs", at_most(MICROSECONDS_MAX)), plain(samples, _TIMED, "µs")]
    return Section("Guards", measure.__doc__ or "", rows)


async def seconds_per_call(*, is_guarded: bool, calls: int = CALLS) -> float:
    """The time that a call of nothing takes, on an average."""
    guards = Guards()
    guards.start()
    began = time.perf_counter()
    for _ in range(calls):
        async with guards.call("bench", outcome_of, is_retry=False) if is_guarded else asyncio.timeout(10):
            pass
    return (time.perf_counter() - began) / calls
