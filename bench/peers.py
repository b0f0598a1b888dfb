"""Two durable queues on SQLite that people use, each at its best durable setting, in the same rounds as ours."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import struct
import subprocess
import sys
import time
from pathlib import Path

from bench import huey_worker
from bench.drain import drain_once
from bench.harness import Bench, Samples, Section, compared, figure, plain
from bench.machine import ROOT
from bench.noop import PAYLOAD
from bench.one_caller import submit_each

__all__ = ["measure", "span"]

SECONDS_MAX = 120.0

SUBMIT = "Sheratan: awaits each durable submit, while they run"
DRAIN = "Sheratan: drain"
PUT = "persist-queue: put"
GET = "persist-queue: get + ack"
ENQUEUE = "Huey: enqueue, nothing runs"


def measure(bench: Bench) -> Section:
    """No-op jobs with 100 bytes of input, one database each on the same disk, all with a sync per commit.

    Huey: SqliteHuey with fsync=True, no results kept. Enqueue: one task after the other. Drain: from the first
    start of a task to the last, with its own consumer (2 threads; 2 processes) and with a bare loop that takes and
    runs tasks. persist-queue: SQLiteAckQueue, one put after the other; then get and ack of each, nothing is run.
    Sheratan: the drain and the one caller of the measurements above, again in these rounds; it runs the jobs
    while it takes them in, keeps a journal, and counts a job only when its end is durable.
    """
    jobs = bench.size(2_000, 200)
    drained = bench.size(20_000, 2_000)

    def ours(folder: Path) -> dict[str, float]:
        (folder / "one").mkdir()
        (folder / "many").mkdir()
        one = asyncio.run(submit_each(folder / "one", jobs))
        _, many = asyncio.run(drain_once(folder / "many", drained))
        return {SUBMIT: jobs / one, DRAIN: drained / many}

    samples = bench.repeat(
        ours, lambda folder: huey(folder, jobs), lambda folder: persist_queue(folder, jobs)
    )
    best = max(map(_mode_name, huey_worker.MODES), key=lambda name: figure(samples[name]).median)
    rows = [
        compared(samples, SUBMIT, ENQUEUE, "jobs/s"),
        compared(samples, SUBMIT, PUT, "jobs/s"),
        compared(samples, DRAIN, best, "jobs/s"),
        compared(samples, DRAIN, GET, "jobs/s"),
        *(plain(samples, _mode_name(mode), "jobs/s") for mode in huey_worker.MODES),
    ]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("huey", "persist-queue")]
    return Section(f"Peers: {', '.join(versions)}", measure.__doc__ or "", rows)


def huey(folder: Path, jobs: int) -> dict[str, float]:
    """Enqueue and drain, for each way of consuming."""
    figures: Samples = {}
    for mode in huey_worker.MODES:
        place = folder / mode
        place.mkdir()
        _, task = huey_worker.application(place)
        began = time.perf_counter()
        for _ in range(jobs):
            task(PAYLOAD)
        figures.setdefault(ENQUEUE, []).append(jobs / (time.perf_counter() - began))
        figures[_mode_name(mode)] = [_consume(place, mode, jobs)]
    return {name: figure(values).median for name, values in figures.items()}


def _consume(folder: Path, mode: str, jobs: int) -> float:
    command = [sys.executable, "-m", "bench.huey_worker", str(folder), mode]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + SECONDS_MAX
        while (folder / huey_worker.RAN).stat().st_size < jobs * huey_worker.SIZE:
            if time.monotonic() > until:
                process.kill()
                raise RuntimeError(f"Huey's consumer ({mode}) did not run {jobs} tasks in {SECONDS_MAX:g} s")
            time.sleep(0.02)
        if mode != "loop":
            process.terminate()
    return (jobs - 1) / span((folder / huey_worker.RAN).read_bytes())


def span(stamps: bytes) -> float:
    """Seconds between the first and the last of some instants."""
    instants = [instant for (instant,) in struct.iter_unpack("d", stamps)]
    return max(instants) - min(instants)


def persist_queue(folder: Path, jobs: int) -> dict[str, float]:
    """Put, then get and acknowledge."""
    queue = importlib.import_module("persistqueue").SQLiteAckQueue(str(folder / "queue"), auto_commit=True)
    try:
        began = time.perf_counter()
        for _ in range(jobs):
            queue.put(PAYLOAD)
        put = time.perf_counter() - began
        began = time.perf_counter()
        for _ in range(jobs):
            item = queue.get(block=False, raw=True)
            queue.ack(id=item["pqid"])
        return {PUT: jobs / put, GET: jobs / (time.perf_counter() - began)}
    finally:
        queue.close()


def _mode_name(mode: str) -> str:
    return {
        "thread": "Huey: drain, consumer with 2 threads",
        "process": "Huey: drain, consumer with 2 processes",
        "loop": "Huey: drain, a bare loop in one process",
    }[mode]
