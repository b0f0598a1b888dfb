"""Drain: how fast a backlog of no-op jobs is worked off."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.harness import Bench, Section, at_least, compared, plain
from bench.noop import noop
from bench.product import TEXT, database, expect_ended, fill, running, time_ends
from bench.raw import commits_of, replay, schema_of
from sheratan.contracts.jobs import Submission

__all__ = ["drain_once", "measure"]

OURS = "drain"
RAW = "raw limit: the same commits"
SUBMITTED = "bulk submit, 1,000 per call"


def measure(bench: Bench) -> Section:
    """Time from `client.resume` until the last of 50,000 jobs has ended, its caller told, all of it durable.

    The jobs are submitted 1,000 per call while the queue is paused (that is timed by itself). The raw limit writes
    the rows and pages of that very run, from the resuming commit on, with SQLite alone.
    """
    jobs = bench.size(50_000, 5_000)

    def both(folder: Path) -> dict[str, float]:
        submit_seconds, seconds = asyncio.run(drain_once(folder, jobs))
        return {
            SUBMITTED: jobs / submit_seconds,
            OURS: jobs / seconds,
            RAW: jobs / _replay_drain(folder),
        }

    samples = bench.repeat(both)
    rows = [compared(samples, OURS, RAW, "jobs/s", at_least(30_000)), plain(samples, SUBMITTED, "jobs/s")]
    return Section(f"Drain of {jobs:,} jobs", measure.__doc__ or "", rows)


async def drain_once(folder: Path, jobs: int, submission: Submission = TEXT) -> tuple[float, float]:
    """Submit jobs to a paused queue and drain it; returns the seconds that each took."""
    async with running(folder) as client:
        await client.pause(noop.description.queue, "a benchmark fills it")
        began = time.perf_counter()
        ids = await fill(client, jobs, submission)
        submitted = time.perf_counter() - began
        seconds = await time_ends(client, ids)
    expect_ended(folder, jobs)
    return submitted, seconds


def _replay_drain(folder: Path) -> float:
    path = database(folder)
    commits = commits_of(path)
    start = next(index for index, commit in enumerate(commits) if "queue.resumed" in commit.types)
    return replay(folder / "raw.db", schema_of(path), commits[:start], commits[start:])
