"""Durable handlers: how fast steps are recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from bench.drain import drain_once
from bench.harness import Bench, Section, at_least, compared, plain
from bench.noop import STEPS, ten_steps
from bench.product import database
from bench.raw import commits_of, replay, schema_of
from sheratan.contracts.jobs import Submission

__all__ = ["measure"]

OURS: Final = "handlers of ten steps"
RAW: Final = "raw limit: the same commits"
STEPS_NAME: Final = "steps"


def measure(bench: Bench) -> Section:
    """Time from `client.resume` until the last of 5,000 jobs of ten steps each has ended.

    Each step is an async function that gives a short text; it is durable before the next one begins. 256 handlers run
    at once. The raw limit writes the rows and pages of that very run, from the resuming commit on, with SQLite alone.
    """
    jobs = bench.size(5_000, 300)

    def both(folder: Path) -> dict[str, float]:
        _, seconds = asyncio.run(drain_once(folder, jobs, Submission(kind=ten_steps.name)))
        path = database(folder)
        commits = commits_of(path)
        start = next(index for index, commit in enumerate(commits) if "queue.resumed" in commit.types)
        raw_seconds = replay(folder / "raw.db", schema_of(path), commits[:start], commits[start:])
        return {OURS: jobs / seconds, STEPS_NAME: STEPS * jobs / seconds, RAW: jobs / raw_seconds}

    samples = bench.repeat(both)
    rows = [
        compared(samples, OURS, RAW, "handlers/s", at_least(2_500)),
        plain(samples, STEPS_NAME, "steps/s"),
    ]
    return Section(f"Durable handlers, {jobs:,} jobs of ten steps", measure.__doc__ or "", rows)
