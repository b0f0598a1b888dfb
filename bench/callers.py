"""Submit to done with many callers at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from bench.harness import Bench, Row, Section, at_least, compared, percentile, plain
from bench.noop import PAYLOAD, noop
from bench.product import database, running
from bench.raw import commits_of, replay, schema_of

__all__ = ["measure", "run_callers"]

TARGET_CALLERS = 100


def measure(bench: Bench) -> Section:
    """Each caller awaits `client.run` (submit, start, end, answer) and calls again at once, 100 bytes of input.

    Time from the first call until the last has been answered. The raw limit writes the same rows and pages in the
    same commits. p50 and p99 are of single calls, from call to answer.
    """
    sizes = (
        (10, bench.size(10_000, 500)),
        (100, bench.size(40_000, 2_000)),
        (1_000, bench.size(60_000, 4_000)),
    )
    samples = bench.repeat(*(_contender(callers, jobs) for callers, jobs in sizes))
    rows: list[Row] = []
    for callers, _ in sizes:
        target = at_least(25_000) if callers == TARGET_CALLERS else None
        name = f"{callers:,} callers"
        rows.append(compared(samples, name, f"raw limit, {name}", "jobs/s", target))
        rows += [plain(samples, f"{name}, {percent}", "ms") for percent in ("p50", "p99")]
    return Section("Submit to done, many callers", measure.__doc__ or "", rows)


def _contender(callers: int, jobs: int) -> Callable[[Path], dict[str, float]]:
    name = f"{callers:,} callers"

    def both(folder: Path) -> dict[str, float]:
        seconds, latencies = asyncio.run(run_callers(folder, callers, jobs))
        path = database(folder)
        commits = commits_of(path)
        raw_seconds = replay(folder / "raw.db", schema_of(path), [], commits)
        return {
            name: jobs / seconds,
            f"raw limit, {name}": jobs / raw_seconds,
            f"{name}, p50": percentile(latencies, 50) * 1e3,
            f"{name}, p99": percentile(latencies, 99) * 1e3,
        }

    return both


async def run_callers(folder: Path, callers: int, jobs: int) -> tuple[float, list[float]]:
    """Run jobs from so many callers; returns the seconds in all and per call."""
    latencies: list[float] = []
    each = jobs // callers
    async with running(folder) as client:

        async def call() -> None:
            for _ in range(each):
                began = time.perf_counter()
                await client.run(noop, PAYLOAD)
                latencies.append(time.perf_counter() - began)

        tasks = [asyncio.create_task(call()) for _ in range(callers)]
        began = time.perf_counter()
        await asyncio.gather(*tasks)
        return time.perf_counter() - began, latencies
