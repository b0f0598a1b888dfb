"""How soon a job starts when nothing else is going on."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.harness import Bench, Section, at_most, percentile, plain
from bench.noop import PAYLOAD, stamp, started
from bench.product import running

__all__ = ["idle_starts", "measure"]

PAUSE_SECONDS = 0.003
"""Between samples: the engine and its worker have gone to sleep by then."""


def measure(bench: Bench) -> Section:
    """From the call of `client.submit` to the first line of the handler, one sample at a time.

    Before each sample the job before it has ended and the engine has been idle for 3 ms. The handler starts after
    the commit that says it was submitted and leased. p50, p99 and most of the samples of a round.
    """
    count = bench.size(500, 60)

    def once(folder: Path) -> dict[str, float]:
        latencies = asyncio.run(idle_starts(folder, count))
        return {
            "p50": percentile(latencies, 50) * 1e3,
            "p99": percentile(latencies, 99) * 1e3,
            "slowest": max(latencies) * 1e3,
        }

    samples = bench.repeat(once)
    rows = [
        plain(samples, "p50", "ms", at_most(1.0)),
        plain(samples, "p99", "ms", at_most(5.0)),
        plain(samples, "slowest", "ms"),
    ]
    return Section(f"Idle submit to handler start, {count} samples a round", measure.__doc__ or "", rows)


async def idle_starts(folder: Path, count: int) -> list[float]:
    """Seconds from submit to start, for so many jobs."""
    latencies: list[float] = []
    async with running(folder) as client:
        for _ in range(count):
            started.clear()
            began = time.perf_counter()
            handle = await client.submit(stamp, PAYLOAD)
            await client.wait(handle.id)
            latencies.append(started[0] - began)
            await asyncio.sleep(PAUSE_SECONDS)
    return latencies
