"""Does claiming get slower as the backlog grows?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from bench.harness import Bench, Figure, Row, Samples, Section, at_least, figure, plain, quiesce, ratio
from bench.noop import noop
from bench.product import fill, running, time_ends
from sheratan import Client
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Pending
from sheratan.engine.decider import Decider

__all__ = ["backlogs", "claim_rounds", "measure", "probe"]

CLAIMS = 2_000
VISITS = 3
"""So often per round: 2,000 jobs take less than a tenth of a second, which any noise would hide."""

SPARE = 1_000
"""Jobs that may run on between the moment the clock stops and the moment the queue is paused again."""

FLAT = 0.8


class Lease:
    """What one call that leased jobs cost."""

    def __init__(self, seconds: float, jobs: int) -> None:
        self.seconds = seconds
        self.jobs = jobs


def measure(bench: Bench) -> Section:
    """With so many ready jobs behind them, 2,000 jobs are claimed, run and settled: from resume to the last end.

    One engine per backlog, filled once with 1,000 jobs per call; every round does that three times with each
    engine, and pauses its queue in between. The decide time is that of `Decider.decide` for batches that leased
    jobs (they also settle), per leased job. Flat means: the largest backlog is at most 20 % slower than 1,000.
    """
    sizes = backlogs(is_quick=bench.is_quick)
    with bench.folder() as folder:
        samples = asyncio.run(claim_rounds(folder, sizes, bench.rounds))
    rows: list[Row] = []
    for size in sizes:
        rows.append(plain(samples, _rate(size), "jobs/s"))
        rows.append(plain(samples, _decide(size), "µs/job"))
    first, last = sizes[0], sizes[-1]
    flat: Figure = ratio(samples[_rate(last)], samples[_rate(first)])
    rows.append(Row(f"rate at {last:,} over rate at {first:,}", flat, "", at_least(FLAT)))
    rows.append(Row("filling the largest backlog", figure(samples["fill"]), "jobs/s"))
    return Section("Claim against backlog", measure.__doc__ or "", rows)


def backlogs(*, is_quick: bool) -> list[int]:
    """The sizes that are compared."""
    return [1_000, 10_000] if is_quick else [1_000, 10_000, 100_000, 1_000_000]


async def claim_rounds(folder: Path, sizes: Sequence[int], rounds: int) -> Samples:
    """Fill one engine per size, then claim from each in every round."""
    samples: Samples = {}
    async with AsyncExitStack() as stack:
        engines: list[tuple[int, Client, list[str]]] = []
        for size in sizes:
            began = time.perf_counter()
            client, ids = await stack.enter_async_context(_filled(folder / str(size), size, rounds))
            samples["fill"] = [len(ids) / (time.perf_counter() - began)]
            # Only jobs that will be claimed are looked at again.
            engines.append((size, client, ids[: rounds * VISITS * (CLAIMS + SPARE)]))
        quiesce()
        for number in range(rounds):
            for size, client, ids in engines if number % 2 == 0 else engines[::-1]:
                with probe() as leases:
                    seconds = sum([await _claim(client, ids) for _ in range(VISITS)])
                samples.setdefault(_rate(size), []).append(VISITS * CLAIMS / seconds)
                decide = sum(lease.seconds for lease in leases) / sum(lease.jobs for lease in leases)
                samples.setdefault(_decide(size), []).append(decide * 1e6)
    return samples


@asynccontextmanager
async def _filled(folder: Path, size: int, rounds: int) -> AsyncGenerator[tuple[Client, list[str]]]:
    async with running(folder) as client:
        await client.pause(noop.description.queue, "a benchmark fills it")
        yield client, await fill(client, size + rounds * VISITS * (CLAIMS + SPARE))


async def _claim(client: Client, ids: list[str]) -> float:
    """Claim the first jobs that are left; forget those that have ended."""
    seconds = await time_ends(client, ids[:CLAIMS])
    await client.pause(noop.description.queue, "a benchmark fills it")
    ended = CLAIMS
    while ended < len(ids) and (await client.job(ids[ended])).state in ("running", "succeeded"):
        await client.wait(ids[ended])
        ended += 1
    del ids[:ended]
    return seconds


@contextmanager
def probe() -> Generator[list[Lease]]:
    """Time `Decider.decide` from outside, for batches that lease jobs."""
    leases: list[Lease] = []
    decide = Decider.decide

    def timed(self: Decider, commands: Sequence[Pending]) -> Batch:
        began = time.perf_counter()
        batch = decide(self, commands)
        seconds = time.perf_counter() - began
        jobs = sum(len(entry.data["jobs"]) for entry in batch.unit.entries if entry.type == "worker.leased")
        if jobs:
            leases.append(Lease(seconds, jobs))
        return batch

    setattr(Decider, "decide", timed)  # noqa: B010 - a probe from outside, for the type checker too
    try:
        yield leases
    finally:
        setattr(Decider, "decide", decide)  # noqa: B010 - as above


def _rate(size: int) -> str:
    return f"backlog {size:,}"


def _decide(size: int) -> str:
    return f"backlog {size:,}, deciding"
