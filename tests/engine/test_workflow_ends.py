"""How runs are stopped and end: cancelled, out of a budget, compensated."""

from __future__ import annotations

import pytest

from sheratan.contracts.errors import AlreadyEnded, Conflict, InvalidInput, NotFound
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import CancelRun
from sheratan.engine.explain import story
from tests.engine.runs import FAILED, Work, node, wf, work_off
from tests.engine.world import World


def undoing(name: str, **fields: object) -> dict[str, object]:
    """A node that can be compensated, with its own output."""
    return node(name, compensate={"kind": "other", "input": f"${{{name}.output}}"}, **fields)


# ----------------------------------------------------------------------------------------------------------------------
# Cancel


def test_to_cancel_a_run_cancels_what_waits_and_stops_what_runs(world: World) -> None:
    run = world.start_run(wf(node("a"), node("b"), node("c", after=["a"])))
    [given] = world.lease(world.register())
    assert world.cancel_run(run, "not wanted") == "stopping"
    world.check()
    record = world.run_record(run)
    assert (record.state, record.ending) == ("stopping", "cancelled")
    assert [stop.number for stop in world.stops] == [given.number]
    asked = world.last("job.cancel_requested")
    assert "part of bulk" not in story(world.store, asked.subject).lines[-1].text
    world.settle(given, "cancelled")
    assert world.run_record(run).state == "cancelled"
    assert world.node_states(run) == {"a": "cancelled", "b": "cancelled", "c": "cancelled"}


def test_a_run_of_which_nothing_runs_is_cancelled_at_once(world: World) -> None:
    run = world.start_run(wf(node("a"), node("b", after=["a"])))
    world.cancel_run(run)
    assert world.run_record(run).state == "cancelled"
    assert world.last("job.cancelled").cause == world.last("workflow.stopping").seq


def test_a_success_that_crosses_the_request_stands_and_nothing_follows_from_it(world: World) -> None:
    run = world.start_run(wf(node("a"), node("b", after=["a"])))
    [given] = world.lease(world.register())
    world.cancel_run(run)
    world.settle(given)
    assert world.node_states(run) == {"a": "succeeded", "b": "cancelled"}
    assert world.run_record(run).state == "cancelled"


def test_an_end_and_a_cancel_in_one_batch_are_both_seen(world: World) -> None:
    run = world.start_run(wf(node("a"), node("b", after=["a"])))
    [given] = world.lease(world.register())
    command = world.settlement(given)
    world.batch(command, CancelRun(id=run, reason="", keeps=False))
    assert world.run_record(run).state == "cancelled"


def test_only_an_open_run_can_be_cancelled_and_only_once(world: World) -> None:
    run = world.start_run(wf(node("a")))
    [given] = world.lease(world.register())
    world.cancel_run(run)
    with pytest.raises(Conflict, match="the run is stopping"):
        world.cancel_run(run)
    world.settle(given)
    with pytest.raises(AlreadyEnded, match="cancelled"):
        world.cancel_run(run)
    with pytest.raises(NotFound):
        world.cancel_run("workflow_" + "0" * 32)
    with pytest.raises(InvalidInput, match="a bearer token"):
        world.cancel_run(run, "Bearer abcdefghijklmnopqrstuvwxyz")


def test_a_blocked_run_can_be_cancelled(world: World) -> None:
    run = world.start_run(wf(node("a", input="${input.x}")), {})
    assert world.run_record(run).state == "blocked"
    world.restart()
    world.cancel_run(run)
    assert world.run_record(run).state == "cancelled"


# ----------------------------------------------------------------------------------------------------------------------
# Fan-out


def test_a_fan_out_runs_for_each_item_and_its_output_keeps_their_order(world: World) -> None:
    flow = wf(
        node("each", for_each="${input}", input={"of": "${item.n}", "at": "${index}"}),
        node("sum", input="${each.output}"),
        output="${sum.output}",
    )
    run = world.start_run(flow, [{"n": 5}, {"n": 6}, {"n": 7}])
    session = world.register()
    given = world.lease(session, 3)
    for one in reversed(given):
        world.settle(one, output=one.number)
    done = work_off(world, session, lambda work: work.input)
    assert done == [Work("sum", None, [one.number for one in given], False)]
    each = world.run_record(run).nodes[0]
    assert (each.items, each.items_ended, len(each.jobs), each.state) == (3, 3, 3, "succeeded")
    assert world.record(each.jobs[2]).item == 2
    assert world.run_record(run).jobs == 4


def test_a_fan_out_over_nothing_has_an_empty_output(world: World) -> None:
    flow = wf(node("each", for_each="${input}"), node("then", input="${each.output}"))
    run = world.start_run(flow, [])
    done = work_off(world, world.register())
    assert done == [Work("then", None, [], False)]
    assert world.run_record(run).state == "succeeded"


def test_a_fan_out_over_no_list_blocks(world: World) -> None:
    run = world.start_run(wf(node("each", for_each="${input.list}")), {"list": {"a": 1}})
    assert world.run_record(run).nodes[0].reason == "nodes/0/for_each: it is an object, and must be a list"


def test_an_item_that_cannot_be_filled_in_blocks_the_fan_out_before_it_begins(world: World) -> None:
    run = world.start_run(wf(node("each", for_each="${input}", input="${item.n}")), [{"n": 1}, {}])
    assert world.run_record(run).state == "blocked"
    assert "job.submitted" not in world.types()


def test_a_fan_out_fails_with_one_item_and_only_once_all_have_ended(world: World) -> None:
    flow = wf(node("each", for_each="${input}"), node("then", after=["each"]))
    run = world.start_run(flow, [1, 2, 3])
    done = work_off(world, world.register(), lambda work: FAILED if work.item == 0 else 1)
    assert [work.item for work in done] == [0, 1, 2]
    assert world.node_states(run) == {"each": "failed", "then": "failed"}


def test_as_many_items_run_at_once_as_the_node_allows(world: World) -> None:
    run = world.start_run(wf(node("each", for_each="${input}", at_once_max=2)), list(range(5)))
    session = world.register()
    seen = []
    while world.run_record(run).state == "running":
        counts = world.store.counts()
        seen.append(counts["ready"] + counts["lease"])
        world.check()
        work_off(world, session, most=1)
    assert seen == [2, 2, 2, 2, 1]


def test_a_wide_fan_out_is_submitted_in_several_batches_and_survives_a_crash_between_them() -> None:
    world = World(limits=Limits(batch_jobs_max=10))
    command = world.start_command(
        wf(node("each", for_each="${input}"), node("then", after=["each"])), list(range(35))
    )
    run = world.ask(command)[0]
    assert world.store.counts()["ready"] == 35
    assert world.types().count("workflow.advanced") == 1
    world.check()
    work_off(world, world.register())
    assert world.run_record(run).state == "succeeded"
    world.check()


def test_a_crash_between_the_batches_of_a_fan_out_loses_no_item() -> None:
    world = World(limits=Limits(queue_jobs_max=7))
    run = world.start_run(wf(node("each", for_each="${input}")), list(range(35)))
    assert world.store.counts()["ready"] == 7
    world.crash()
    world.check()
    done = work_off(world, world.register())
    assert [work.item for work in done] == list(range(35))
    assert world.run_record(run).state == "succeeded"
    world.check()


# ----------------------------------------------------------------------------------------------------------------------
# Budgets


def test_a_run_that_would_have_more_jobs_than_its_budget_ends_with_a_state_of_its_own(world: World) -> None:
    flow = wf(node("a"), node("slow"), node("each", for_each="${a.output}"), budget={"jobs_max": 4})
    run = world.start_run(flow)
    session = world.register()
    given = world.lease(session, 2)
    world.settle(given[0], output=[1, 2, 3])
    world.check()
    assert world.run_record(run).state == "stopping"
    world.settle(given[1], "cancelled")
    record = world.run_record(run)
    assert (record.state, record.jobs, record.nodes[2].state) == ("out_of_jobs", 2, "cancelled")


def test_a_run_that_needs_too_many_jobs_at_once_ends_as_it_begins(world: World) -> None:
    run = world.start_run(wf(node("each", for_each="${input}"), budget={"jobs_max": 2}), [1, 2, 3])
    assert world.run_record(run).state == "out_of_jobs"
    assert "job.submitted" not in world.types()


def test_a_run_may_use_its_budget_of_jobs_to_the_last(world: World) -> None:
    flow = wf(node("a"), node("each", for_each="${a.output}"), budget={"jobs_max": 4})
    run = world.start_run(flow)
    work_off(world, world.register(), lambda work: [1, 2, 3])
    assert (world.run_record(run).state, world.run_record(run).jobs) == ("succeeded", 4)


def test_a_run_whose_time_is_over_is_stopped_then_and_not_before(world: World) -> None:
    run = world.start_run(wf(node("a"), budget={"wall_seconds_max": 60}))
    world.tick(59)
    assert world.run_record(run).state == "running"
    assert world.decider.next_wake_us() == 1_000_000
    world.tick(1)
    assert world.run_record(run).state == "out_of_time"


def test_the_time_of_a_run_goes_on_while_nobody_is_there(world: World) -> None:
    run = world.start_run(wf(node("a", input="${input.x}"), budget={"wall_seconds_max": 60}), {})
    world.clock.advance(100_000_000)
    world.restart()
    assert world.run_record(run).state == "out_of_time"


# ----------------------------------------------------------------------------------------------------------------------
# Compensation


def test_a_failed_run_undoes_what_succeeded_the_last_one_first(world: World) -> None:
    flow = wf(
        undoing("hotel"),
        undoing("flight", after=["hotel"]),
        node("mail", after=["flight"]),
        undoing("pay", after=["mail"]),
    )
    run = world.start_run(flow)
    done = work_off(world, world.register(), lambda work: FAILED if work.node == "pay" else f"no {work.node}")
    assert done[4:] == [Work("flight", None, "no flight", True), Work("hotel", None, "no hotel", True)]
    record = world.run_record(run)
    assert record.state == "failed"
    assert [one.state for one in record.nodes] == ["compensated", "compensated", "succeeded", "failed"]
    assert record.nodes[0].undone_by is not None
    assert record.jobs == 4


def test_compensations_run_one_at_a_time_across_restarts(world: World) -> None:
    run = world.start_run(wf(undoing("a"), undoing("b"), undoing("c"), node("d", after=["a", "b", "c"])))
    session = world.register()
    work_off(world, session, lambda work: FAILED if work.node == "d" else 1, most=4)
    undone: list[Work] = []
    for _ in range(3):
        assert world.run_record(run).state == "compensating"
        assert world.store.counts()["ready"] == 1
        world.restart()
        world.check()
        undone += work_off(world, world.register(), most=1)
    assert [work.node for work in undone] == ["c", "b", "a"]
    assert world.run_record(run).state == "failed"


def test_a_cancelled_run_is_compensated_unless_what_it_has_done_is_kept(world: World) -> None:
    flow = wf(undoing("a"), node("b", after=["a"]))
    session = world.register()
    undone, kept = world.start_run(flow), world.start_run(flow)
    work_off(world, session, most=2)
    world.cancel_run(undone)
    world.cancel_run(kept, keeps=True)
    assert [work.undoes for work in work_off(world, session)] == [True]
    assert (world.run_record(undone).state, world.node_states(undone)["a"]) == ("cancelled", "compensated")
    assert (world.run_record(kept).state, world.node_states(kept)["a"]) == ("cancelled", "succeeded")


def test_a_compensation_that_fails_stops_the_run_for_a_person(world: World) -> None:
    run = world.start_run(wf(undoing("a"), undoing("b", after=["a"]), node("c", after=["b"])))
    done = work_off(world, world.register(), lambda work: FAILED if work.undoes or work.node == "c" else 1)
    record = world.run_record(run)
    assert [work.node for work in done] == ["a", "b", "c", "b"]
    assert record.state == "compensation_failed"
    assert record.reason == (
        "Compensates 2 nodes first, then ends as failed: c failed, and no other node takes care of it."
        " The compensation of b has failed. A person must see to it."
    )
    assert [one.state for one in record.nodes] == ["succeeded", "compensating", "failed"]


def test_a_compensation_whose_values_lead_to_nothing_stops_the_run_for_a_person(world: World) -> None:
    flow = wf(node("a", compensate={"kind": "other", "input": "${a.output.id}"}), node("b", after=["a"]))
    run = world.start_run(flow)
    work_off(world, world.register(), lambda work: FAILED if work.node == "b" else {})
    record = world.run_record(run)
    assert record.state == "compensation_failed"
    assert "${a.output.id}" in str(record.reason)


def test_a_run_out_of_its_budget_is_compensated_beyond_it(world: World) -> None:
    run = world.start_run(wf(undoing("a"), node("b", for_each="${a.output}"), budget={"jobs_max": 2}))
    done = work_off(world, world.register(), lambda work: [1, 2, 3])
    assert [(work.node, work.undoes) for work in done] == [("a", False), ("a", True)]
    assert world.run_record(run).state == "out_of_jobs"
