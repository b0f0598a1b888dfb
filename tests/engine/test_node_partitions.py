"""Nodes that say whose their jobs are: a name, or a reference that is filled in for each job."""

from __future__ import annotations

from typing import Any

import pytest

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.flow import FlowLimits, PartitionLimits
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import LimitStarts
from tests.engine.runs import FAILED, inner, node, sub, wf, work_off
from tests.engine.world import World


def partitions(world: World) -> list[str | None]:
    """The partition of each job, in the order of their submission."""
    return [entry.data.get("partition") for entry in world.entries() if entry.type == "job.submitted"]


def reason(world: World, run: str, name: str) -> str:
    """Why a node is blocked."""
    [found] = [one for one in world.run_record(run).nodes if one.name == name]
    assert found.state == "blocked"
    return found.reason or ""


def test_a_node_has_the_partition_that_it_names_or_refers_to(world: World) -> None:
    declared = wf(
        node("a", partition="acme"),
        node("b", partition="${input.customer}", after=["a"]),
        node("c", partition="c-${a.output.number}", after=["b"]),
        node("d", after=["c"]),
    )
    run = world.start_run(declared, {"customer": "ada"})
    work_off(world, world.register(), lambda _: {"number": 7})
    assert partitions(world) == ["acme", "ada", "c-7", None]
    assert world.run_record(run).state == "succeeded"


def test_each_item_has_its_own(world: World) -> None:
    declared = wf(node("each", for_each="${input}", input="${item.n}", partition="${item.who}-${index}"))
    world.start_run(declared, [{"n": 1, "who": "ada"}, {"n": 2, "who": "bob"}])
    assert partitions(world) == ["ada-0", "bob-1"]


def test_items_that_are_submitted_later_and_after_a_restart_have_theirs(world: World) -> None:
    declared = wf(node("each", for_each="${input}", partition="${item}", at_once_max=1))
    world.start_run(declared, ["ada", "bob", "eve"])
    session = world.register()
    work_off(world, session, most=1)
    world.restart()
    work_off(world, world.register())
    assert partitions(world) == ["ada", "bob", "eve"]


def test_its_jobs_take_turns_and_are_limited_as_others_are(world: World) -> None:
    limits = FlowLimits(per_partition=PartitionLimits(concurrency=1))
    world.ask(LimitStarts(subject="queue:default", limits=limits, reason=""))
    world.start_run(wf(node("each", for_each="${input}", partition="${item}")), ["ada", "ada", "bob"])
    given = world.lease(world.register(), 8)
    assert len(given) == 2
    assert {world.record(one.id).partition for one in given} == {"ada", "bob"}


@pytest.mark.parametrize(
    ("declared", "value", "said"),
    [
        ("${input.gone}", {}, "the workflow's input has no `gone`"),
        ("${input.who}", {"who": 7}, "nodes/0/partition: it is a number, and must be text"),
        ("${input.who}", {"who": None}, "it is null, and must be text"),
        ("${input.who}", {"who": ""}, "nodes/0/partition: Expected `str` of length >= 1"),
        ("${input.who}", {"who": "x" * 129}, "nodes/0/partition: Expected `str` of length <= 128"),
        (
            "${input.who}",
            {"who": "a secret"},
            "nodes/0/partition: Expected printable ASCII characters without blanks",
        ),
    ],
)
def test_what_can_be_nobodys_blocks_the_node_and_is_not_quoted(
    world: World, declared: str, value: Any, said: str
) -> None:
    run = world.start_run(wf(node("a", partition=declared)), value)
    assert said in reason(world, run, "a")
    assert "secret" not in reason(world, run, "a")
    assert partitions(world) == []


def test_one_item_that_can_be_nobodys_blocks_them_all(world: World) -> None:
    run = world.start_run(wf(node("each", for_each="${input}", partition="${item}")), ["ada", 2])
    assert "it is a number" in reason(world, run, "each")
    assert partitions(world) == []


def test_a_node_waits_for_what_its_partition_refers_to(world: World) -> None:
    world.start_run(wf(node("b", partition="${a.output}"), node("a")), None)
    work_off(world, world.register(), lambda _: "ada")
    assert partitions(world) == [None, "ada"]


def test_a_compensation_has_its_own(world: World) -> None:
    undo = {"kind": "work", "partition": "${a.output}"}
    world.start_run(wf(node("a", compensate=undo), node("b", after=["a"])), None)
    work_off(world, world.register(), lambda work: FAILED if work.node == "b" else "ada")
    assert partitions(world) == [None, None, "ada"]


def test_a_compensation_that_can_be_nobodys_stops_the_run_for_a_person(world: World) -> None:
    undo = {"kind": "work", "partition": "${a.output}"}
    run = world.start_run(wf(node("a", compensate=undo), node("b", after=["a"])), None)
    work_off(world, world.register(), lambda work: FAILED if work.node == "b" else 7)
    assert world.run_record(run).state == "compensation_failed"
    assert "nodes/0/compensate/partition: it is a number" in (world.run_record(run).reason or "")


def test_the_jobs_of_a_sub_workflow_say_it_themselves(world: World) -> None:
    below = inner("each", node("a", partition="${input}"))
    world.start_run(wf(sub("s", "each", input="${input.who}"), workflows=[below]), {"who": "ada"})
    assert partitions(world) == ["ada"]


def test_another_value_of_it_runs_the_node_anew(world: World) -> None:
    declared = wf(node("a", partition="${input.who}"), node("b"))
    run = world.start_run(declared, {"who": "ada"})
    work_off(world, world.register())
    again = world.fork_run(run, input={"who": "bob"})
    assert [work.node for work in work_off(world, world.register())] == ["a"]
    assert world.run_record(again).state == "succeeded"
    assert partitions(world) == ["ada", None, "bob"]


def test_with_too_many_partitions_its_jobs_wait_and_are_not_refused() -> None:
    world = World(limits=Limits(partitions_queued_max=2))
    run = world.start_run(wf(node("each", for_each="${input}", partition="${item}")), ["a", "b", "c", "a"])
    assert partitions(world) == ["a", "b"]
    work_off(world, world.register())
    assert partitions(world) == ["a", "b", "c", "a"]
    assert world.run_record(run).state == "succeeded"
    world.check()


def test_with_too_many_queues_and_kinds_its_jobs_wait_and_are_not_refused() -> None:
    world = World(limits=Limits(queues_max=1))
    world.submit()
    run = world.start_run(wf(node("a", queue="another"), node("b")), None)
    submitted = [entry.data["queue"] for entry in world.entries() if entry.type == "job.submitted"]
    assert submitted == ["default", "default"]
    assert {one.name: one.state for one in world.run_record(run).nodes}["a"] != "blocked"
    assert world.run_record(run).state == "running"
    world.check()


def test_what_is_no_partition_is_refused_by_its_field(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.start_run(wf(node("a", partition="with blanks")), None)
    assert refused.value.field == "nodes/0/partition"
