"""Places of a queue that are kept for jobs that are more critical, whichever way they come."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sheratan.contracts.errors import LimitReached
from sheratan.contracts.gates import Debounce, SubmitGated
from sheratan.contracts.jobs import CRITICALITIES, Criticality, KindDescription, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import RetryJob
from sheratan.engine.prepare_gates import prepare_gated
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from tests.engine.runs import node, wf
from tests.engine.world import World

PLACES = dict(zip(CRITICALITIES, (3, 4, 5, 6), strict=True))


def job(criticality: Criticality | None) -> Submission:
    return Submission(kind="work", options=Options(criticality=criticality))


@pytest.fixture
def world() -> World:
    return World(limits=Limits(queue_jobs_max=5))


def filled(world: World, jobs: int) -> World:
    for _ in range(jobs):
        world.submit(criticality="critical")
    return world


def checked(world: World) -> None:
    world.check()
    assert verify(world.store).problems == []
    assert replay(world.store).differences == []


def test_each_criticality_leaves_a_fifth_of_a_queue_to_what_is_more_critical(world: World) -> None:
    for criticality, most in PLACES.items():
        while world.store.counts()["ready"] < most:
            world.submit(criticality=criticality)
        with pytest.raises(LimitReached, match=rf"full for {criticality} jobs.*limits\.queue_jobs_max"):
            world.submit(criticality=criticality)
        refused = world.last("job.refused").decision
        assert refused is not None
        assert refused["input"].get("criticality") == (None if criticality == "normal" else criticality)
    checked(world)


def test_a_refusal_says_which_jobs_are_still_taken_in_and_whom_to_ask(world: World) -> None:
    filled(world, 4)
    text = (
        "4 are ready, of at most 3. Still taken in: normal, critical. Whoever runs its workers can make room."
    )
    with pytest.raises(LimitReached, match=text):
        world.submit(criticality="sheddable")
    filled(world, 2)
    with pytest.raises(LimitReached, match="Nothing else is taken in either"):
        world.submit(criticality="critical")


def test_a_queue_of_fewer_than_five_places_keeps_none() -> None:
    world = filled(World(limits=Limits(queue_jobs_max=4)), 3)
    world.submit(criticality="sheddable")
    with pytest.raises(LimitReached):
        world.submit(criticality="critical")


def test_the_kind_says_how_critical_its_jobs_are(world: World) -> None:
    world.registry.declare(KindDescription(name="alarm", criticality="critical"), None)
    filled(world, 5)
    world.submit("alarm")
    assert world.store.counts()["ready"] == 6


def test_each_job_of_a_call_counts_by_itself_and_all_are_taken_in_or_none(world: World) -> None:
    filled(world, 3)
    with pytest.raises(LimitReached, match="full for sheddable jobs"):
        world.ask(world.submissions(job("critical"), job("sheddable")))
    with pytest.raises(LimitReached, match="full for normal jobs: 5 are ready"):
        world.ask(world.submissions(job("critical"), job("critical"), job(None)))
    assert len(world.ask(world.submissions(job(None), job("critical"), job("critical")))) == 3
    checked(world)


def by_gate(world: World, criticality: Criticality | None) -> None:
    request = SubmitGated(job=job(criticality), gate=Debounce(key="k", window_seconds=1.0))
    world.ask(prepare_gated(request, world.registry, world.limits))


def by_job(world: World, criticality: Criticality | None) -> None:
    [given] = world.lease(world.register())
    filled(world, 1)
    world.spawn(given, 1, job(criticality))


@pytest.mark.parametrize("submit", [by_gate, by_job])
def test_jobs_come_in_by_their_criticality_whichever_way_they_come(
    submit: Callable[[World, Criticality | None], None],
) -> None:
    with pytest.raises(LimitReached, match="full for normal jobs"):
        submit(filled(World(limits=Limits(queue_jobs_max=5)), 5), None)
    world = filled(World(limits=Limits(queue_jobs_max=5)), 5)
    submit(world, "critical")
    checked(world)


@pytest.mark.parametrize(("criticality", "fired"), [(None, 0), ("normal", 0), ("critical", 1)])
def test_a_schedule_fires_into_the_places_of_its_job(
    world: World, criticality: Criticality | None, fired: int
) -> None:
    filled(world, 5)
    assert world.schedule(every_seconds=60, submission=job(criticality)) == "created"
    world.tick(60)
    assert len(world.fired()) == fired
    assert world.schedule(every_seconds=60, submission=job(criticality)) == "unchanged"
    checked(world)


def test_a_schedule_whose_job_is_normal_is_defined_as_it_was_before_there_were_reserves(world: World) -> None:
    said = [
        world.schedule_command(every_seconds=60, submission=job(one)).definition
        for one in (None, "normal", "critical")
    ]
    assert b'"criticality":null' in said[0]
    assert said[0] == said[1]
    assert b'"criticality":"critical"' in said[2]


def test_jobs_of_nodes_wait_for_the_places_of_normal_jobs(world: World) -> None:
    world.registry.declare(KindDescription(name="work", criticality="critical"), None)
    filled(world, 5)
    run = world.start_run(wf(node("a")))
    assert world.store.counts()["ready"] == 5
    world.run(world.register())
    world.tick()
    assert [len(one.jobs) for one in world.run_record(run).nodes] == [1]
    assert "job.refused" not in world.types()
    checked(world)


def test_what_is_run_again_counts_as_normal(world: World) -> None:
    ended = world.submit(criticality="critical")
    world.cancel(ended)
    filled(world, 5)
    with pytest.raises(LimitReached, match="full for normal jobs"):
        world.ask(RetryJob(id=ended))
