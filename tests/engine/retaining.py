"""Jobs that are done, and how long they are kept, in the tests' world."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.errors import Pruned
from sheratan.contracts.jobs import Submission
from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import KeepJobs
from sheratan.engine.views import find_view
from tests.engine.world import SECOND, World

__all__ = ["DAY", "HOUR", "child_of_pruned", "done", "keep", "rows", "stands"]

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


def child_of_pruned(world: World) -> Assignment:
    """The attempt of a job whose parent was pruned; its kind is `other`."""
    keep(world, 60, "work")
    world.submit(run_timeout_seconds=DAY)
    [given] = world.lease(world.register())
    [child] = world.spawn(given, 1, Submission(kind="other"))
    world.settle(given)
    world.tick(HOUR)
    assert rows(world)["job"] == 1
    [held] = world.lease(world.register("v", ["other"]))
    assert held.id == child
    return held


def rows(world: World) -> dict[str, int]:
    """How many rows there are of what belongs to jobs."""
    names = ("job", "result", "step", "tag", "after", "failure", "failed_job", "payload")
    count = world.store._connection.execute
    return {name: count(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in names}
