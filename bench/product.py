"""Running the product as a program would: an embedded engine with its worker on a fresh data directory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw

import sheratan
from bench.noop import KINDS, PAYLOAD, noop
from sheratan import Client
from sheratan.ambient.clock import SystemClock
from sheratan.contracts.jobs import Submission
from sheratan.store.sqlite.store import open_reader

__all__ = [
    "NULL",
    "SETTLING",
    "TEXT",
    "database",
    "ended_jobs",
    "expect_ended",
    "fill",
    "running",
    "stored_bytes",
    "time_ends",
]

TEXT = Submission(kind="noop", input=PAYLOAD)
"""A job with 100 bytes of input."""

NULL = Submission(kind="nothing", input=None)
"""A job without input."""

SUBMIT_JOBS = 1_000
"""Jobs per bulk call: what the limits allow."""

SETTLING = 512
"""Jobs that can be in flight at once, and some: when the last so many have ended, so have all before them."""

COUNT_SECONDS_MAX = 600
"""Ten million rows take longer to count than a read of the product may take."""


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[Client]:
    """An engine with its worker, warmed up by one job."""
    async with sheratan.open(folder / "data", KINDS) as client:
        await client.run(noop, PAYLOAD)
        yield client


async def fill(client: Client, count: int, submission: Submission = TEXT) -> list[str]:
    """Submit jobs in bulk to the paused queue; returns the ids."""
    ids: list[str] = []
    for start in range(0, count, SUBMIT_JOBS):
        handles = await client.submit_many([submission] * min(SUBMIT_JOBS, count - start))
        ids += [handle.id for handle in handles]
    return ids


async def time_ends(client: Client, ids: list[str]) -> float:
    """Resume the queue and return the seconds until all these jobs, its first ones, have ended.

    Jobs start in order and at most 256 run at once, so it is enough to wait for the last 512; that all have ended
    is checked later (`expect_ended`), when the clock has stopped.
    """
    waits = [asyncio.create_task(client.wait(job)) for job in ids[-SETTLING:]]
    await asyncio.sleep(0)
    began = time.perf_counter()
    await client.resume("default")
    await asyncio.gather(*waits)
    return time.perf_counter() - began


def database(folder: Path) -> Path:
    """The database of a run."""
    return folder / "data" / "sheratan.db"


def expect_ended(folder: Path, jobs: int) -> None:
    """Fail unless so many jobs have ended, beside the one that warmed the engine up."""
    ended = ended_jobs(folder)
    if ended != jobs + 1:
        raise RuntimeError(f"{ended} jobs have ended, not {jobs + 1}")


def ended_jobs(folder: Path) -> int:
    """How many jobs have ended, the one that warmed the engine up included."""
    reader = open_reader(database(folder), seconds_max=COUNT_SECONDS_MAX, clock=SystemClock().monotonic_us)
    try:
        return reader.counts()["result"]
    finally:
        reader.close()


def stored_bytes(folder: Path) -> int:
    """Bring the write-ahead log home; returns the bytes of all files of the data folder, whatever they are for."""
    connection = apsw.Connection(str(database(folder)))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return sum(file.stat().st_size for file in (folder / "data").rglob("*") if file.is_file())
