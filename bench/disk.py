"""What a finished job leaves on disk, and how fast the journal is checked and replayed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from bench.callers import run_callers
from bench.drain import drain_once
from bench.harness import Bench, Row, Section, at_least, at_most, plain
from bench.one_caller import run_strictly
from bench.product import NULL, stored_bytes
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from sheratan.store.port import Reader
from sheratan.wiring import open_offline

__all__ = ["measure"]

BYTES_MAX = 1_229
"""1.2 KB: what a finished job that did nothing may leave, its journal included."""

VERIFIED_MIN = 200_000

_SIZES = ("drain", "drain, null input", "100 callers", "one caller")


def measure(bench: Bench) -> Section:
    """Bytes of all files after a checkpoint, and journal entries, per finished no-op job (100 bytes of input, or null).

    After a drain, after runs from 100 callers and after runs from one. A commit is one page of the journal and a
    dispatch entry serves all jobs that it gives out, so small batches take more. Then `verify` (form, chain,
    story, and the tables against the journal) and `replay` (every decision derived again) of the drain's journal,
    as the commands `journal verify` and `journal replay` run them, with the file's own check left out.
    """
    drained_jobs = bench.size(100_000, 2_000)
    many, few = bench.size(20_000, 2_000), bench.size(1_000, 100)

    def drained(folder: Path) -> dict[str, float]:
        asyncio.run(drain_once(folder, drained_jobs))
        return _sizes("drain", folder, drained_jobs) | _journal(folder, drained_jobs)

    def drained_null(folder: Path) -> dict[str, float]:
        asyncio.run(drain_once(folder, many, NULL))
        return _sizes("drain, null input", folder, many)

    def from_100(folder: Path) -> dict[str, float]:
        asyncio.run(run_callers(folder, 100, many))
        return _sizes("100 callers", folder, many)

    def from_one(folder: Path) -> dict[str, float]:
        asyncio.run(run_strictly(folder, few))
        return _sizes("one caller", folder, few)

    samples = bench.repeat(drained, drained_null, from_100, from_one)
    rows: list[Row] = []
    for name in _SIZES:
        target = at_most(BYTES_MAX) if name.startswith("drain") else None
        rows.append(plain(samples, f"{name}: on disk", "bytes/job", target))
        rows.append(plain(samples, f"{name}: journal entries", "per job"))
    rows.append(plain(samples, f"journal verify, {drained_jobs:,} jobs", "entries/s", at_least(VERIFIED_MIN)))
    rows.append(plain(samples, f"journal replay, {drained_jobs:,} jobs", "entries/s"))
    return Section("Disk, and checks of the journal", measure.__doc__ or "", rows)


def _sizes(name: str, folder: Path, jobs: int) -> dict[str, float]:
    reader = open_offline(folder / "data")
    try:
        entries = reader.shard().head.seq
    finally:
        reader.close()
    return {
        f"{name}: on disk": stored_bytes(folder) / jobs,
        f"{name}: journal entries": entries / jobs,
    }


def _journal(folder: Path, jobs: int) -> dict[str, float]:
    return {
        f"journal verify, {jobs:,} jobs": _entries_per_second(
            folder, lambda reader: verify(reader, integrity=False)
        ),
        f"journal replay, {jobs:,} jobs": _entries_per_second(folder, replay),
    }


def _entries_per_second(folder: Path, check: Callable[[Reader], object]) -> float:
    reader = open_offline(folder / "data")
    try:
        entries = reader.shard().head.seq
        began = time.perf_counter()
        answer = check(reader)
        seconds = time.perf_counter() - began
    finally:
        reader.close()
    if not getattr(answer, "ok", False):
        raise RuntimeError(f"the journal does not hold: {answer}")
    return entries / seconds
