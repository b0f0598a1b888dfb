"""An engine whose power is cut, started anew on what the disk has kept, cut again: is what was acknowledged there?"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from crash.case import Outcome, Run
from crash.power_cut import PowerCutDisk
from crash.storage_check import check_database
from crash.storage_notes import Notes
from crash.storage_script import work
from crash.storage_world import Workshop, workshop
from sheratan.contracts.errors import SheratanError
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Pending

__all__ = ["Sabotage", "acknowledge_early", "cut_power", "forget_to_sync", "sync_less", "sync_never"]

Sabotage = Callable[[Workshop, PowerCutDisk], object]
"""Breaks the product, or its disk, once the engine has started."""

DATABASE = "sheratan.db"
_CUTS_PER_DATABASE = 40
_STEPS_PER_CUT = 60
_OPERATIONS_MAX = (60, 600, 1_500)
"""A start on what is there, a first start with some commits, and more of them: the power goes somewhere before."""
_LOG_PAGES = (4, 32, 1_000)
"""Small logs, so that many cuts hit a checkpoint; the last never makes one by itself."""
_VIOLATIONS_MAX = 20


@dataclass
class _Series:
    """Cuts so far, over all databases."""

    wanted: int
    sabotage: Sabotage | None
    draw: random.Random
    cuts: int = 0
    commits: int = 0
    databases: int = 0
    first_loss: int | None = None
    violations: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.cuts >= self.wanted or len(self.violations) >= _VIOLATIONS_MAX


def cut_power(run: Run, *, cuts: int, sabotage: Sabotage | None = None) -> Outcome:
    """Cut the power so many times; a violation names the cut that shows it."""
    series = _Series(cuts, sabotage, run.draw)
    while not series.is_over:
        folder = run.folder / f"{run.seed}-{series.databases}"
        _one_database(folder, series)
        series.databases += 1
        shutil.rmtree(folder)
        if series.databases % 10 == 0:
            run.say(f"{series.cuts} cuts, {series.commits} commits, {len(series.violations)} violations")
    figures = {
        "cuts": series.cuts,
        "commits": series.commits,
        "databases": series.databases,
        "cuts until the first loss": series.first_loss,
    }
    return Outcome(figures, series.violations)


def _one_database(folder: Path, series: _Series) -> None:
    """One database through cut after cut: each time, on what the disk has kept."""
    seed, notes = series.draw.getrandbits(32), Notes()
    folder.mkdir(parents=True)
    path = folder / "0" / DATABASE
    path.parent.mkdir()
    for cut in range(1, _CUTS_PER_DATABASE + 1):
        operations = series.draw.choice(_OPERATIONS_MAX)
        disk = PowerCutDisk(series.draw, series.draw.randrange(1, operations))
        script = _Script(path, notes, seed, cut * _STEPS_PER_CUT, series.draw.choice(_LOG_PAGES))
        series.commits += asyncio.run(_until_cut(disk, script, series.sabotage))
        path = _keep(disk, folder / str(cut))
        found = check_database(path, notes)
        series.cuts += 1
        if found:
            series.first_loss = series.first_loss or series.cuts
            series.violations += [
                f"cut {series.cuts} (database {seed}, at operation {disk.cut_at}): {one}" for one in found
            ]
        if found or series.is_over:
            return


@dataclass(frozen=True)
class _Script:
    path: Path
    notes: Notes
    seed: int
    first: int
    log_pages: int


async def _until_cut(disk: PowerCutDisk, script: _Script, sabotage: Sabotage | None) -> int:
    """Run the engine until the power goes, and return how many batches were committed."""
    commits = 0

    def count(_: Batch) -> None:
        nonlocal commits
        commits += 1

    try:
        async with workshop(script.path, script.notes, vfs=disk.name, log_pages=script.log_pages) as shop:
            if sabotage is not None:
                sabotage(shop, disk)
            shop.engine._driver.on_commit = _both(shop.engine._driver.on_commit, count)
            await work(shop, script.seed, script.first, script.first + _STEPS_PER_CUT)
            # The script has ended before: the power goes while nothing happens.
            disk.cut_at = disk.operations
    except (SheratanError, apsw.Error):
        # It could not start, or has halted: the disk has failed it.
        assert disk.is_off, "an engine has failed with the power on"
    return commits


def _both(one: Callable[[Batch], None], other: Callable[[Batch], None]) -> Callable[[Batch], None]:
    def call(batch: Batch) -> None:
        one(batch)
        other(batch)

    return call


def _keep(disk: PowerCutDisk, folder: Path) -> Path:
    """What a machine finds that starts anew, in a folder of its own."""
    folder.mkdir()
    for name, content in disk.image().items():
        (folder / name).write_bytes(content)
    disk.unregister()
    return folder / DATABASE


# ---------------------------------------------------------------------------------------------------------------------
# What must be noticed


def sync_less(shop: Workshop, disk: PowerCutDisk) -> None:
    """synchronous=NORMAL: a commit is not synced before its answer."""
    shop.store._connection.execute("PRAGMA synchronous = NORMAL").fetchall()


def sync_never(shop: Workshop, disk: PowerCutDisk) -> None:
    """synchronous=OFF: not even a checkpoint is synced."""
    shop.store._connection.execute("PRAGMA synchronous = OFF").fetchall()


def forget_to_sync(shop: Workshop, disk: PowerCutDisk) -> None:
    """A disk that reports each sync as done and does nothing."""
    disk.is_liar = True


def acknowledge_early(shop: Workshop, disk: PowerCutDisk) -> None:
    """Callers hear of a batch, and of the journal's end after it, before it is committed."""
    driver = shop.engine._driver
    batch_of = driver._decider.decide

    def decide(given: Sequence[Pending]) -> Batch:
        batch = batch_of(given)
        for pending, value, error in batch.answers:
            pending.answer(value, error)
        if batch.answers:
            shop.notes.note_end(batch.unit.end.seq, batch.unit.end.hash)
        return batch

    driver._decider.decide = decide  # type: ignore[method-assign]
