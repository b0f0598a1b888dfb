"""Does a job get dearer as finished jobs pile up? The journal and the tables of ended jobs only grow."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from bench.harness import Bench, Row, Samples, Section, at_most, figure, plain, quiesce, ratio
from bench.noop import noop
from bench.product import ended_jobs, fill, running, stored_bytes, time_ends
from sheratan import Client

__all__ = ["Grown", "growth_rounds", "growth_rows", "histories", "history_name", "measure"]

QUEUE = noop.description.queue
CHUNK = 50_000
"""Jobs that are submitted before they are run, while a store is made."""

SPREAD = 1.2
"""Flat means: with the longest history a job costs at most a fifth more. A store that grew by as much is made anew."""

VISITS = 3
BYTES_EXPECTED = 2_000
"""On disk per job, generously: a history that would not fit is left out, and its row says so."""


def measure(bench: Bench) -> Section:
    """Time per job to submit (1,000 per call) and drain jobs in a store that holds so many finished jobs already.

    One engine per history, embedded, 100 bytes of input; the histories take turns within a round, three visits
    each. A store is made anew when visits have made it a fifth larger. Flat means: with the longest history a job
    costs at most 20 % more than after 1,000. On disk: all files of the longest one's folder after a checkpoint.
    """
    sizes = histories(is_quick=bench.is_quick, is_full=bench.is_full)
    with bench.folder() as folder:
        room = shutil.disk_usage(folder).free
        fitting = [size for size in sizes if size * BYTES_EXPECTED < room]
        samples = asyncio.run(growth_rounds(folder, fitting, bench.rounds, bench.size(10_000, 1_000)))
    return Section("Growth", measure.__doc__ or "", growth_rows(samples, fitting, sizes[len(fitting) :]))


def growth_rows(samples: Samples, sizes: Sequence[int], left_out: Sequence[int] = ()) -> list[Row]:
    """A row per history, and how the longest compares with the shortest; `left_out` did not fit on the disk."""
    rows = [plain(samples, history_name(size), "µs/job") for size in sizes]
    first, last = sizes[0], sizes[-1]
    times = ratio(samples[history_name(last)], samples[history_name(first)])
    gaps = "; ".join(f"{size:,} not run: no room on the disk" for size in left_out)
    what = f"cost after {last:,} over cost after {first:,}" + (f" ({gaps})" if gaps else "")
    rows.append(Row(what, times, "times", at_most(SPREAD)))
    rows.append(Row(f"on disk after {last:,}", figure(samples["bytes"]), "bytes/job"))
    return rows


def histories(*, is_quick: bool, is_full: bool) -> list[int]:
    """How many finished jobs the stores hold."""
    if is_quick:
        return [1_000, 10_000]
    return [1_000, 10_000, 100_000, 1_000_000, *([10_000_000] if is_full else [])]


async def growth_rounds(folder: Path, sizes: Sequence[int], rounds: int, jobs: int) -> Samples:
    """Visit every history in every round; returns microseconds per job, and bytes per job of the longest."""
    samples: Samples = {}
    stores = [Grown(folder / str(size), size) for size in sizes]
    try:
        for number in range(rounds):
            for store in stores if number % 2 == 0 else stores[::-1]:
                seconds = sum([await store.visit(jobs) for _ in range(VISITS)])
                samples.setdefault(history_name(store.size), []).append(seconds / (VISITS * jobs) * 1e6)
    finally:
        for store in stores:
            await store.close()
    samples["bytes"] = [stored_bytes(stores[-1].folder) / ended_jobs(stores[-1].folder)]
    return samples


class Grown:
    """An engine on a store that holds about so many finished jobs."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self._stack = AsyncExitStack()
        self._client: Client | None = None
        self._ended = 0

    async def visit(self, jobs: int) -> float:
        """Submit and drain jobs; returns the seconds that it took."""
        client = await self._ready()
        quiesce()
        began = time.perf_counter()
        await self._run(client, jobs)
        return time.perf_counter() - began

    async def close(self) -> None:
        """Stop the engine; fail unless all jobs have ended that were submitted."""
        if self._client is None:
            return
        self._client = None
        await self._stack.aclose()
        found = ended_jobs(self.folder)
        if found != self._ended:
            raise RuntimeError(f"{found} jobs have ended, not {self._ended}")

    async def _ready(self) -> Client:
        if self._client is None or self._ended > self.size * SPREAD:
            await self.close()
            self._client = await self._made()
        return self._client

    async def _made(self) -> Client:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        client = await self._stack.enter_async_context(running(self.folder))
        self._ended = 1  # the one that warmed it up
        await client.pause(QUEUE, "a benchmark fills it")
        while self._ended < self.size:
            await self._run(client, min(CHUNK, self.size - self._ended))
        return client

    async def _run(self, client: Client, jobs: int) -> None:
        ids = await fill(client, jobs)
        await time_ends(client, ids)
        await client.pause(QUEUE, "a benchmark fills it")
        self._ended += jobs


def history_name(size: int) -> str:
    """What the samples of a history are called."""
    return f"after {size:,} finished jobs"
