"""Runs of workflows: which nodes run, in which order, with what."""

from __future__ import annotations

import pytest

from sheratan.contracts.errors import InvalidInput, LimitReached, NotFound, TooLarge, Unavailable, UnknownKind
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import StartDraining
from sheratan.engine.explain import story
from tests.engine.runs import FAILED, Work, node, wf, work_off
from tests.engine.world import World

DIAMOND = (
    node("left", after=["first"]),
    node("first"),
    node("right", after=["first"]),
    node("last", after=["left", "right"]),
)


def test_a_node_runs_once_all_of_its_parents_have_ended(world: World) -> None:
    run = world.start_run(wf(*DIAMOND))
    done = work_off(world, world.register())
    assert [work.node for work in done] == ["first", "left", "right", "last"]
    assert world.run_record(run).state == "succeeded"


def test_nothing_but_the_first_nodes_is_queued_at_the_start(world: World) -> None:
    run = world.start_run(wf(*DIAMOND))
    assert world.store.counts()["ready"] == 1
    assert world.node_states(run) == {
        "left": "blocked",
        "first": "running",
        "right": "blocked",
        "last": "blocked",
    }


def test_values_pass_from_node_to_node_with_their_types(world: World) -> None:
    flow = wf(
        node("read", input={"path": "${input.path}"}),
        node(
            "use",
            input={"size": "${read.output.size}", "text": "of ${read.output.size}", "run": "${workflow.id}"},
        ),
        output=["${use.output}", "${read.state}"],
    )
    run = world.start_run(flow, {"path": "a.txt"})
    done = work_off(world, world.register(), lambda work: {"size": 7})
    assert done[0].input == {"path": "a.txt"}
    assert done[1].input == {"size": 7, "text": "of 7", "run": run}
    assert world.run_record(run).output == [{"size": 7}, "succeeded"]


def test_the_jobs_of_a_node_have_all_options_that_it_names(world: World) -> None:
    world.registry.declare(KindDescription(name="work", version=2), None)
    told = {"tags": ["eu"], "cost": 7, "version": 2, "priority": 1, "queue": "slow"}
    world.start_run(wf(node("a", **told)))
    [job] = world.store.jobs([1])
    lane = world.state.lane_by_number[job.lane]
    assert (world.store.tags(1), job.cost, job.priority) == (["eu"], 7, 1)
    assert (lane.queue, lane.version) == ("slow", 2)


def test_large_values_are_kept_apart_and_still_arrive(world: World) -> None:
    big = "x" * 10_000
    flow = wf(node("a", input="${input}"), node("b", input="${a.output}"), output="${b.output}")
    run = world.start_run(flow, big)
    done = work_off(world, world.register(), lambda work: work.input)
    assert done[1].input == big
    assert world.run_record(run).output == big
    assert world.run_record(run).input == big


def test_a_reference_that_leads_to_nothing_blocks_its_node_and_then_the_run(world: World) -> None:
    flow = wf(
        node("a"), node("b", input="${a.output.files[0]}"), node("c", after=["b"]), node("d", after=["a"])
    )
    run = world.start_run(flow)
    done = work_off(world, world.register(), lambda work: {"files": []})
    record = world.run_record(run)
    assert [work.node for work in done] == ["a", "d"]
    assert record.state == "blocked"
    assert record.nodes[1].state == "blocked"
    assert record.nodes[1].reason == (
        "${a.output.files[0]} in nodes/1/input: node a has succeeded, its output.files has 0 items, and so no [0]"
    )
    assert record.nodes[2].reason == "waits for b"


def test_an_output_that_leads_to_nothing_blocks_the_run(world: World) -> None:
    run = world.start_run(wf(node("a"), output="${a.output.missing}"))
    work_off(world, world.register())
    assert world.run_record(run).state == "blocked"
    assert "${a.output.missing} in output" in str(world.run_record(run).reason)


@pytest.mark.parametrize(
    ("policy", "state", "run_state"),
    [("fail", "failed", "failed"), ("skip", "skipped", "succeeded"), ("continue", "succeeded", "succeeded")],
)
def test_the_failure_of_a_parent_is_passed_on_as_declared(
    world: World, policy: str, state: str, run_state: str
) -> None:
    flow = wf(node("a"), node("b", after=["a"], on_parent_failure=policy))
    run = world.start_run(flow)
    work_off(world, world.register(), lambda work: FAILED if work.node == "a" else 1)
    assert world.node_states(run) == {"a": "failed", "b": state}
    assert world.run_record(run).state == run_state


def test_what_a_node_does_not_say_the_workflow_says(world: World) -> None:
    run = world.start_run(wf(node("a"), node("b", after=["a"]), on_parent_failure="skip"))
    work_off(world, world.register(), lambda work: FAILED)
    assert world.node_states(run) == {"a": "failed", "b": "skipped"}


def test_a_failure_without_a_child_fails_the_run_once_the_other_branches_have_ended(world: World) -> None:
    run = world.start_run(wf(node("a"), node("b"), node("c", after=["b"])))
    done = work_off(world, world.register(), lambda work: FAILED if work.node == "a" else 1)
    assert [work.node for work in done] == ["a", "b", "c"]
    record = world.run_record(run)
    assert (record.state, record.reason) == (
        "failed",
        "Ends as failed: a failed, and no other node takes care of it.",
    )


def test_a_skipped_node_skips_those_behind_it_but_for_those_that_continue(world: World) -> None:
    flow = wf(
        node("a"),
        node("b", when={"is": "equals", "value": "${a.output}", "other": 2}),
        node("c", after=["b"]),
        node("d", after=["c"], on_parent_failure="continue"),
    )
    run = world.start_run(flow)
    done = work_off(world, world.register(), lambda work: 1)
    assert [work.node for work in done] == ["a", "d"]
    record = world.run_record(run)
    assert [one.state for one in record.nodes] == ["succeeded", "skipped", "skipped", "succeeded"]
    assert record.nodes[1].reason == "its condition does not hold: ${a.output} is not equal to 2."
    assert record.nodes[2].reason == "b, which comes before it, was skipped"
    assert record.state == "succeeded"


def test_a_condition_that_cannot_be_answered_blocks(world: World) -> None:
    flow = wf(node("a"), node("b", when={"is": "at_least", "value": "${a.output}", "other": 2}))
    run = world.start_run(flow)
    work_off(world, world.register(), lambda work: "text")
    assert world.run_record(run).nodes[1].state == "blocked"


def test_a_cancelled_job_counts_as_a_failure_of_its_node(world: World) -> None:
    run = world.start_run(wf(node("a"), node("b", after=["a"], on_parent_failure="skip")))
    [job] = world.run_record(run).nodes[0].jobs
    world.cancel(job)
    assert world.node_states(run) == {"a": "cancelled", "b": "skipped"}


def test_retries_and_time_limits_are_those_of_the_node(world: World) -> None:
    flow = wf(
        node("a", attempts_max=2, backoff_base_seconds=5, run_timeout_seconds=30, priority=1, queue="q")
    )
    run = world.start_run(flow)
    session = world.register()
    [given] = world.lease(session)
    world.fail(given)
    [job] = world.run_record(run).nodes[0].jobs
    record = world.record(job)
    assert (record.state, record.attempts_max, record.priority, record.queue) == ("scheduled", 2, 1, "q")
    assert (record.workflow, record.node, record.item) == (run, "a", None)
    world.tick(10)
    [given] = world.lease(session)
    world.tick(29)
    assert world.state_of(job) == "running"
    world.tick(2)
    assert world.run_record(run).state == "failed"


def test_a_restart_goes_on_where_the_run_was(world: World) -> None:
    run = world.start_run(wf(*DIAMOND, output="${last.output}"))
    work_off(world, world.register(), most=2)
    world.restart()
    world.check()
    world.crash()
    work_off(world, world.register())
    assert world.run_record(run).output == "last"


def test_what_is_lost_with_a_failed_commit_is_decided_anew(world: World) -> None:
    run = world.start_run(wf(*DIAMOND))
    session = world.register()
    [given] = world.lease(session)
    world.crash(losing=[world.settlement(given)])
    world.check()
    work_off(world, world.register())
    assert world.run_record(run).state == "succeeded"


def test_many_ends_in_one_batch_are_one_advance(world: World) -> None:
    flow = wf(
        *(node(f"n{place}") for place in range(20)), node("last", after=[f"n{place}" for place in range(20)])
    )
    world.start_run(flow)
    given = world.lease(world.register(slots=20), 20)
    world.batch(*(world.settlement(one) for one in given))
    assert world.types().count("workflow.advanced") == 2


def test_the_jobs_tell_their_run_and_the_run_tells_its_story(world: World) -> None:
    run = world.start_run(wf(node("a"), node("b", after=["a"])))
    [job] = world.run_record(run).nodes[0].jobs
    work_off(world, world.register())
    assert f"It is node a of {run}." in story(world.store, job).lines[0].text
    told = [line.text for line in story(world.store, run).lines]
    assert told == [
        "local:tester started a run of workflow flow.",
        "The run advanced to 1 job. Starts a.",
        "The run advanced to 2 jobs. Starts b.",
        "The run ended as succeeded. All nodes have ended, and none failed without being followed.",
    ]
    with pytest.raises(NotFound):
        story(world.store, run[:-1] + ("0" if run[-1] != "0" else "1"))


def test_the_engine_acts_on_behalf_of_who_started_the_run(world: World) -> None:
    world.start_run(wf(node("a")))
    entry = world.last("job.submitted")
    assert (entry.actor, entry.on_behalf_of) == ("engine", "local:tester")
    assert entry.cause == world.last("workflow.advanced").seq


def test_what_cannot_be_run_is_refused_by_its_field(world: World) -> None:
    cases = [
        (wf(node("a", after=["b"]), node("b", after=["a"])), InvalidInput, "nodes/1/after/0"),
        (wf(node("a"), node("b", kind="nobody")), UnknownKind, "nodes/1/kind"),
        (wf(node("a", attempts_max=1_000)), TooLarge, "nodes/0/attempts_max"),
        (wf({"name": "a", "workflow": "other"}), InvalidInput, "nodes/0/workflow"),
        (wf(node("a"), budget={"wall_seconds_max": 1e9}), TooLarge, "budget/wall_seconds_max"),
        (wf(node("a", input="x" * 2_000_000)), TooLarge, "workflow"),
    ]
    for flow, error, field in cases:
        with pytest.raises(error) as refused:
            world.start_run(flow)
        assert refused.value.field == field
    with pytest.raises(TooLarge) as refused:
        world.start_run(wf(node("a")), "x" * 2_000_000)
    assert refused.value.field == "input"


def test_a_credential_in_a_condition_is_refused_since_conditions_are_told(world: World) -> None:
    when = {"is": "equals", "value": "${input}", "other": "Bearer abcdefghijklmnopqrstuvwxyz"}
    with pytest.raises(InvalidInput, match="a bearer token"):
        world.start_run(wf(node("a", when=when)))


def test_an_engine_that_drains_begins_no_run_and_goes_on_with_none() -> None:
    world = World()
    run = world.start_run(wf(*DIAMOND))
    session = world.register()
    [given] = world.lease(session)
    world.ask(StartDraining(reason="a test"))
    with pytest.raises(Unavailable):
        world.start_run(wf(node("a")))
    world.settle(given)
    assert world.store.counts()["ready"] == 0
    assert world.node_states(run)["left"] == "running"
    world.restart()
    world.check()
    work_off(world, world.register())
    assert world.run_record(run).state == "succeeded"
    world.check()


def test_a_full_queue_keeps_jobs_of_nodes_waiting_and_refuses_none() -> None:
    world = World(limits=Limits(queue_jobs_max=2))
    run = world.start_run(wf(*(node(f"n{place}") for place in range(5))))
    assert world.store.counts()["ready"] == 2
    world.check()
    assert len(work_off(world, world.register())) == 5
    assert world.run_record(run).state == "succeeded"
    assert "job.refused" not in world.types()
    world.check()


def test_a_node_whose_queue_is_full_does_not_hold_up_the_others() -> None:
    world = World(limits=Limits(queue_jobs_max=1))
    run = world.start_run(wf(node("a"), node("b"), node("c", queue="side")))
    assert world.store.counts()["ready"] == 2
    assert [len(one.jobs) for one in world.run_record(run).nodes] == [1, 0, 1]
    world.check()
    work_off(world, world.register())
    assert world.run_record(run).state == "succeeded"


def test_as_many_runs_are_open_as_may_be() -> None:
    world = World(limits=Limits(workflow_runs_max=2))
    for _ in range(2):
        world.start_run(wf(node("a")))
    with pytest.raises(LimitReached, match="workflow_runs_max"):
        world.start_run(wf(node("a")))
    work_off(world, world.register(), most=1)
    world.start_run(wf(node("a")))
    world.check()


def test_outputs_beyond_the_limit_block_whoever_looks_into_them() -> None:
    world = World(limits=Limits(workflow_output_bytes_max=1_000))
    flow = wf(node("a", for_each="${input}"), node("b", input="${a.output[0]}"))
    run = world.start_run(flow, [1, 2])
    work_off(world, world.register(), lambda work: "x" * 600)
    assert "workflow_output_bytes_max" in str(world.run_record(run).nodes[1].reason)
    world.check()


def test_a_lower_limit_does_not_take_back_what_was_decided(world: World) -> None:
    run = world.start_run(
        wf(node("a", for_each="${input}", at_once_max=1, input="${item}")), ["x" * 90, "y" * 90]
    )
    world.limits = Limits(payload_bytes_max=50)
    world.restart()
    done: list[Work] = work_off(world, world.register())
    assert [work.input for work in done] == ["x" * 90, "y" * 90]
    assert world.run_record(run).state == "succeeded"
