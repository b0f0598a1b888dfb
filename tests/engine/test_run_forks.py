"""Runs that continue an ended one: what they take over, what they run anew, and what the journal says of each node."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sheratan.contracts.errors import (
    Conflict,
    IdempotencyConflict,
    InvalidInput,
    LimitReached,
    NotFound,
    TooLarge,
)
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import ForkRun
from sheratan.engine.explain import story
from tests.engine.runs import FAILED, Work, node, wf, work_off
from tests.engine.world import World

CHAIN = wf(
    node("a", input="${input.a}"),
    node("b", input=["${a.output}", "${input.b}"]),
    node("c", input="${b.output}"),
    node("side", input="${input.side}"),
    output=["${c.output}", "${side.output}"],
)
VALUE = {"a": 1, "b": 2, "side": 3}


def ended(world: World, flow: Any = CHAIN, value: Any = VALUE, fails: str = "") -> str:
    """A run that has ended; one node of it may fail."""
    run = world.start_run(flow, value)
    work_off(world, world.register(), lambda work: FAILED if work.node == fails else f"old {work.node}")
    return run


def again(world: World) -> list[str]:
    """The nodes that run now."""
    return [work.node for work in work_off(world, world.register(), lambda work: f"new {work.node}")]


def why_of(world: World, run: str) -> dict[str, str]:
    """Why each node of a run is not taken over."""
    [line] = [line for line in story(world.store, run).lines if line.type == "workflow.started"]
    return {str(name): str(why) for name, why in line.rejected}


def test_a_node_and_all_that_follow_it_run_anew_and_the_others_are_taken_over(world: World) -> None:
    run = ended(world)
    new = world.fork_run(run, "b")
    assert again(world) == ["b", "c"]
    record = world.run_record(new)
    assert (record.state, record.output, record.jobs) == ("succeeded", ["new c", "old side"], 2)
    assert (record.origin, record.version) == (run, world.run_record(run).version)
    assert [one.taken_from for one in record.nodes] == [run, None, None, run]
    assert record.nodes[0].jobs == world.run_record(run).nodes[0].jobs
    assert record.nodes[0].reason == f"taken over from {run}"


def test_each_story_names_the_other_run(world: World) -> None:
    run = ended(world)
    new = world.fork_run(run, "b")
    assert f"continued the run as {new} from node b on." in story(world.store, run).lines[-1].text
    first = story(world.store, new).lines[0].text
    assert f"which continues {run}. Takes over a, side: unchanged, as is all before." in first
    assert why_of(world, new) == {"b": "it is where to begin", "c": "b, which comes before it, runs anew"}


def test_what_failed_runs_anew_wherever_one_begins(world: World) -> None:
    run = ended(world, fails="side")
    new = world.fork_run(run, "c")
    assert why_of(world, new)["side"] == "it was failed"
    assert sorted(again(world)) == ["c", "side"]


def test_what_was_compensated_is_undone_so_it_runs_anew(world: World) -> None:
    undo = {"kind": "work"}
    flow = wf(node("a", compensate=undo), node("b", after=["a"]), node("free"))
    run = ended(world, flow, fails="b")
    assert world.node_states(run)["a"] == "compensated"
    new = world.fork_run(run, "b")
    assert why_of(world, new)["a"] == "it was compensated"
    assert again(world) == ["a", "b"]


def test_what_could_not_be_compensated_runs_anew(world: World) -> None:
    flow = wf(node("a", compensate={"kind": "work"}), node("b", after=["a"]))
    run = world.start_run(flow)
    work_off(world, world.register(), lambda work: FAILED if work.undoes or work.node == "b" else 1)
    assert world.run_record(run).state == "compensation_failed"
    assert why_of(world, world.fork_run(run, "b"))["a"] == "it was not to be compensated"
    assert again(world) == ["a", "b"]


def test_what_was_taken_over_is_not_compensated_by_the_run_that_took_it(world: World) -> None:
    undo = {"kind": "work", "input": "${a.output}"}
    flow = wf(
        node("a", compensate=undo),
        node("b", after=["a"], compensate={"kind": "work"}),
        node("c", after=["b"]),
    )
    run = ended(world, flow)
    new = world.fork_run(run, "b")
    done = work_off(world, world.register(), lambda work: FAILED if work.node == "c" else 1)
    assert [(work.node, work.undoes) for work in done] == [("b", False), ("c", False), ("b", True)]
    assert world.run_record(new).state == "failed"


def test_a_fan_out_is_taken_over_whole_with_its_outputs(world: World) -> None:
    flow = wf(
        node("each", for_each="${input}", input="${item}"),
        node("none", for_each="${input[9]}", when={"is": "exists", "value": "${input[9]}"}),
        node("sum", input="${each.output}"),
    )
    run = world.start_run(flow, [1, 2, 3])
    work_off(world, world.register(), lambda work: work.input)
    new = world.fork_run(run, "sum")
    done = work_off(world, world.register())
    assert [(work.node, work.input) for work in done] == [("sum", [1, 2, 3])]
    record = world.run_record(new)
    assert (record.nodes[0].items, record.nodes[0].items_ended, len(record.nodes[0].jobs)) == (3, 3, 3)
    assert (record.nodes[1].state, record.nodes[1].taken_from) == ("skipped", run)


def test_a_run_of_a_run_names_the_one_that_has_the_jobs(world: World) -> None:
    run = ended(world)
    second = world.fork_run(run, "c")
    again(world)
    third = world.fork_run(second, "c")
    assert again(world) == ["c"]
    assert [one.taken_from for one in world.run_record(third).nodes] == [run, run, None, run]
    assert world.run_record(third).origin == second


def test_a_restart_keeps_what_was_taken_over(world: World) -> None:
    run = ended(world)
    new = world.fork_run(run, "b")
    world.restart()
    world.check()
    world.crash()
    assert again(world) == ["b", "c"]
    assert world.run_record(new).output == ["new c", "old side"]


def test_another_input_runs_anew_what_reads_the_part_that_has_changed(world: World) -> None:
    run = ended(world)
    new = world.fork_run(run, input={**VALUE, "b": 7, "nobody reads": 1})
    assert why_of(world, new) == {
        "b": "${input.b} is another value",
        "c": "b, which comes before it, runs anew",
    }
    assert again(world) == ["b", "c"]
    assert world.run_record(new).input["b"] == 7


def test_a_value_that_is_no_longer_there_is_another_value(world: World) -> None:
    run = ended(world)
    new = world.fork_run(run, input={"a": 1, "b": 2})
    assert why_of(world, new) == {"side": "${input.side} is another value"}
    again(world)
    assert world.run_record(new).state == "blocked"


def test_another_definition_runs_anew_what_is_declared_otherwise_and_what_is_new(world: World) -> None:
    run = ended(world)
    other = wf(
        node("a", input="${input.a}"),
        node("b", input=["${a.output}", "${input.b}"], priority=1),
        node("side", input="${input.side}"),
        node("more", input="${side.output}"),
        output="${more.output}",
    )
    new = world.fork_run(run, workflow=other)
    assert why_of(world, new) == {
        "b": "its priority is declared otherwise",
        "more": "nothing was decided about it before",
    }
    assert again(world) == ["b", "more"]
    assert world.run_record(new).output == "new more"


def test_another_version_of_a_kind_is_another_declaration(world: World) -> None:
    run = ended(world, wf(node("a")))
    world.registry.declare(KindDescription(name="work", version=2), None)
    world.restart()
    assert (
        why_of(world, world.fork_run(run, workflow=wf(node("a"))))["a"] == "its version is declared otherwise"
    )
    # With its own definition, a run goes by its own plan.
    assert world.run_record(world.fork_run(run)).state == "succeeded"


def test_a_policy_of_the_workflow_counts_as_the_nodes(world: World) -> None:
    run = ended(world, wf(node("a")))
    new = world.fork_run(run, workflow=wf(node("a"), on_parent_failure="skip"))
    assert why_of(world, new)["a"] == "its on_parent_failure is declared otherwise"


def test_a_fork_of_which_nothing_has_changed_ends_at_once(world: World) -> None:
    run = ended(world)
    record = world.run_record(world.fork_run(run))
    assert (record.state, record.output, record.jobs) == ("succeeded", ["old c", "old side"], 0)


def test_a_node_that_was_skipped_is_taken_over_as_skipped_and_what_follows_it_goes_on(world: World) -> None:
    flow = wf(
        node("ask"),
        node("yes", when={"is": "equals", "value": "${ask.output}", "other": 1}),
        node("join", after=["yes"], on_parent_failure="continue"),
        node("end", after=["join"]),
    )
    run = ended(world, flow)
    new = world.fork_run(run, "end")
    assert again(world) == ["end"]
    assert world.node_states(new) == {
        "ask": "succeeded", "yes": "skipped", "join": "succeeded", "end": "succeeded",
    }  # fmt: skip


def test_a_run_that_was_cancelled_is_continued_from_what_it_kept(world: World) -> None:
    run = world.start_run(CHAIN, VALUE)
    work_off(world, world.register(), most=1)
    world.cancel_run(run, keeps=True)
    again(world)
    new = world.fork_run(run)
    assert [one.name for one in world.run_record(new).nodes if one.taken_from is not None] == ["a"]
    assert again(world)[-1] == "c"
    assert world.run_record(new).state == "succeeded"


def test_only_ended_runs_are_continued_and_only_from_nodes_that_there_are(world: World) -> None:
    run = world.start_run(CHAIN, VALUE)
    with pytest.raises(Conflict, match="the run is running; only one that has ended") as refused:
        world.fork_run(run, "b")
    assert refused.value.field == "id"
    again(world)
    with pytest.raises(InvalidInput, match="there is no node 'x'; there are a, b, c, side") as unknown:
        world.fork_run(run, "x")
    assert unknown.value.field == "node"
    with pytest.raises(NotFound):
        world.fork_run(run[:-1] + ("0" if run[-1] != "0" else "1"))
    assert world.types().count("workflow.forked") == 0


def test_a_key_stands_for_one_continuation(world: World) -> None:
    run = ended(world)
    new = world.fork_run(run, "b", key="k")
    assert world.fork_run(run, "b", key="k") == new
    with pytest.raises(IdempotencyConflict) as refused:
        world.fork_run(run, "c", key="k")
    assert refused.value.field == "node"
    with pytest.raises(IdempotencyConflict) as refused:
        world.fork_run(run, "b", key="k", input=1)
    assert refused.value.field == "input"
    with pytest.raises(IdempotencyConflict) as refused:
        world.start_run(CHAIN, VALUE, "k")
    assert refused.value.field == "id"


def test_a_key_that_nobody_may_use_is_refused(world: World) -> None:
    run = ended(world)
    with pytest.raises(TooLarge) as refused:
        world.fork_run(run, key="k" * 1_000)
    assert refused.value.field == "key"


def test_a_fork_is_a_run_that_needs_room_as_any_other() -> None:
    world = World(limits=Limits(workflow_runs_max=1))
    run = ended(world)
    world.start_run(CHAIN, VALUE)
    with pytest.raises(LimitReached, match="workflow_runs_max"):
        world.fork_run(run, "b")
    world.check()


def test_a_fork_that_is_lost_with_a_failed_commit_leaves_nothing(world: World) -> None:
    run = ended(world)
    world.crash(losing=[ForkRun(id=run, node="b")])
    assert [line.type for line in story(world.store, run).lines][-1] == "workflow.ended"
    assert world.fork_run(run, "b").startswith("workflow_")


def test_jobs_belong_to_the_run_that_ran_them(world: World) -> None:
    run = ended(world)
    new = world.fork_run(run, "b")
    [job] = world.run_record(new).nodes[0].jobs
    assert world.record(job).workflow == run
    assert isinstance(work_off(world, world.register())[0], Work)


# ----------------------------------------------------------------------------------------------------------------------
# What a workflow says of its input

STRICT = wf(node("a", input="${input.a}"), input_schema={"type": "object", "required": ["a"]})


def test_another_input_must_fit_the_workflow_that_the_run_went_by(world: World) -> None:
    run = ended(world, STRICT, {"a": 1})
    with pytest.raises(InvalidInput, match="is missing") as refused:
        world.fork_run(run, input={"b": 1})
    assert refused.value.field == "input/a"
    assert world.fork_run(run, input={"a": 2})


def test_the_old_input_must_fit_another_workflow_and_what_stays_as_it_is_is_not_asked(world: World) -> None:
    run = ended(world, wf(node("a")), {"b": 1})
    with pytest.raises(InvalidInput, match="is missing"):
        world.fork_run(run, workflow=STRICT)
    assert world.fork_run(run, "a")


def test_a_schema_that_was_never_checked_takes_any_input(world: World) -> None:
    command = world.start_command(STRICT, {"a": 1})
    plan = command.declared.plan.replace(b'"type":"object"', b'"type":"thing"')
    [run, _] = world.ask(replace(command, declared=replace(command.declared, plan=plan)))
    work_off(world, world.register())
    assert world.fork_run(run, input={"a": 2, "b": 1})
