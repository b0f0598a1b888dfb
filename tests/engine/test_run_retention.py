"""Retention of runs: what has ended is kept for as long as was set and its jobs stand; then its rows go, as a whole."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sheratan.contracts.api import ListRuns
from sheratan.contracts.errors import IdempotencyConflict, InvalidInput, LimitReached, NotFound, Pruned
from sheratan.contracts.limits import Limits
from sheratan.contracts.retention import PreviewRetention, RetentionPreview
from sheratan.contracts.schedules import ScheduledRun
from sheratan.engine.commands import CancelRun, DeleteSchedule, Discard, ForkRun, KeepRuns, StartDraining
from sheratan.engine.explain import story
from sheratan.engine.retention_views import list_retention, preview_retention
from sheratan.engine.run_views import list_run_records
from sheratan.engine.schedule_views import schedule_record
from tests.engine.retaining import (
    DAY,
    HOUR,
    done,
    done_run,
    keep,
    keep_runs,
    prune_all,
    run_rows,
    run_stands,
)
from tests.engine.runs import FAILED, inner, node, sub, wf, work_off
from tests.engine.test_dead_letters import dead
from tests.engine.world import BIG, SECOND, World

BELOW = wf(
    sub("inner"), node("end", after=["inner"]), workflows=[inner("inner", node("x"), output="${x.output}")]
)


def test_a_run_is_pruned_with_all_that_belongs_to_it(world: World) -> None:
    flow = wf(node("a"), node("b", for_each="${input.items}", after=["a"]), output="${a.output}")
    run = done_run(world, flow, lambda _: BIG, value={"items": [1, 2], "more": BIG})
    assert all(run_rows(world).values())
    world.tick(HOUR)
    keep(world, 60)
    keep_runs(world, HOUR + 1)
    assert run_stands(world, run)
    world.tick(HOUR)
    assert not run_stands(world, run)
    assert run_rows(world) == dict.fromkeys(run_rows(world), 0)
    world.check()
    [_, record] = list_retention(world.store)
    assert (record.kind, record.workflow, record.keep_seconds, record.pruned) == (None, "", HOUR + 1, 1)


def test_a_run_is_kept_as_long_as_any_of_its_jobs(world: World) -> None:
    keep(world, HOUR)
    keep_runs(world, 60)
    flow = wf(node("a", kind="other"), node("b"))
    run = world.start_run(flow)
    work_off(world, world.register(kinds=["work", "other"]))
    world.tick(HOUR - 1)
    assert run_stands(world, run)
    keep(world, 60, "work")
    world.tick(60)
    assert run_rows(world)["node_job"] == 2
    world.tick(HOUR)
    assert not run_stands(world, run)
    jobs, runs = [entry for entry in world.entries() if entry.type.endswith("pruned")][-2:]
    assert (jobs.type, runs.type) == ("retention.pruned", "retention.runs_pruned")
    world.check()


def test_a_run_with_a_dead_letter_is_kept_until_somebody_has_dealt_with_it(world: World) -> None:
    run = done_run(world, output=lambda _: FAILED)
    prune_all(world)
    assert run_stands(world, run)
    [job] = dead(world)
    world.ask(Discard(id=job, reason=""))
    world.tick(HOUR)
    world.tick(HOUR)
    assert not run_stands(world, run)


def test_runs_have_what_is_set_for_their_workflow_and_all_others_what_is_set_for_all(world: World) -> None:
    keep(world, 60)
    keep_runs(world, DAY)
    entry = keep_runs(world, 60, "flow", reason="by law")
    one, other = done_run(world), done_run(world, replace(BELOW, name="other"))
    world.tick(HOUR)
    world.tick(HOUR)
    assert (run_stands(world, one), run_stands(world, other)) == (False, True)
    assert world.last("retention.runs_pruned").cause == entry
    keep_runs(world, None)
    world.tick(9 * DAY)
    assert run_stands(world, other)
    told = story(world.store, "retention:workflow:flow")
    assert [line.type for line in told.lines] == ["retention.set", "retention.runs_pruned"]
    assert "had runs of flow kept for 60.000 s after they have ended: by law" in told.lines[0].text
    assert "rows of 1 run were taken out" in told.lines[1].text
    first = story(world.store, "retention:workflow:").lines[0].text
    assert "had runs of every workflow that nothing else is set for kept" in first
    world.check()


def test_why_tells_the_story_of_a_run_that_was_pruned(world: World) -> None:
    run = done_run(world, BELOW)
    world.ask(ForkRun(id=run))
    work_off(world, world.register())
    before = story(world.store, run)
    prune_all(world)
    told = story(world.store, run)
    assert told.lines[:-1] == before.lines
    assert (told.state, told.lines[-1].type) == ("succeeded", "retention.runs_pruned")
    assert told.lines[-1].rule == "retention.prune_runs@1"
    world.tick(HOUR)
    assert run_rows(world)["run"] == 0
    assert [line.type for line in story(world.store, run).lines if "which runs for" in line.text] == []


def test_who_asks_for_a_run_that_was_pruned_is_told_so(world: World) -> None:
    run = done_run(world)
    prune_all(world)
    entry = world.last("retention.runs_pruned").seq
    with pytest.raises(Pruned, match=f"{run} has ended as succeeded and was pruned \\(entry {entry}\\)"):
        world.run_record(run)
    for command in (CancelRun(id=run, reason="", keeps=False), ForkRun(id=run), ForkRun(id=run, node="a")):
        with pytest.raises(Pruned):
            world.ask(command)
    assert list_run_records(world.store, ListRuns(), world.limits).items == []
    forged = run[:-1] + ("0" if run[-1] != "0" else "1")
    with pytest.raises(NotFound) as refused:
        world.run_record(forged)
    assert type(refused.value) is NotFound


def test_runs_are_numbered_on_behind_those_that_were_pruned(world: World) -> None:
    run = done_run(world)
    prune_all(world)
    world.restart()
    again = done_run(world)
    assert again != run
    assert [entry.data["number"] for entry in world.entries() if entry.type == "workflow.started"] == [1, 2]
    world.check()


def test_an_idempotency_key_outlives_its_run(world: World) -> None:
    flow = wf(node("a"))
    run = done_run(world, flow, value=1, key="k")
    prune_all(world)
    assert not run_stands(world, run)
    assert world.ask(world.start_command(flow, 1, "k")) == (run, True)
    with pytest.raises(IdempotencyConflict, match=f"was used for {run} with another request"):
        world.ask(world.start_command(flow, 2, "k"))
    world.check()


def test_a_run_that_continues_one_that_was_pruned_still_names_it(world: World) -> None:
    run = done_run(world, wf(node("a"), node("b", after=["a"])))
    again = world.fork_run(run, "b")
    work_off(world, world.register())
    keep_runs(world, DAY)
    world.tick(HOUR)
    keep(world, 60)
    world.tick(DAY - HOUR)
    assert (run_stands(world, run), run_stands(world, again)) == (False, False)
    world.check()


def test_nothing_is_taken_over_that_came_from_a_run_that_was_pruned(world: World) -> None:
    """The first run is gone, and the one that has taken over from it stands: its own dead letter keeps it."""
    flow = wf(node("a"), node("s", when={"is": "equals", "value": 1, "other": 2}), node("b", after=["a"]))
    run = done_run(world, flow)
    again = world.fork_run(run, "b")
    work_off(world, world.register(), lambda _: FAILED)
    prune_all(world)
    assert (run_stands(world, run), run_stands(world, again)) == (False, True)
    record = world.run_record(again)
    nodes = {one.name: (one.state, one.taken_from, one.jobs) for one in record.nodes}
    assert record.origin == run
    assert nodes["a"] == ("succeeded", run, [])
    assert nodes["s"] == ("skipped", run, [])
    third = world.fork_run(again)
    rejected = dict(story(world.store, third).lines[0].rejected)
    assert (rejected["a"], rejected["s"]) == ("it was pruned", "it was pruned")
    assert [work.node for work in work_off(world, world.register())] == ["a", "b"]
    world.check()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_run_is_kept_while_one_is_open_that_has_taken_over_from_it(world: World, at_once: bool) -> None:
    flow = wf(node("s", when={"is": "equals", "value": 1, "other": 2}), node("b"), node("c", after=["b"]))
    run = done_run(world, flow)
    world.tick(HOUR)
    keep(world, 60)
    world.tick(1)
    commands = (KeepRuns(workflow="", keep_us=SECOND, reason=""), ForkRun(id=run))
    if at_once:
        _, fork = world.batch(*commands)
    else:
        [fork], _ = world.batch(commands[1]), world.batch(commands[0])
    assert fork.error is None
    assert {row.name: row.source for row in world.store.nodes([2])}["s"] == 1, "it has no job"
    world.tick(HOUR)
    assert run_stands(world, run)
    world.check()
    work_off(world, world.register())
    world.tick(HOUR)
    assert not run_stands(world, run)
    world.check()


def test_a_run_that_is_continued_from_the_beginning_need_not_stand(world: World) -> None:
    run = done_run(world)
    world.tick(HOUR)
    keep(world, 60)
    _, fork = world.batch(KeepRuns(workflow="", keep_us=SECOND, reason=""), ForkRun(id=run, node="a"))
    again, _ = fork.value
    assert not run_stands(world, run)
    assert world.run_record(again).origin == run
    assert "workflow.forked" in world.why(run)
    world.check()


def test_runs_of_nodes_go_after_the_run_that_has_them(world: World) -> None:
    run = done_run(world, BELOW)
    [below] = world.run_record(run).nodes[0].runs
    world.tick(HOUR)
    keep(world, 60)
    keep_runs(world, 60, "inner")
    world.tick(HOUR)
    assert run_stands(world, below)
    keep_runs(world, 60, "flow")
    assert (run_stands(world, run), run_stands(world, below)) == (False, True)
    assert world.run_record(below).parent == run
    world.check()
    world.tick(HOUR)
    assert not run_stands(world, below)
    assert run_rows(world) == dict.fromkeys(run_rows(world), 0)
    world.check()


def test_runs_of_nodes_of_an_open_run_are_kept(world: World) -> None:
    keep(world, 60)
    keep_runs(world, 60)
    run = world.start_run(BELOW)
    work_off(world, world.register(), most=1)
    [below] = world.run_record(run).nodes[0].runs
    assert world.run_record(below).state == "succeeded"
    world.tick(DAY)
    assert run_stands(world, below)
    assert [work.node for work in work_off(world, world.register())] == ["end"]


def test_a_run_that_compensates_is_open(world: World) -> None:
    keep(world, 60)
    keep_runs(world, 60)
    undone = node("a", compensate={"kind": "work"})
    run = world.start_run(wf(undone, node("b", after=["a"])))
    work_off(world, world.register(), lambda work: FAILED if work.node == "b" else 1, most=2)
    assert world.run_record(run).state == "compensating"
    world.tick(DAY)
    assert run_stands(world, run)


def test_the_last_run_of_a_schedule_is_kept_until_another_comes_or_it_is_deleted(world: World) -> None:
    keep(world, 60)
    keep_runs(world, 60)
    world.schedule(
        submission=None, run=ScheduledRun(workflow=wf(node("a"))), every_seconds=DAY, overlap="skip"
    )
    runs: list[str] = []
    for _ in range(2):
        world.tick(DAY)
        runs.append(world.last("schedule.fired").data["run"])
        work_off(world, world.register())
        world.tick(HOUR)
        world.tick(HOUR)
        assert run_stands(world, runs[-1])
    assert schedule_record(world.store, "s").last_run == runs[-1]
    assert not run_stands(world, runs[0])
    world.ask(DeleteSchedule(name="s", reason=""))
    world.tick(HOUR)
    assert not run_stands(world, runs[1])
    world.check()


def test_a_backfill_names_the_runs_that_were_pruned_and_begins_no_others(world: World) -> None:
    begun_us = world.clock.now_us()
    world.schedule(submission=None, run=ScheduledRun(workflow=wf(node("a"))), every_seconds=600)
    runs: list[str] = []
    for _ in range(2):
        world.tick(600)
        runs.append(world.last("schedule.fired").data["run"])
        work_off(world, world.register())
    world.tick(300)
    keep(world, 60)
    keep_runs(world, 60)
    assert [run_stands(world, run) for run in runs] == [False, True]
    firings = world.backfill("s", begun_us + SECOND, world.clock.now_us())
    assert [one.run for one in firings] == runs


def test_a_payload_stays_as_long_as_any_row_names_it(world: World) -> None:
    nodes = [node(f"n{number}") for number in range(20)]
    run = done_run(world, wf(*nodes, output="${n0.output}"), lambda _: BIG, value=BIG)
    world.tick(HOUR)
    other = done_run(world, wf(*nodes, output="${n0.output}"), lambda _: BIG, value=BIG)
    keep(world, 1)
    world.tick(60)
    keep_runs(world, HOUR)
    assert (run_stands(world, run), run_stands(world, other)) == (False, True)
    record = world.run_record(other)
    assert (record.input, record.output, len(record.nodes)) == (BIG, BIG, 20)
    world.check()


def test_a_workflow_runs_again_after_its_plan_went_with_the_last_run(world: World) -> None:
    flow = wf(*(node(f"n{number}") for number in range(20)))
    done_run(world, flow)
    prune_all(world)
    assert run_rows(world)["payload"] == 0
    again = done_run(world, flow)
    assert world.run_record(again).state == "succeeded"
    world.restart()
    world.check()


def test_it_goes_on_in_pieces_each_with_its_entry() -> None:
    world = World(limits=Limits(prune_runs_max=2, prune_look_jobs_max=3))
    runs = [done_run(world) for _ in range(7)]
    kept = world.start_run(wf(node("a")))
    prune_all(world)
    assert not any(run_stands(world, run) for run in runs)
    assert run_stands(world, kept)
    told = [entry.data["numbers"] for entry in world.entries() if entry.type == "retention.runs_pruned"]
    sizes = [sum(last - first + 1 for first, last in ranges) for ranges in told]
    assert (sum(sizes), max(sizes)) == (7, 2)
    world.check()


def test_runs_with_many_jobs_go_one_by_one() -> None:
    world = World(limits=Limits(prune_jobs_max=4))
    wide = wf(node("a", for_each="${input}"))
    runs = [done_run(world, wide, value=[1, 2, 3]) for _ in range(2)] + [done_run(world) for _ in range(2)]
    very = done_run(world, wide, value=list(range(9)))
    prune_all(world)
    assert not any(run_stands(world, run) for run in [*runs, very])
    told = [entry.data["numbers"] for entry in world.entries() if entry.type == "retention.runs_pruned"]
    assert told == [[[1, 1]], [[2, 3]], [[4, 4]], [[5, 5]]]
    world.check()


def test_what_is_needed_does_not_keep_the_walk_from_what_comes_behind() -> None:
    world = World(limits=Limits(prune_jobs_max=2, prune_runs_max=1))
    failed = [done_run(world, output=lambda _: FAILED) for _ in range(3)]
    runs = [done_run(world) for _ in range(3)]
    prune_all(world)
    assert all(run_stands(world, run) for run in failed)
    assert not any(run_stands(world, run) for run in runs)


def test_it_goes_on_after_a_crash() -> None:
    world = World(limits=Limits(prune_runs_max=2))
    runs = [done_run(world) for _ in range(5)]
    world.tick(HOUR)
    keep(world, 60)
    world.crash([KeepRuns(workflow="", keep_us=SECOND, reason="")])
    assert all(run_stands(world, run) for run in runs)
    keep_runs(world, 60)
    world.crash()
    assert not any(run_stands(world, run) for run in runs)
    world.check()


def test_nothing_is_pruned_while_the_engine_drains(world: World) -> None:
    run = done_run(world)
    world.tick(HOUR)
    keep(world, 60)
    world.tick(60)
    world.batch(StartDraining(reason=""), KeepRuns(workflow="", keep_us=SECOND, reason=""))
    world.tick(DAY)
    assert run_stands(world, run)
    assert world.decider.next_wake_us() is None
    world.restart()
    assert not run_stands(world, run)


def test_jobs_and_runs_are_looked_through_each_in_their_time(world: World) -> None:
    keep_runs(world, 120)
    assert world.decider.next_wake_us() == 120 * SECOND
    keep(world, 60)
    assert world.decider.next_wake_us() == 60 * SECOND
    keep(world, None)
    assert world.decider.next_wake_us() == 120 * SECOND
    keep_runs(world, None)
    assert world.decider.next_wake_us() is None


def test_a_preview_counts_runs_and_changes_nothing(world: World) -> None:
    done_run(world)
    done_run(world, output=lambda _: FAILED)
    done(world)
    world.tick(HOUR)
    keep(world, 60)
    done_run(world)
    before, now_us = world.entries(), world.clock.now_us()

    def preview(seconds: int | None, workflow: str = "") -> RetentionPreview:
        request = PreviewRetention(workflow=workflow, keep_seconds=seconds)
        return preview_retention(world.store, request, world.limits, now_us)

    assert preview(60) == preview(60, "flow") == RetentionPreview(jobs=0, runs=1, needed=1)
    assert preview(60, "other") == preview(None) == preview(DAY) == RetentionPreview(jobs=0, needed=0)
    assert world.entries() == before
    keep_runs(world, DAY, "flow")
    assert preview(60) == RetentionPreview(jobs=0, needed=0)
    with pytest.raises(InvalidInput, match="a kind, whose jobs are meant, or a workflow"):
        preview_retention(
            world.store, PreviewRetention(kind="work", workflow="", keep_seconds=1), world.limits, 0
        )


def test_a_secret_in_the_reason_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="written down stays"):
        keep_runs(world, 60, reason="ghp_" + "a1B2" * 9)


def test_there_are_only_so_many_kinds_and_workflows_with_something_set() -> None:
    world = World(limits=Limits(queues_max=2))
    keep(world, 60, "a")
    keep_runs(world, 60, "a")
    keep_runs(world, 70, "a")
    with pytest.raises(LimitReached, match=r"2 kinds and workflows \(limits\.queues_max\)") as refused:
        keep_runs(world, 60)
    assert refused.value.field == "workflow"
