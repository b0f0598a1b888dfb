"""What the product costs in instructions of the processor, which do not depend on how busy the machine is.

`python -m bench.instructions NAME COUNT FOLDER` runs one of the workloads.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bench.callers import run_callers
from bench.drain import drain_once
from bench.harness import Bench, Row, Section, figure
from bench.machine import ROOT
from bench.noop import ten_steps
from sheratan.ambient.collector import spare_collector
from sheratan.contracts.jobs import Submission

__all__ = ["measure"]

CALLERS: Final = 100


async def _callers(folder: Path, jobs: int) -> None:
    await run_callers(folder, CALLERS, jobs)


async def _drain(folder: Path, jobs: int) -> None:
    await drain_once(folder, jobs)


async def _steps(folder: Path, jobs: int) -> None:
    await drain_once(folder, jobs, Submission(kind=ten_steps.name))


WORKLOADS: Final[dict[str, tuple[Callable[[Path, int], Awaitable[None]], int]]] = {
    "100 callers": (_callers, 1_000),
    "drain": (_drain, 1_000),
    "handlers of ten steps": (_steps, 200),
}
"""What is run, with how many jobs: the smaller of two runs."""


def measure(bench: Bench) -> Section:
    """Instructions per job, counted by valgrind in the whole process; the difference of two runs of unlike length.

    So neither the start nor the noise of the machine counts, and two versions can be compared on different days, on
    one kind of processor: the same again lies within 1 %. What it leaves out: the kernel, and what waiting costs.
    """
    if shutil.which("valgrind") is None:
        return Section(
            "Instructions", "Not counted: there is no valgrind. On Debian: apt install valgrind.", []
        )
    rows: list[Row] = []
    for name, (_, jobs) in WORKLOADS.items():
        small, large = (_count(bench, name, times * jobs) for times in (1, 2 if bench.is_quick else 3))
        more = jobs if bench.is_quick else 2 * jobs
        rows.append(Row(name, figure([(large - small) / more / 1_000]), "thousand per job"))
    return Section("Instructions", measure.__doc__ or "", rows)


def _count(bench: Bench, name: str, jobs: int) -> int:
    with bench.folder() as folder:
        command = [
            "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
            sys.executable, "-m", "bench.instructions", name, str(jobs), str(folder),
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode or found is None:
        raise RuntimeError(f"{name}: {done.stderr[-500:]}")
    return int(found[1].replace(",", ""))


def _main(name: str, jobs: str, folder: str) -> None:
    run, _ = WORKLOADS[name]
    # As a server does, and all that is measured in time: else the count grows with what is imported.
    spare_collector()
    asyncio.run(_run(run, Path(folder), int(jobs)))


async def _run(run: Callable[[Path, int], Awaitable[None]], folder: Path, jobs: int) -> None:
    await run(folder, jobs)


if __name__ == "__main__":
    _main(*sys.argv[1:])
