"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

import apsw

__all__ = ["ROOT", "SYNCS", "facts", "file_system", "load", "loop_ms", "sync_us"]

ROOT = Path(__file__).resolve().parent.parent
SYNCS = 300
_LOOPS = 11


def facts(base: Path) -> dict[str, str]:
    """The machine and the versions; `base` is where the databases are."""
    base.mkdir(parents=True, exist_ok=True)
    cores = len(os.sched_getaffinity(0))
    return {
        "CPU": f"{_cpu_model()}, {cores} core{'s' if cores > 1 else ''}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": file_system(base),
        "Python": f"{platform.python_implementation()} {platform.python_version()}, asyncio's own loop",
        "SQLite": f"{apsw.sqlite_lib_version()} through apsw {apsw.apsw_version()}, WAL, synchronous FULL",
        "Sheratan": f"{importlib.metadata.version('sheratan')}, {_revision()}",
    }


def load() -> str:
    """How busy the machine is, in running processes over the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def file_system(path: Path) -> str:
    """The type and device of the file system that a path is on."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    where = path.resolve()
    holding = [mount for mount in mounts if where.is_relative_to(mount[1].replace(r"\040", " "))]
    device, _, kind = max(holding, key=lambda mount: len(mount[1]))[:3]
    return f"{kind} on {device}"


def loop_ms() -> float:
    """What a loop of a million additions takes the interpreter: the floor under all that is decided."""
    took = []
    for _ in range(_LOOPS):
        began = time.perf_counter()
        total = 0
        for number in range(1_000_000):
            total += number
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e3


def sync_us(base: Path) -> float:
    """What one small durable write costs: the floor under every commit."""
    path = base / "sync-probe"
    handle = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        os.pwrite(handle, bytes(4096 * 16), 0)
        os.fsync(handle)
        took = []
        for number in range(SYNCS):
            began = time.perf_counter()
            os.pwrite(handle, b"x" * 4096, 4096 * (number % 16))
            os.fdatasync(handle)
            took.append(time.perf_counter() - began)
        return statistics.median(took) * 1e6
    finally:
        os.close(handle)
        path.unlink()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _revision() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no git revision"
