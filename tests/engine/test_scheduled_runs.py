"""Schedules that run workflows: one run per firing, whatever becomes of the run before."""

from __future__ import annotations

from typing import Any

import pytest

from sheratan.contracts.errors import Conflict, InvalidInput, LimitReached, SheratanError, Unavailable
from sheratan.contracts.jobs import KindDescription, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.runs import RunRecord
from sheratan.contracts.schedules import ScheduledRun
from sheratan.engine.commands import StartDraining
from sheratan.engine.explain import story
from sheratan.engine.schedule_views import schedule_record
from tests.engine.runs import inner, node, sub, wf, work_off
from tests.engine.world import SECOND, World

NOW = 1_700_000_000 * SECOND
FLOW = wf(node("a", input="${input}"), output="${a.output}")


def schedule(world: World, flow: Any = FLOW, value: Any = 1, **fields: Any) -> str:
    run = ScheduledRun(workflow=flow, input=value)
    return world.schedule(submission=None, run=run, every_seconds=60, **fields)


def runs(world: World) -> list[RunRecord]:
    ids = [entry.subject for entry in world.entries() if entry.type == "workflow.started"]
    return [world.run_record(run) for run in ids]


def test_a_firing_begins_a_run_and_each_names_the_other(world: World) -> None:
    assert schedule(world) == "created"
    assert schedule(world) == "unchanged"
    world.tick(60)
    [run] = runs(world)
    assert (run.state, run.input, run.started_by) == ("running", 1, "local:tester")
    record = schedule_record(world.store, "s")
    assert (record.last_run, record.last_job, record.workflow, record.kind) == (run.id, None, "flow", None)
    assert record.schedule is not None
    assert record.schedule.run == ScheduledRun(workflow=FLOW, input=1)
    assert any(
        f"began {run.id}, 0.000 s after" in line.text for line in story(world.store, "schedule:s").lines
    )
    assert "for firing 2023-11-14T22:14:20Z of schedule:s." in story(world.store, run.id).lines[0].text
    assert "a run of workflow flow every 60 seconds" in story(world.store, "schedule:s").lines[0].text
    work_off(world, world.register())
    assert runs(world)[0].state == "succeeded"


def test_an_input_that_does_not_fit_its_workflow_is_refused_before_anything_fires(world: World) -> None:
    with pytest.raises(InvalidInput, match="must be text, and is a whole number") as refused:
        schedule(world, wf(node("a"), input_schema={"type": "string"}))
    assert refused.value.field == "run/input"


def test_a_firing_has_one_run_ever(world: World) -> None:
    schedule(world)
    world.tick(60)
    world.restart()
    found = world.backfill("s", NOW, NOW + 60 * SECOND)
    assert [one.run for one in found] == [run.id for run in runs(world)][::-1]
    again = world.backfill("s", NOW, NOW + 60 * SECOND)
    assert [one.run for one in again] == [one.run for one in found]


@pytest.mark.parametrize(
    ("overlap", "states"),
    [("queue", ["running", "running"]), ("skip", ["running"]), ("cancel_previous", ["cancelled", "running"])],
)
def test_the_run_before_that_is_still_open_counts(world: World, overlap: str, states: list[str]) -> None:
    schedule(world, overlap=overlap)
    world.tick(60)
    world.tick(60)
    assert [run.state for run in runs(world)] == states


def test_a_run_before_that_has_ended_holds_up_nothing(world: World) -> None:
    schedule(world, overlap="skip")
    world.tick(60)
    work_off(world, world.register())
    world.tick(60)
    assert [run.state for run in runs(world)] == ["succeeded", "running"]


def test_a_run_before_that_compensates_is_left_alone(world: World) -> None:
    flow = wf(node("a", compensate={"kind": "work"}), node("b", after=["a"]))
    schedule(world, flow, overlap="cancel_previous")
    world.tick(60)
    session = world.register()
    work_off(world, session, most=1)
    world.cancel_run(runs(world)[0].id)
    world.tick(60)
    assert [run.state for run in runs(world)] == ["compensating", "running"]


def test_a_firing_without_room_is_tried_again() -> None:
    world = World(limits=Limits(workflow_runs_max=1))
    run = world.start_run(FLOW)
    schedule(world)
    world.tick(60)
    assert world.last("schedule.postponed").data["reason"].startswith("workflow: 1 runs are open")
    world.cancel_run(run)
    world.tick(5)
    assert len(runs(world)) == 2
    world.check()
    world.close()


def test_a_backfill_begins_all_runs_or_none() -> None:
    world = World(limits=Limits(workflow_runs_max=3))
    schedule(world, starts_us=NOW - 600 * SECOND)
    with pytest.raises(LimitReached):
        world.backfill("s", NOW - 240 * SECOND, NOW)
    assert runs(world) == []
    found = world.backfill("s", NOW - 120 * SECOND, NOW)
    assert [one.run for one in found] == [run.id for run in runs(world)]
    assert len(found) == 3
    told = story(world.store, "schedule:s").lines[-1].text
    assert "had 3 firings from" in told
    assert "begin their runs" in told
    world.ask(StartDraining(reason=""))
    with pytest.raises(Unavailable):
        world.backfill("s", NOW - 360 * SECOND, NOW - 300 * SECOND)
    world.check()
    world.close()


def test_what_was_planned_when_the_schedule_was_created_holds(world: World) -> None:
    flow = wf(sub("below"), workflows=[inner("below", node("a"))])
    schedule(world, flow)
    world.registry.declare(KindDescription(name="work", version=2), None)
    world.tick(60)
    [job] = world.store.jobs([1])
    assert world.state.lane_by_number[job.lane].version == 1


def test_a_schedule_of_jobs_may_become_one_of_runs_and_back(world: World) -> None:
    world.schedule(every_seconds=60, overlap="cancel_previous")
    world.tick(60)
    assert schedule(world, replaces=True, overlap="cancel_previous") == "changed"
    world.tick(60)
    assert world.store.counts()["ready"] == 1
    world.schedule(replaces=True, every_seconds=60, overlap="cancel_previous")
    world.tick(60)
    assert [run.state for run in runs(world)] == ["cancelled"]
    assert (world.schedule_row().last_job, world.schedule_row().last_run) == (3, None)


def test_another_workflow_under_the_name_is_a_conflict(world: World) -> None:
    schedule(world)
    with pytest.raises(Conflict, match="another run"):
        schedule(world, value=2)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"submission": Submission(kind="work")}, "run"),
        ({"run": None}, "submission"),
        ({"jitter_seconds": 5.0}, "jitter_seconds"),
        ({"run": ScheduledRun(workflow=wf(node("a", after=["b"])))}, "run/workflow/nodes/0/after/0"),
        ({"run": ScheduledRun(workflow=wf(node("a"), budget={"wall_seconds_max": 1e9}))},
         "run/workflow/budget/wall_seconds_max"),
    ],
)  # fmt: skip
def test_what_cannot_be_scheduled_is_refused_by_field(
    world: World, fields: dict[str, Any], field: str
) -> None:
    given: dict[str, Any] = {"submission": None, "run": ScheduledRun(workflow=FLOW), "every_seconds": 60}
    with pytest.raises(SheratanError) as refused:
        world.schedule(**given | fields)
    assert refused.value.field == field


def test_a_large_workflow_is_kept_apart(world: World) -> None:
    schedule(world, wf(node("a"), description="x" * 5_000))
    world.restart()
    world.tick(60)
    assert len(runs(world)) == 1
