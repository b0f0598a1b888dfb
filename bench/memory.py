"""Memory of a server process, idle and with a backlog."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench.harness import Bench, Row, Section, at_most, figure, plain
from bench.machine import ROOT
from bench.product import fill
from sheratan import Client
from sheratan.sdk.socket import connect

__all__ = ["measure", "resident_mb", "server", "share_mb"]

GROWTH = 1.2
"""Bounded means: ten times as many queued jobs take at most a fifth more memory."""


def measure(bench: Bench) -> Section:
    """Resident memory (VmRSS) of `sheratan up --kinds bench.noop`, as the kernel counts it.

    Idle: right after it has said `ready`, once per round. Then jobs are submitted to its paused queue over its
    socket, 1,000 per call, to one process: read at a tenth of them and at the end.
    """
    jobs = bench.size(1_000_000, 20_000)

    def idle(folder: Path) -> dict[str, float]:
        with server(folder, "bench.noop") as process:
            return {"idle": resident_mb(process)}

    samples = bench.repeat(idle)
    with bench.folder() as folder, server(folder, "bench.noop") as process:
        tenth, full = asyncio.run(_fill_twice(folder, process, jobs))
    rows = [
        plain(samples, "idle", "MB", at_most(80)),
        Row(f"{jobs // 10:,} jobs queued", figure([tenth]), "MB"),
        Row(f"{jobs:,} jobs queued", figure([full]), "MB"),
        Row("ten times the jobs", figure([full / tenth]), "times", at_most(GROWTH)),
    ]
    return Section("Memory of the server", measure.__doc__ or "", rows)


@contextmanager
def server(folder: Path, *modules: str) -> Generator[int]:
    """A server as a process of its own, with the kinds of some modules; yields its process id once it is ready."""
    kinds = [part for module in modules for part in ("--kinds", module)]
    command = [sys.executable, "-m", "sheratan", "up", "--data", str(folder / "data"), *kinds]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHERATAN_")}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if line == "ready\n":
                break
        else:
            raise RuntimeError(f"the server did not start: {said}")
        yield process.pid
    finally:
        process.terminate()
        process.communicate()


async def _fill_twice(folder: Path, process: int, jobs: int) -> tuple[float, float]:
    async with Client(await connect(folder / "data")) as client:
        await client.pause("default", "a benchmark fills it")
        await fill(client, jobs // 10)
        tenth = resident_mb(process)
        await fill(client, jobs - jobs // 10)
        return tenth, resident_mb(process)


def resident_mb(process: int) -> float:
    """The resident memory of a process, in millions of bytes."""
    text = Path(f"/proc/{process}/status").read_text("utf-8")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def share_mb(process: int) -> float:
    """The memory of a process and of all that it has started, in millions of bytes; shared pages count once (PSS)."""
    total = 0.0
    for one in _family(process):
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text("utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
        total += int(found[1]) * 1024 / 1e6 if found else 0.0
    return total


def _family(process: int) -> Generator[int]:
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            started = children.read_text("utf-8").split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in started:
            yield from _family(int(child))
