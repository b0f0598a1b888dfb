"""A million jobs that sleep."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.harness import Bench, Row, Section, at_most, figure
from bench.memory import resident_mb, server
from bench.noop import sleeper
from bench.product import fill
from sheratan import Client
from sheratan.contracts.jobs import Submission
from sheratan.sdk.socket import connect

__all__ = ["measure", "put_to_sleep"]

REST_SECONDS: Final = 20.0
"""How long the server is watched while all of them sleep."""

SETTLED_SECONDS: Final = 2.0
"""What a server does of its own accord once the last job has gone to sleep is over by then."""

POLL_SECONDS: Final = 0.05

QUEUED_MAX: Final = 20_000
"""So many wait to begin at a time: what is measured is sleep, not a backlog."""


def measure(bench: Bench) -> Section:
    """Handlers that sleep for a day (`ctx.sleep`), in a server of its own; submitted over its socket until all sleep.

    Then nothing is asked of it: its processor time over 20 s, as the kernel counts it, as part of one core.
    """
    jobs = bench.size(1_000_000, 2_000)
    rest_seconds = REST_SECONDS if not bench.is_quick else 1.0
    with bench.folder() as folder, server(folder, "bench.noop") as process:
        began = time.perf_counter()
        asyncio.run(put_to_sleep(folder, jobs))
        seconds = time.perf_counter() - began
        time.sleep(SETTLED_SECONDS)
        before = _cpu_seconds(process)
        time.sleep(rest_seconds)
        spent = _cpu_seconds(process) - before
        memory = resident_mb(process)
    rows = [
        Row("processor time", figure([spent / rest_seconds * 100]), "% of a core", at_most(0.5)),
        Row("memory of the server", figure([memory]), "MB"),
        Row("put to sleep", figure([jobs / seconds]), "jobs/s"),
    ]
    return Section(f"{jobs:,} sleeping jobs", measure.__doc__ or "", rows)


async def put_to_sleep(folder: Path, jobs: int) -> None:
    async with Client(await connect(folder / "data")) as client:
        submission = Submission(kind=sleeper.name, input=None)
        for start in range(0, jobs, QUEUED_MAX // 2):
            await fill(client, min(QUEUED_MAX // 2, jobs - start), submission)
            await _until(client, lambda counts: counts["ready"] <= QUEUED_MAX // 2)
        await _until(client, lambda counts: counts["waiting"] == jobs)


async def _until(client: Client, holds: Callable[[dict[str, int]], bool]) -> None:
    """Until this holds of the numbers of jobs by place."""
    while not holds((await client.status()).counts):  # noqa: ASYNC110 - nobody is told of it
        await asyncio.sleep(POLL_SECONDS)


def _cpu_seconds(process: int) -> float:
    """What a process has used of the processors so far (`proc_pid_stat(5)`: utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
