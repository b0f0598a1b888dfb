"""Budgets of runs: nothing is paid for that could go over one, and the run, or the job that it does not await, ends."""

from __future__ import annotations

from typing import Any

import pytest

from sheratan.contracts.errors import NotFound
from sheratan.contracts.jobs import Submission
from sheratan.contracts.worker import Assignment
from sheratan.engine.explain import story
from tests.engine.booking import opened
from tests.engine.pricing import price, priced
from tests.engine.runs import inner, node, sub, wf
from tests.engine.test_billing import reports
from tests.engine.world import World


def within(amount: int, *nodes: dict[str, Any], **fields: Any) -> Any:
    """A workflow whose runs may spend so many credits."""
    return wf(*nodes, budget={"spend": {"credits": amount}}, **fields)


def chain(*names: str) -> list[dict[str, Any]]:
    """Nodes that run one after the other."""
    return [
        node(name, after=[before] if before else [])
        for before, name in zip((None, *names), names, strict=False)
    ]


def lease(world: World, slots: int = 10) -> list[Assignment]:
    """What a new worker gets, if anything is left for it."""
    answer = world.ask_lease(world.register(slots=slots), slots)
    return answer.value if answer.given else []


def used(world: World, run: str) -> tuple[int, int, int]:
    """The budget of a run, and what is reserved and charged of it; and all that is wrong is told."""
    world.check()
    [one] = world.run_record(run).spend
    return one.amount, one.reserved, one.charged


def test_a_run_stops_before_an_attempt_that_could_go_over_its_budget(world: World) -> None:
    priced(world, 50)
    run = world.start_run(within(149, *chain("a", "b", "c")))
    for charged in (0, 50):
        [given] = lease(world)
        assert used(world, run) == (149, 50, charged)
        world.settle(given)
    assert lease(world) == []
    assert world.run_record(run).state == "out_of_funds"
    assert used(world, run) == (149, 0, 100)
    assert world.node_states(run) == {"a": "succeeded", "b": "succeeded", "c": "cancelled"}
    lines = story(world.store, run).lines
    assert "Its jobs may cost 149 minor units of credits." in lines[0].text
    told = [line.text for line in lines if line.type == "workflow.stopping"]
    assert "may cost 50 credits; of its budget of 149 credits are 100 charged and 0 reserved" in told[0]


def test_what_an_attempt_does_not_cost_is_left_for_others(world: World) -> None:
    priced(world, 50, metered=True)
    run = world.start_run(within(100, *chain("a", "b", "c")))
    for charge in (20, 30, 1):
        [given] = lease(world)
        reports(world, given, "succeeded", charge)
    assert world.run_record(run).state == "succeeded"
    assert used(world, run) == (100, 0, 51)


def test_no_more_jobs_come_in_than_can_be_paid_for(world: World) -> None:
    priced(world, 50, metered=True)
    run = world.start_run(within(120, node("a", for_each="${input}")), list(range(5)))
    first = lease(world)
    assert len(first) == 2
    assert world.store.counts()["ready"] == 0
    reports(world, first[0], "succeeded", 10)
    [third] = lease(world)
    assert used(world, run) == (120, 100, 10)
    reports(world, first[1], "succeeded", 10)
    reports(world, third, "succeeded", 0)
    for _ in range(2):
        [given] = lease(world, 1)
        reports(world, given, "succeeded", 10)
    assert world.run_record(run).state == "succeeded"
    assert used(world, run) == (120, 0, 40)


def test_what_an_attempt_has_just_cost_counts_for_the_next_job_to_come_in(world: World) -> None:
    priced(world, 50, metered=True)
    run = world.start_run(within(105, node("a", for_each="${input}")), [1, 2, 3])
    first, second = lease(world)
    reports(world, first, "succeeded", 10)
    # 95 are left, and the second may cost 50.
    assert world.store.counts()["ready"] == 0
    assert lease(world) == []
    reports(world, second, "succeeded", 10)
    assert world.run_record(run).state == "running"
    assert used(world, run)[2] == 20


def test_a_run_without_enough_for_its_first_job_stops(world: World) -> None:
    priced(world, 50)
    run = world.start_run(within(49, node("a")))
    other = world.submit()
    assert [one.id for one in lease(world)] == [other]
    assert world.run_record(run).state == "out_of_funds"
    assert used(world, run) == (49, 0, 0)


def test_jobs_that_start_together_count_together(world: World) -> None:
    priced(world, 10)
    run = world.start_run(within(25, node("a", for_each="${input}")), [1, 2])
    # Both came in while they cost 10; now only one of them fits at a time.
    price(world, 13)
    [given] = lease(world)
    assert used(world, run) == (25, 13, 0)
    assert lease(world) == []
    assert world.run_record(run).state == "stopping"
    world.settle(given, "cancelled")
    assert world.run_record(run).state == "out_of_funds"


def test_a_price_that_has_risen_stops_the_run(world: World) -> None:
    priced(world, 10)
    run = world.start_run(within(20, *chain("a", "b")))
    [given] = lease(world)
    world.settle(given)
    price(world, 11)
    session = world.register()
    waiting = world.ask_lease(session, 1)
    assert world.run_record(run).state == "out_of_funds"
    assert not waiting.given
    world.check()


def test_jobs_of_runs_below_spend_for_the_runs_above(world: World) -> None:
    priced(world, 50)
    below = inner("below", node("x"), budget={"spend": {"credits": 500}})
    run = world.start_run(within(99, sub("s", "below"), sub("t", "below", after=["s"]), workflows=[below]))
    [given] = lease(world)
    assert used(world, run) == (99, 50, 0)
    world.settle(given)
    assert lease(world) == []
    assert world.run_record(run).state == "out_of_funds"
    [first, second] = [one.runs[0] for one in world.run_record(run).nodes]
    assert used(world, first) == (500, 0, 50)
    assert world.run_record(second).state == "cancelled"


def test_compensations_spend_what_they_must(world: World) -> None:
    priced(world, 50)
    undone = node("a", compensate={"kind": "work", "input": 1})
    run = world.start_run(within(50, undone, node("b", after=["a"])))
    [given] = lease(world)
    world.settle(given)
    [undo] = lease(world)
    assert world.run_record(run).state == "compensating"
    world.settle(undo)
    assert world.run_record(run).state == "out_of_funds"
    assert used(world, run) == (50, 0, 50)


def test_a_job_that_a_job_of_the_run_submits_fails_alone(world: World) -> None:
    priced(world, 50)
    run = world.start_run(within(99, node("a", kind="other")))
    [given] = lease(world)
    children = [world.spawn(given, step, Submission(kind="work", input=step))[0] for step in (1, 2)]
    [child] = lease(world)
    assert child.id == children[0]
    assert used(world, run) == (99, 50, 0)
    assert lease(world) == []
    assert world.record(children[1]).state == "failed"
    record = world.last("job.failed").decision
    assert record is not None
    assert record["rule"] == "workflow.budget@1"
    assert "Not started: an attempt at" in record["because"]
    assert world.run_record(run).state == "running"
    world.settle(given)
    assert world.run_record(run).state == "succeeded"
    # It goes on to spend for the run that has ended.
    world.settle(child)
    assert used(world, run) == (99, 0, 50)


def test_a_child_of_a_run_that_has_ended_is_bounded_still(world: World) -> None:
    priced(world, 50)
    run = world.start_run(within(10, node("a", kind="other")))
    [given] = lease(world)
    [child] = world.spawn(given, 1, Submission(kind="work", input=1))
    world.settle(given)
    assert world.run_record(run).state == "succeeded"
    assert lease(world) == []
    assert world.record(child).state == "failed"
    assert used(world, run) == (10, 0, 0)


def test_a_budget_in_a_unit_that_nobody_has_is_refused(world: World) -> None:
    opened(world, "tenant:default")
    below = inner("below", node("x"), budget={"spend": {"tokens": 5}})
    with pytest.raises(NotFound, match="there is no account in tokens") as refused:
        world.start_run(within(10, sub("s", "below"), workflows=[below]))
    assert refused.value.field == "budget/spend"
    ended = world.start_run(wf(node("a")))
    world.cancel_run(ended)
    with pytest.raises(NotFound):
        world.fork_run(ended, workflow=wf(node("a"), budget={"spend": {"tokens": 5}}))


def test_a_restart_forgets_nothing(world: World) -> None:
    priced(world, 50)
    run = world.start_run(within(149, *chain("a", "b", "c")))
    [given] = lease(world)
    world.settle(given)
    world.crash()
    [given] = lease(world)
    assert used(world, run) == (149, 50, 50)
    world.crash()
    # What was lost with its worker costs nothing, and is tried again.
    [given] = lease(world)
    world.settle(given)
    assert lease(world) == []
    assert world.run_record(run).state == "out_of_funds"


def test_without_a_budget_nothing_is_told_or_kept(world: World) -> None:
    priced(world, 50)
    run = world.start_run(wf(node("a")))
    [given] = lease(world)
    world.settle(given)
    assert world.run_record(run).spend == []
    assert not world.store.run_spenders([given.number])
    assert all("spend" not in entry.data for entry in world.entries())


def test_partitions_are_bounded_as_well(world: World) -> None:
    priced(world, 50)
    run = world.start_run(within(99, node("a", partition="p"), node("b", partition="q", after=["a"])))
    [given] = lease(world)
    world.settle(given)
    assert lease(world) == []
    assert world.run_record(run).state == "out_of_funds"
    world.check()
