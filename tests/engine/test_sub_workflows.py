"""Nodes that run workflows: what they are given, what they give, and how they end."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sheratan.contracts.limits import Limits
from sheratan.contracts.runs import RunRecord
from sheratan.contracts.workflows import as_declared
from sheratan.engine.commands import StartDraining
from sheratan.engine.explain import story
from tests.engine.runs import FAILED, inner, node, sub, wf, work_off
from tests.engine.world import World

PACK = inner("pack", node("wrap", input="${input.parcel}"), output={"packed": "${wrap.output}"})


def runs_of(world: World, run: str, name: str) -> list[RunRecord]:
    """The runs of a node, as users see them."""
    [found] = [one for one in world.run_record(run).nodes if one.name == name]
    return [world.run_record(one) for one in found.runs]


def test_a_node_runs_a_workflow_and_has_its_output(world: World) -> None:
    flow = wf(
        node("first"),
        sub("pack", input={"parcel": "${first.output}"}),
        node("last", input="${pack.output.packed}"),
        output="${pack.output}",
        workflows=[PACK],
    )
    run = world.start_run(flow)
    done = work_off(world, world.register())
    assert [(work.node, work.input) for work in done] == [
        ("first", None),
        ("wrap", "first"),
        ("last", "wrap"),
    ]
    record = world.run_record(run)
    assert (record.state, record.output, record.jobs) == ("succeeded", {"packed": "wrap"}, 4)
    [below] = runs_of(world, run, "pack")
    assert (below.state, below.workflow, below.parent, below.node) == ("succeeded", "pack", run, "pack")
    assert (below.input, below.jobs, below.started_by) == ({"parcel": "first"}, 1, record.started_by)


STRICT = inner(
    "pack", node("wrap"), input_schema={"type": "object", "additionalProperties": {"type": "integer"}}
)


def test_what_does_not_fit_the_schema_of_a_workflow_blocks_its_node_before_anything_of_it_runs(
    world: World,
) -> None:
    flow = wf(sub("pack", input="${item}", for_each="${input}"), workflows=[STRICT])
    run = world.start_run(flow, [{"a": 1}, {"secret": "b"}])
    assert work_off(world, world.register()) == []
    record = world.run_record(run)
    assert (record.state, record.jobs) == ("blocked", 0)
    assert record.nodes[0].reason == (
        "nodes/0/input/*: must be a whole number, and is text (`input_schema` of pack)"
    )
    assert "secret" not in repr(world.entries())
    run = world.start_run(flow, [{"a": 1}])
    work_off(world, world.register())
    assert world.run_record(run).state == "succeeded"


def test_a_schema_that_was_never_checked_takes_anything(world: World) -> None:
    flow = wf(sub("pack", input="${input}"), workflows=[STRICT])
    command = world.start_command(flow, {"a": "b"})
    plan = command.declared.plan.replace(b'"integer"', b'"whole"')
    [run, _] = world.ask(replace(command, declared=replace(command.declared, plan=plan)))
    work_off(world, world.register())
    assert world.run_record(run).state == "succeeded"


def test_a_node_runs_a_workflow_for_each_item_a_few_at_once(world: World) -> None:
    flow = wf(
        sub("pack", input={"parcel": "${item}"}, for_each="${input}", at_once_max=2),
        output="${pack.output}",
        workflows=[PACK],
    )
    run = world.start_run(flow, ["a", "b", "c"])
    assert len(runs_of(world, run, "pack")) == 2
    work_off(world, world.register(), lambda work: work.input)
    record = world.run_record(run)
    assert record.output == [{"packed": "a"}, {"packed": "b"}, {"packed": "c"}]
    assert [below.item for below in runs_of(world, run, "pack")] == [0, 1, 2]
    assert (record.nodes[0].items, record.nodes[0].items_ended, record.jobs) == (3, 3, 6)


def test_an_empty_list_and_a_condition_that_does_not_hold_begin_no_run(world: World) -> None:
    maybe = sub("maybe", "pack", when={"is": "equals", "value": "${input}", "other": 1})
    flow = wf(maybe, sub("each", "pack", for_each="${input}", input={"parcel": "${item}"}), workflows=[PACK])
    run = world.start_run(flow, [])
    assert world.node_states(run) == {"maybe": "skipped", "each": "succeeded"}
    assert (world.run_record(run).state, world.store.last_run()) == ("succeeded", 1)


def test_a_run_that_fails_fails_its_node(world: World) -> None:
    flow = wf(
        sub("pack", input={"parcel": 1}),
        node("next", after=["pack"], on_parent_failure="continue", input="${pack.state}"),
        workflows=[PACK],
    )
    run = world.start_run(flow)
    done = work_off(world, world.register(), lambda work: FAILED if work.node == "wrap" else 1)
    assert done[-1].input == "failed"
    assert world.node_states(run) == {"pack": "failed", "next": "succeeded"}
    assert runs_of(world, run, "pack")[0].state == "failed"


def test_a_workflow_below_a_workflow_is_told_upwards_at_once(world: World) -> None:
    flow = wf(
        sub("outer", "outer"),
        output="${outer.output}",
        workflows=[inner("outer", sub("pack", input={"parcel": 7}), output="${pack.output.packed}"), PACK],
    )
    run = world.start_run(flow)
    assert world.store.last_run() == 3
    work_off(world, world.register(), lambda work: work.input)
    assert (world.run_record(run).output, world.run_record(run).jobs) == (7, 3)
    [middle] = runs_of(world, run, "outer")
    assert (middle.jobs, runs_of(world, middle.id, "pack")[0].jobs) == (2, 1)


def test_a_workflow_may_run_itself_until_its_condition_does_not_hold(world: World) -> None:
    more = {"is": "greater_than", "value": "${input.left[0]}", "other": 0}
    again = {"name": "again", "workflow": "flow", "when": more, "input": {"left": "${count.output}"}}
    flow = wf(node("count", input="${input.left[0]}"), {**again, "after": ["count"]})
    run = world.start_run(flow, {"left": [2]})
    work_off(world, world.register(), lambda work: [work.input - 1])
    assert (world.run_record(run).state, world.store.last_run()) == ("succeeded", 3)


def test_a_run_that_would_be_too_deep_ends_the_run_whose_budget_says_so(world: World) -> None:
    again = {"name": "again", "workflow": "flow", "for_each": "${input}", "input": "${input}"}
    run = world.start_run(wf(again, node("work"), budget={"depth_max": 3}), [1])
    work_off(world, world.register())
    record = world.run_record(run)
    assert (record.state, record.jobs) == ("out_of_depth", 4)
    assert record.reason is not None
    assert record.reason.startswith("Stops: again, work of workflow_")
    [below] = runs_of(world, run, "again")
    assert below.state == "cancelled"
    assert runs_of(world, below.id, "again")[0].state == "cancelled"


def test_an_empty_list_is_never_too_deep(world: World) -> None:
    again = sub("again", "flow", for_each="${input}", input=[])
    run = world.start_run(wf(again, budget={"depth_max": 2}), [1, 2])
    assert (world.run_record(run).state, world.store.last_run()) == ("succeeded", 3)


def test_the_jobs_of_all_runs_count_against_the_budget_of_each_above(world: World) -> None:
    flow = wf(sub("pack", input={"parcel": 1}), budget={"jobs_max": 2}, workflows=[PACK])
    run = world.start_run(flow)
    work_off(world, world.register())
    assert (world.run_record(run).state, world.run_record(run).jobs) == ("succeeded", 2)
    flow = wf(
        sub("pack", input={"parcel": "${item}"}, for_each="${input}"),
        budget={"jobs_max": 5},
        workflows=[PACK],
    )
    run = world.start_run(flow, [1, 2, 3])
    work_off(world, world.register())
    record = world.run_record(run)
    assert (record.state, record.jobs) == ("out_of_jobs", 5)
    assert f"{run} would have 6 jobs, and its budget is 5" in str(record.reason)
    assert {below.state for below in runs_of(world, run, "pack")} == {"cancelled"}


def test_a_run_below_has_a_budget_of_its_own(world: World) -> None:
    each = inner("each", node("one", for_each="${input}", input="${item}"), budget={"jobs_max": 2})
    run = world.start_run(wf(sub("each", input="${input}"), workflows=[each]), [1, 2, 3])
    assert runs_of(world, run, "each")[0].state == "out_of_jobs"
    assert world.node_states(run) == {"each": "failed"}


def test_time_that_is_over_above_is_over_below(world: World) -> None:
    flow = wf(
        sub("pack", input={"parcel": 1}),
        budget={"wall_seconds_max": 60},
        workflows=[PACK],
    )
    run = world.start_run(flow)
    [below] = runs_of(world, run, "pack")
    assert below.due_us == world.run_record(run).due_us
    world.clock.advance(60_000_000)
    world.tick()
    assert world.run_record(run).state == "out_of_time"
    assert world.run_record(below.id).state == "cancelled"


def test_a_run_below_may_have_less_time(world: World) -> None:
    short = inner("short", node("a"), budget={"wall_seconds_max": 5})
    run = world.start_run(wf(sub("short"), workflows=[short]))
    world.clock.advance(5_000_000)
    world.tick()
    assert runs_of(world, run, "short")[0].state == "out_of_time"
    assert world.node_states(run) == {"short": "failed"}


@pytest.mark.parametrize("keeps", [False, True])
def test_a_cancel_reaches_down_and_each_run_undoes_what_it_has_done(world: World, keeps: bool) -> None:
    saga = inner("saga", node("book", compensate={"kind": "work"}), node("wait", after=["book"]))
    run = world.start_run(wf(sub("saga"), workflows=[saga]))
    session = world.register()
    work_off(world, session, most=1)
    world.cancel_run(run, keeps=keeps)
    done = work_off(world, session)
    assert [work.undoes for work in done] == ([] if keeps else [True])
    [below] = runs_of(world, run, "saga")
    assert (world.run_record(run).state, below.state) == ("cancelled", "cancelled")
    assert below.nodes[0].state == ("succeeded" if keeps else "compensated")


def test_what_a_run_below_has_done_the_compensation_of_its_node_undoes(world: World) -> None:
    saga = inner("saga", node("book", compensate={"kind": "work", "input": "never"}), output="${book.output}")
    flow = wf(
        sub("saga", compensate={"kind": "work", "input": "${saga.output}"}),
        node("fails", after=["saga"]),
        workflows=[saga],
    )
    run = world.start_run(flow)
    done = work_off(world, world.register(), lambda work: FAILED if work.node == "fails" else work.node)
    assert (done[-1].undoes, done[-1].input) == (True, "book")
    assert world.node_states(run) == {"saga": "compensated", "fails": "failed"}
    assert runs_of(world, run, "saga")[0].state == "succeeded"


def test_a_run_below_is_cancelled_alone_and_its_node_with_it(world: World) -> None:
    run = world.start_run(wf(sub("pack", input={"parcel": 1}), workflows=[PACK]))
    [below] = runs_of(world, run, "pack")
    world.cancel_run(below.id)
    assert world.node_states(run) == {"pack": "cancelled"}
    assert world.run_record(run).state == "failed"


def test_a_run_below_that_waits_for_a_person_holds_up_its_node_alone(world: World) -> None:
    run = world.start_run(wf(sub("pack"), node("other"), workflows=[PACK]), None)
    work_off(world, world.register())
    [below] = runs_of(world, run, "pack")
    assert below.state == "blocked"
    assert world.node_states(run) == {"pack": "running", "other": "succeeded"}


def test_what_succeeded_below_is_taken_over_as_a_whole(world: World) -> None:
    flow = wf(
        sub("pack", input={"parcel": "${input.a}"}, for_each="${input.list}"),
        node("last", input=["${pack.output}", "${input.b}"]),
        workflows=[PACK],
    )
    value = {"a": 1, "b": 2, "list": [1, 2]}
    run = world.start_run(flow, value)
    session = world.register()
    work_off(world, session, lambda work: FAILED if work.node == "last" else work.input)
    again = world.fork_run(run, node="last")
    done = work_off(world, session)
    assert [work.input for work in done] == [[[{"packed": 1}, {"packed": 1}], 2]]
    taken = world.run_record(again).nodes[0]
    assert (taken.taken_from, len(taken.runs), taken.items_ended) == (run, 2, 2)
    changed = world.fork_run(again, input={**value, "a": 5})
    done = work_off(world, session)
    assert [work.node for work in done] == ["wrap", "wrap", "last"]
    other = inner(
        "pack", node("wrap", input="${input.parcel}", tags=["x"]), output={"packed": "${wrap.output}"}
    )
    redeclared = wf(*as_declared(flow)["nodes"], workflows=[other])
    world.fork_run(changed, workflow=redeclared)
    done = work_off(world, session)
    assert [work.node for work in done] == ["wrap", "wrap", "last"]


def test_a_run_below_that_has_ended_is_continued_by_itself(world: World) -> None:
    run = world.start_run(wf(sub("pack", input={"parcel": 3}), workflows=[PACK]))
    session = world.register()
    work_off(world, session, lambda work: FAILED)
    [below] = runs_of(world, run, "pack")
    again = world.fork_run(below.id)
    work_off(world, session, lambda work: work.input)
    record = world.run_record(again)
    assert (record.state, record.output, record.parent) == ("succeeded", {"packed": 3}, None)
    assert world.run_record(run).state == "failed"


def test_a_restart_goes_on_where_the_runs_were(world: World) -> None:
    flow = wf(
        sub("outer", "outer", for_each="${input}", at_once_max=2, input="${item}"),
        workflows=[
            inner("outer", node("a"), sub("pack", after=["a"], input={"parcel": "${input}"}), output=1),
            PACK,
        ],
    )
    run = world.start_run(flow, [1, 2, 3])
    for _ in range(6):
        work_off(world, world.register(), most=1)
        world.restart()
    assert world.run_record(run).state == "succeeded"


def test_who_drains_begins_no_run(world: World) -> None:
    run = world.start_run(wf(node("a"), sub("pack", after=["a"], input={"parcel": 1}), workflows=[PACK]))
    session = world.register()
    [given] = world.lease(session)
    world.ask(StartDraining(reason=""))
    world.settle(given, output=1)
    assert runs_of(world, run, "pack") == []
    world.restart()
    work_off(world, world.register())
    assert world.run_record(run).state == "succeeded"


def test_a_run_below_waits_for_room_unless_nothing_else_of_its_parent_runs() -> None:
    world = World(limits=Limits(workflow_runs_max=3))
    flow = wf(sub("pack", for_each="${input}", input={"parcel": "${item}"}), workflows=[PACK])
    runs = [world.start_run(flow, items) for items in ([1], [1, 2, 3])]
    assert [len(runs_of(world, run, "pack")) for run in runs] == [1, 1]
    session = world.register()
    most = 0
    while world.store.counts()["ready"]:
        most = max(most, len(world.state.runs.open))
        work_off(world, session, most=1)
    assert most <= 4
    assert [world.run_record(run).state for run in runs] == ["succeeded", "succeeded"]
    world.check()
    world.close()


def test_the_stories_lead_up_and_down(world: World) -> None:
    run = world.start_run(wf(sub("pack", input={"parcel": 1}), workflows=[PACK]))
    [below] = runs_of(world, run, "pack")
    assert f"for node pack of {run}." in story(world.store, below.id).lines[0].text
    assert any(below.id in line.text for line in story(world.store, run).lines)
    world.cancel_run(run, reason="enough")
    assert f"{run} was stopped" in " ".join(line.text for line in story(world.store, below.id).lines)


def test_a_large_output_of_a_run_below_still_arrives(world: World) -> None:
    big = "x" * 10_000
    run = world.start_run(
        wf(sub("pack", input={"parcel": "${input}"}), output="${pack.output.packed}", workflows=[PACK]), big
    )
    work_off(world, world.register(), lambda work: work.input)
    assert world.run_record(run).output == big
