"""Jobs and runs that are done, and how long they are kept, in the tests' world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sheratan.contracts.errors import Pruned
from sheratan.contracts.jobs import Submission
from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import KeepJobs, KeepRuns
from sheratan.engine.run_views import find_run
from sheratan.engine.views import find_view
from tests.engine.runs import Work, node, wf, work_off
from tests.engine.world import SECOND, World

__all__ = [
    "DAY",
    "HOUR",
    "child_of_pruned",
    "done",
    "done_run",
    "keep",
    "keep_runs",
    "prune_all",
    "rows",
    "run_rows",
    "run_stands",
    "stands",
]

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


def keep_runs(world: World, seconds: float | None, workflow: str = "", reason: str = "") -> int:
    """Set how long runs are kept; returns the entry."""
    keep_us = None if seconds is None else round(seconds * SECOND)
    entry: int = world.ask(KeepRuns(workflow=workflow, keep_us=keep_us, reason=reason))
    return entry


def prune_all(world: World) -> None:
    """An hour passes, and then what nobody needs is pruned: jobs, and runs of all workflows."""
    world.tick(HOUR)
    keep(world, 60)
    keep_runs(world, 60)


def done_run(
    world: World, flow: Any = None, output: Callable[[Work], Any] | None = None, **options: Any
) -> str:
    """A run that has ended; one of a single node unless it says otherwise."""
    run = world.start_run(flow or wf(node("a"), output="${a.output}"), **options)
    work_off(world, world.register(), output)
    return run


def run_stands(world: World, run: str) -> bool:
    """Whether a run was not pruned."""
    try:
        find_run(world.store, run)
    except Pruned:
        return False
    return True


def run_rows(world: World) -> dict[str, int]:
    """How many rows there are of what belongs to runs."""
    names = ("run", "run_result", "node", "node_job", "payload")
    count = world.store._connection.execute
    return {name: count(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in names}
