"""Jobs that are done, and how long they are kept, in the tests' world."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.errors import Pruned
from sheratan.engine.commands import KeepJobs
from sheratan.engine.views import find_view
from tests.engine.world import SECOND, World

__all__ = ["DAY", "HOUR", "done", "keep", "rows", "stands"]

HOUR = 3_600
DAY = 24 * HOUR


def keep(world: World, seconds: float | None, kind: str = "", reason: str = "") -> int:
    """Set how long jobs are kept; returns the entry."""
    keep_us = None if seconds is None else round(seconds * SECOND)
    entry: int = world.ask(KeepJobs(kind=kind, keep_us=keep_us, reason=reason))
    return entry


def done(world: World, kind: str = "work", value: Any = None, **options: Any) -> str:
    """A job that has succeeded."""
    job = world.submit(kind, value, **options)
    [given] = world.lease(world.register())
    world.settle(given, output=value)
    return job


def stands(world: World, job: str) -> bool:
    """Whether a job was not pruned."""
    try:
        find_view(world.store, job)
    except Pruned:
        return False
    return True


def rows(world: World) -> dict[str, int]:
    """How many rows there are of what belongs to jobs."""
    names = ("job", "result", "step", "tag", "after", "failure", "failed_job", "payload")
    count = world.store._connection.execute
    return {name: count(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in names}
