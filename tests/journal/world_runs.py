"""Runs of workflows for the eventful journal: every way to end, and one left open in every state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.limits import Limits
from sheratan.contracts.schedules import Schedule, ScheduledRun
from sheratan.contracts.workflows import WORKFLOW_FORMAT, Workflow
from sheratan.engine.commands import BackfillSchedule, CancelRun, DeleteSchedule, ForkRun, TriggerSchedule
from sheratan.engine.definition import prepare_schedule
from sheratan.engine.prepare import KindRegistry
from sheratan.engine.prepare_runs import prepare_run

if TYPE_CHECKING:
    from tests.journal.world import World

__all__ = ["ended_runs", "open_runs"]

BIG = '"' + "r" * 5_000 + '"'
FAILS = {"last"}
EACH_BELOW = {"name": "each", "workflow": "inner", "for_each": "${input}", "input": "${item}"}


def start(
    world: World, *nodes: dict[str, Any], value: Any = None, key: str | None = None, **fields: Any
) -> str:
    """Start a run of these nodes, which run the kind `part`."""
    registry = KindRegistry()
    registry.declare(KindDescription(name="part"), None)
    declared = {
        "format": WORKFLOW_FORMAT, "name": "flow", "nodes": _parts(nodes), **fields,
    }  # fmt: skip
    flow = msgspec.convert(declared, Workflow)
    run: str = world.ask(prepare_run(flow, value, registry, Limits(), key))[0]
    return run


def _parts(nodes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [node if "workflow" in node else {"kind": "part", **node} for node in nodes]


def inner(*nodes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A workflow that others bring along."""
    return {"format": WORKFLOW_FORMAT, "name": "inner", "nodes": _parts(nodes), **fields}


def work(world: World, session: int, fails: set[str], most: int = 100) -> None:
    """Do the jobs of nodes that are ready; those of some nodes fail, as those do that undo some."""
    for _ in range(most):
        lanes = {lane.lane for lane in world.store.lanes() if lane.kind == "part"}
        if not lanes & dict(world.store.ready_counts()).keys():
            return
        given = world.lease(session, 1)
        [row] = world.store.nodes_of_jobs([given[0].number])
        name = f"undo {row.node}" if row.item == -2 else row.node
        if name in fails:
            world.settle(session, given[0], "failed", error="fatal")
        else:
            world.settle(session, given[0], output=BIG.encode())


def undo(name: str) -> dict[str, Any]:
    """A node that can be compensated."""
    return {"name": name, "compensate": {"kind": "part", "input": f"${{{name}.state}}"}}


def ended_runs(world: World, session: int) -> None:
    """Succeeded with a fan-out and a large output, failed and undone, cancelled and kept, and out of each budget."""
    each = {"name": "each", "for_each": "${input}", "input": "${item}", "at_once_max": 2}
    skipped = {"name": "not", "when": {"is": "equals", "value": "${input}", "other": 1}}
    first = start(
        world,
        each,
        skipped,
        {"name": "end", "input": "${each.output[0]}"},
        value=[1, 2, 3],
        output="${end.output}",
        key="once",
    )
    work(world, session, set())
    world.ask(ForkRun(id=first, node="end"))
    work(world, session, set())
    failing = (undo("first"), {**undo("second"), "after": ["first"]}, {"name": "last", "after": ["second"]})
    start(world, *failing, value="v" * 5_000)
    work(world, session, FAILS)
    start(world, *failing, {"name": "behind", "after": ["last"]})
    work(world, session, {*FAILS, "undo first"})
    kept = start(world, *failing)
    work(world, session, set(), 1)
    world.ask(CancelRun(id=kept, reason="kept", keeps=True))
    start(world, undo("first"), {**each, "after": ["first"]}, value=[1, 2, 3], budget={"jobs_max": 3})
    work(world, session, set())
    start(world, undo("first"), {"name": "end", "after": ["first"]}, budget={"wall_seconds_max": 1})
    work(world, session, set(), 1)
    world.tick(2)
    work(world, session, set())
    sub_runs(world, session)
    scheduled_runs(world, session)


def sub_runs(world: World, session: int) -> None:
    """Runs of nodes: for each item, stopped with the run above, and one that has a run above stopped."""
    each, brought = EACH_BELOW, [inner({"name": "part", "input": "${input}"}, output="${part.output}")]
    start(world, each, {"name": "end", "input": "${each.state}"}, value=[1, 2], workflows=brought)
    work(world, session, set())
    stopped = start(world, each, value=[1], workflows=brought)
    world.ask(CancelRun(id=stopped, reason="", keeps=True))
    start(world, each, value=[1, 2, 3], workflows=brought, budget={"jobs_max": 5})
    work(world, session, set())


def scheduled_runs(world: World, session: int) -> None:
    """A schedule that has begun a run by itself, and one that was made up for."""
    registry = KindRegistry()
    registry.declare(KindDescription(name="part"), None)
    run = ScheduledRun(workflow=msgspec.convert(inner({"name": "part"}), Workflow))
    wanted = Schedule(name="beat", run=run, every_seconds=1, starts_us=world.clock.now_us() - 2_000_000)
    world.ask(prepare_schedule(wanted, registry, Limits(), replaces=False))
    world.tick(1)
    now_us = world.clock.now_us()
    world.ask(BackfillSchedule(name="beat", from_us=now_us - 2_500_000, until_us=now_us, dry_run=False))
    world.ask(TriggerSchedule(name="beat", key="by-hand", reason=""))
    world.ask(DeleteSchedule(name="beat", reason=""))
    work(world, session, set())


def open_runs(world: World, session: int) -> None:
    """A run that is blocked, one that compensates, one that stops, one that runs and one below another."""
    start(world, {"name": "first"}, {"name": "end", "input": "${first.output.nothing}"})
    start(world, undo("first"), undo("second"), {"name": "last", "after": ["first", "second"]})
    work(world, session, FAILS, 4)
    stops = start(world, {"name": "first"}, {"name": "end", "after": ["first"]})
    world.lease(session, 2)
    world.ask(CancelRun(id=stops, reason="left so", keeps=False))
    start(world, {"name": "each", "for_each": "${input}", "at_once_max": 1}, value=[1, 2])
    start(world, {**EACH_BELOW, "at_once_max": 1}, value=[1, 2], workflows=[inner({"name": "part"})])
