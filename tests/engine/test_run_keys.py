"""Idempotency keys of runs: one request, one run, whoever asks and however often."""

from __future__ import annotations

import pytest

from sheratan.contracts.errors import IdempotencyConflict, InvalidInput, TooLarge
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import StartDraining
from tests.engine.runs import node, wf, work_off
from tests.engine.world import World

FLOW = wf(node("a"))


def test_the_same_key_and_request_are_the_same_run(world: World) -> None:
    first = world.ask(world.start_command(FLOW, 1, "k"))
    again = world.ask(world.start_command(FLOW, 1, "k"))
    assert (first[1], again) == (False, (first[0], True))
    assert world.types().count("workflow.started") == 1


def test_two_callers_in_one_batch_get_one_run(world: World) -> None:
    command = world.start_command(FLOW, 1, "k")
    first, again = (answer.value for answer in world.batch(command, command))
    assert (first[1], again) == (False, (first[0], True))


def test_a_key_outlives_its_run_and_its_engine(world: World) -> None:
    run = world.start_run(FLOW, 1, "k")
    world.restart()
    assert world.start_run(FLOW, 1, "k") == run
    work_off(world, world.register())
    assert world.run_record(run).state == "succeeded"
    world.crash()
    assert world.ask(world.start_command(FLOW, 1, "k")) == (run, True)


def test_a_key_that_is_lost_with_a_failed_commit_is_free_again(world: World) -> None:
    world.crash(losing=[world.start_command(FLOW, 1, "k")])
    assert world.ask(world.start_command(FLOW, 2, "k"))[1] is False


@pytest.mark.parametrize(
    ("flow", "value", "field"),
    [(wf(node("b")), 1, "workflow"), (FLOW, 2, "input"), (wf(node("b")), 2, "workflow")],
)
def test_another_request_under_the_same_key_is_refused_by_its_field(
    world: World, flow: object, value: int, field: str
) -> None:
    run = world.start_run(FLOW, 1, "k")
    with pytest.raises(IdempotencyConflict) as refused:
        world.start_run(flow, value, "k")  # type: ignore[arg-type]
    assert refused.value.field == field
    assert refused.value.extra["run"] == run


def test_other_defaults_of_a_kind_make_no_other_request(world: World) -> None:
    run = world.start_run(FLOW, 1, "k")
    world.registry.declare(KindDescription(name="work", attempts_max=7), None)
    assert world.start_run(FLOW, 1, "k") == run


def test_runs_without_a_key_are_runs_of_their_own(world: World) -> None:
    assert world.start_run(FLOW, 1) != world.start_run(FLOW, 1)


def test_keys_of_runs_and_of_jobs_are_apart(world: World) -> None:
    job = world.submit(key="k")
    assert world.start_run(FLOW, 1, "k").startswith("workflow_")
    assert world.submit(key="k") == job


def test_a_run_that_was_there_is_found_where_no_new_one_may_begin() -> None:
    world = World(limits=Limits(workflow_runs_max=1))
    run = world.start_run(FLOW, 1, "k")
    assert world.start_run(FLOW, 1, "k") == run
    world.ask(StartDraining(reason="a test"))
    assert world.start_run(FLOW, 1, "k") == run
    world.check()


def test_keys_that_nobody_may_use_are_refused(world: World) -> None:
    with pytest.raises(TooLarge) as refused:
        world.start_run(FLOW, 1, "k" * 1_000)
    assert refused.value.field == "key"
    with pytest.raises(InvalidInput, match="schedules"):
        world.start_run(FLOW, 1, "schedule:x")
