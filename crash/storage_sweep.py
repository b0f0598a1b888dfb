"""A process that does the script in forks of itself, and has each killed before another operation on its files.

`python -m crash.storage_sweep` reads what to do as JSON from stdin and answers with JSON. It is a process of its own
so that it can fork: it has one thread, and no database is open in it when it does. With `once` it does the script
itself, for a killer that stands outside.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

import msgspec

from crash.storage_check import check_database
from crash.storage_kill import KillAtOperation, forked
from crash.storage_notes import Notes
from crash.storage_script import work
from crash.storage_world import workshop
from sheratan.store.sqlite.store import SqliteStore

__all__ = ["DATABASE", "Found", "Order", "sweep_in_process"]

DATABASE = "sheratan.db"
_VIOLATIONS_MAX = 20


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: a script of so many steps, killed at some places or, while `points` is None, at every one."""

    folder: str
    seed: int
    steps: int
    points: list[float] | None = None
    """Places between 0 and 1 of all operations."""
    once: bool = False
    without_transaction: bool = False


class Found(msgspec.Struct, kw_only=True):
    """What came of it."""

    operations: int = 0
    kills: int = 0
    kinds: dict[str, int] = {}
    violations: list[str] = []


def sweep_in_process(order: Order) -> Found:
    """Count the operations of the script, then be killed before each of those that the order names."""
    found = Found()
    folder = Path(order.folder)
    count = folder / "count.json"
    if not forked(lambda: count.write_text(json.dumps(_script(folder / "whole", order, 0)))):
        raise AssertionError("the script does not come to its end without a kill")
    found.operations, found.kinds = json.loads(count.read_text())
    points = range(1, found.operations + 1)
    if order.points is not None:
        points = sorted({round(place * (found.operations - 1)) + 1 for place in order.points})
    for point in points:
        place = folder / f"killed-{point}"
        ended = forked(lambda point=point, place=place: _script(place, order, point))
        found.kills += not ended
        found.violations += [f"killed before operation {point}: {text}" for text in _go_on(place, order)]
        shutil.rmtree(place)
        if len(found.violations) > _VIOLATIONS_MAX:
            break
    return found


def _go_on(place: Path, order: Order) -> list[str]:
    """What is wrong after the kill, and after the script was taken up again and ended."""
    before = Notes.read(place / "log.0")
    found = check_database(place / DATABASE, before)
    if found:
        return found
    if not forked(lambda: _take_up(place, order, before)):
        return ["the script cannot be taken up again"]
    return [f"after the end: {text}" for text in check_database(place / DATABASE, _all_notes(place))]


def _all_notes(place: Path) -> Notes:
    return Notes.read(place / "log.0", place / "log.1")


def _script(place: Path, order: Order, kill_at: int) -> tuple[int, dict[str, int]]:
    """Do the script, and return how many operations it took."""
    place.mkdir()
    vfs = KillAtOperation(kill_at)
    asyncio.run(_work(place / DATABASE, Notes(place / "log.0"), order, vfs.name))
    return vfs.operations, vfs.kinds


def _take_up(place: Path, order: Order, before: Notes) -> None:
    """Go on with the step in which the process was killed; its call may have been obeyed or not."""
    notes = Notes(place / "log.1", before=before)
    vfs = KillAtOperation(0)
    asyncio.run(_work(place / DATABASE, notes, order, vfs.name))


async def _work(path: Path, notes: Notes, order: Order, vfs: str | None) -> None:
    async with workshop(path, notes, vfs=vfs) as shop:
        if order.without_transaction:
            _commit_row_by_row()
        await work(shop, order.seed, notes.step, order.steps)


def _commit_row_by_row() -> None:
    """Break the product: what belongs together is written statement by statement, each durable by itself."""
    SqliteStore.commit = SqliteStore._write  # type: ignore[method-assign]


def main() -> None:
    """Do what stdin says."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    if order.once:
        _script_once(order)
        return
    sys.stdout.buffer.write(msgspec.json.encode(sweep_in_process(order)))


def _script_once(order: Order) -> None:
    place = Path(order.folder)
    place.mkdir()
    asyncio.run(_work(place / DATABASE, Notes(place / "log.0"), order, None))


if __name__ == "__main__":
    main()
