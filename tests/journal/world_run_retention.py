"""Runs of workflows that are kept for a while, and pruned after their jobs."""

from __future__ import annotations

import msgspec

from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.limits import Limits
from sheratan.contracts.schedules import Schedule, ScheduledRun
from sheratan.contracts.workflows import Workflow
from sheratan.engine.commands import DeleteSchedule, ForkRun, KeepJobs, KeepRuns
from sheratan.engine.definition import prepare_schedule
from sheratan.engine.prepare import KindRegistry
from tests.journal.world import RUN_KINDS, World
from tests.journal.world_runs import BIG, EACH_BELOW, inner, start, work

__all__ = ["old_runs", "prune_all", "pruned_runs"]

_HOUR_US = 3_600_000_000


def old_runs(world: World) -> int:
    """Runs that have ended, with all that can belong to one, and one that is blocked; returns a worker's session."""
    session = world.worker(kinds=RUN_KINDS)
    each = {"name": "each", "for_each": "${input}", "input": "${item}"}
    end = {"name": "end", "input": "${each.output[0]}"}
    first = start(world, each, end, value=[1, 2], output="${end.output}", key="once")
    work(world, session, set())
    world.ask(ForkRun(id=first, node="end"))
    work(world, session, set())
    brought = [inner({"name": "part", "input": "${input}"}, output="${part.output}")]
    start(world, EACH_BELOW, value=[1, 2], workflows=brought)
    work(world, session, set())
    start(world, {"name": "last"}, value=BIG)
    work(world, session, {"last"})
    start(world, {"name": "first"}, {"name": "end", "input": "${first.output.nothing}"})
    work(world, session, set())
    world.tick(3_600)
    return session


def prune_all(world: World) -> None:
    """Prune the jobs that nobody needs, and then the runs, in as many commits."""
    world.clock.advance(_HOUR_US)
    world.ask(KeepJobs(kind="", keep_us=1, reason=""))
    world.ask(KeepRuns(workflow="", keep_us=1, reason=""))


def pruned_runs(world: World) -> None:
    """Runs 1 to 3 are pruned, then 4 and 5, which 3 had run, and 8 after its schedule was deleted.

    The others stay: 6 with its dead letter, 9 is the last one of a schedule, 10 is young, and 7 and 11 are open.
    """
    session = old_runs(world)
    world.ask(KeepJobs(kind="", keep_us=_HOUR_US // 2, reason=""))
    world.ask(KeepRuns(workflow="inner", keep_us=_HOUR_US // 4, reason=""))
    world.ask(KeepRuns(workflow="", keep_us=_HOUR_US // 2, reason="by law"))
    _schedule(world, session, "gone")
    _schedule(world, session, "beat")
    world.tick(3_600)
    world.tick(3_600)
    world.ask(DeleteSchedule(name="gone", reason=""))
    world.tick(3_600)
    young = start(world, {"name": "end"})
    work(world, session, set())
    world.ask(ForkRun(id=young, node="end"))
    world.ask(KeepRuns(workflow="inner", keep_us=_HOUR_US // 4 + 1, reason="a little longer"))


def _schedule(world: World, session: int, name: str) -> None:
    """A schedule that begins one run."""
    registry = KindRegistry()
    registry.declare(KindDescription(name="part"), None)
    run = ScheduledRun(workflow=msgspec.convert(inner({"name": "part"}), Workflow))
    wanted = Schedule(name=name, run=run, every_seconds=864_000, starts_us=world.clock.now_us() + 1_000_000)
    world.ask(prepare_schedule(wanted, registry, Limits(), replaces=False))
    world.tick(1)
    work(world, session, set())
