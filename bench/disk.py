"""What a finished job leaves on disk, and how fast the journal is checked and replayed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from bench.callers import run_callers
from bench.drain import drain_once
from bench.harness import Bench, Section, plain
from bench.one_caller import run_strictly
from bench.product import checkpoint, database
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from sheratan.store.port import Reader
from sheratan.wiring import open_offline

__all__ = ["measure"]


def measure(bench: Bench) -> Section:
    """Bytes of database and log after a checkpoint, and journal entries, per finished no-op job (100 bytes of input).

    After a drain, after runs from 100 callers and after runs from one. A commit is one page of the journal and a
    dispatch entry serves all jobs that it gives out, so small batches take more. Then `verify` (form, chain,
    story, and the tables against the journal) and `replay` (every decision derived again) of the drain's journal,
    as the commands `journal verify` and `journal replay` run them, with the file's own check left out.
    """
    many, few = bench.size(20_000, 2_000), bench.size(1_000, 100)

    def drained(folder: Path) -> dict[str, float]:
        asyncio.run(drain_once(folder, many))
        return _sizes("drain", folder, many) | _journal(folder)

    def from_100(folder: Path) -> dict[str, float]:
        asyncio.run(run_callers(folder, 100, many))
        return _sizes("100 callers", folder, many)

    def from_one(folder: Path) -> dict[str, float]:
        asyncio.run(run_strictly(folder, few))
        return _sizes("one caller", folder, few)

    samples = bench.repeat(drained, from_100, from_one)
    rows = []
    for name in ("drain", "100 callers", "one caller"):
        rows.append(plain(samples, f"{name}: on disk", "bytes/job"))
        rows.append(plain(samples, f"{name}: journal entries", "per job"))
    rows += [plain(samples, f"journal {name}", "entries/s") for name in ("verify", "replay")]
    return Section("Disk, and checks of the journal", measure.__doc__ or "", rows)


def _sizes(name: str, folder: Path, jobs: int) -> dict[str, float]:
    reader = open_offline(folder / "data")
    try:
        entries = reader.shard().head.seq
    finally:
        reader.close()
    return {
        f"{name}: on disk": checkpoint(database(folder)) / jobs,
        f"{name}: journal entries": entries / jobs,
    }


def _journal(folder: Path) -> dict[str, float]:
    return {
        "journal verify": _entries_per_second(folder, lambda reader: verify(reader, integrity=False)),
        "journal replay": _entries_per_second(folder, replay),
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
