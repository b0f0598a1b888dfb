"""One caller: what a program gets that submits one job after another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from bench.harness import Bench, Section, at_least, compared
from bench.noop import PAYLOAD, noop
from bench.product import database, expect_ended, running
from bench.raw import commits_of, replay, schema_of

__all__ = ["measure", "run_strictly", "submit_each"]

SUBMITS = "awaits each durable submit"
STRICT = "awaits each job's end"


def measure(bench: Bench) -> Section:
    """(a) Awaits each `client.submit` while earlier jobs run: from the first call until all jobs have ended.

    (b) Awaits each `client.run`: from the first call until the last answer; every job costs two commits, and so
    two syncs, one after the other. The raw limits write the same rows and pages in the same commits.
    """
    jobs = bench.size(5_000, 300)
    samples = bench.repeat(
        _contender(SUBMITS, submit_each, jobs), _contender(STRICT, run_strictly, bench.size(3_000, 150))
    )
    rows = [
        compared(samples, SUBMITS, f"raw limit: {SUBMITS}", "jobs/s", at_least(2_500)),
        compared(samples, STRICT, f"raw limit: {STRICT}", "jobs/s"),
    ]
    return Section("One caller", measure.__doc__ or "", rows)


Run = Callable[[Path, int], Coroutine[None, None, float]]


def _contender(name: str, run: Run, jobs: int) -> Callable[[Path], dict[str, float]]:
    def both(folder: Path) -> dict[str, float]:
        seconds = asyncio.run(run(folder, jobs))
        expect_ended(folder, jobs)
        path = database(folder)
        raw_seconds = replay(folder / "raw.db", schema_of(path), [], commits_of(path))
        return {name: jobs / seconds, f"raw limit: {name}": jobs / raw_seconds}

    return both


async def submit_each(folder: Path, jobs: int) -> float:
    """Submit jobs one after the other, each durable before the next; returns the seconds until all have ended."""
    async with running(folder) as client:
        began = time.perf_counter()
        handles = [await client.submit(noop, PAYLOAD) for _ in range(jobs)]
        # A job that has ended already costs a look into the database, so only those that may be in flight.
        for handle in handles[-8:]:
            await client.wait(handle.id)
        return time.perf_counter() - began


async def run_strictly(folder: Path, jobs: int) -> float:
    """Run jobs one after the other; returns the seconds that all took."""
    async with running(folder) as client:
        began = time.perf_counter()
        for _ in range(jobs):
            await client.run(noop, PAYLOAD)
        return time.perf_counter() - began
