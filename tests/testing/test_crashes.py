"""Workers that die at chosen points, and engines that are killed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sheratan import testing
from sheratan.contracts.errors import Disconnected, InvalidInput
from tests.testing import sample_kinds as kinds

CREWS = 3
"""A worker has one for each way of running, each with a session."""


@testing.in_world([kinds])
async def test_a_step_whose_worker_dies_before_it_is_recorded_runs_again(world: testing.World) -> None:
    world.crash_at("charge", when="before", times=2)
    handle = await world.client.submit(kinds.order, "one")
    assert await handle.result() == "invoice for charge of one"
    assert world.runs_of("charge") == 3
    assert world.runs_of("invoice") == 1
    assert [run.attempt for run in world.step_runs] == [1, 2, 3, 3]
    assert (await world.client.job(handle.id)).worker_losses == 2
    assert len((await world.client.status()).workers) == CREWS


@pytest.mark.parametrize(
    ("step", "when"), [("job:start", "after"), ("charge", "before"), ("charge", "after")]
)
@testing.in_world([kinds])
async def test_a_worker_that_dies_while_it_comes_on_duty_leaves_no_session(
    world: testing.World, step: str, when: testing.When
) -> None:
    world.crash_at(step, when=when, times=2 if when == "before" or step == "job:start" else 1)
    for number in range(2):
        await world.client.submit(kinds.order, f"{number}")
    await world.skip(days=31)
    assert len((await world.client.status()).workers) == CREWS


@testing.in_world([kinds])
async def test_a_step_whose_worker_dies_after_it_was_recorded_does_not(world: testing.World) -> None:
    world.crash_at("charge", when="after")
    world.crash_at("invoice", when="after", kind="order")
    handle = await world.client.submit(kinds.order, "one")
    assert await handle.result() == "invoice for charge of one"
    assert world.runs_of("charge") == world.runs_of("invoice", kind="order") == 1
    assert world.runs_of("charge", kind="another") == 0
    assert "Attempt 3 succeeded" in await world.why(handle.id)


@pytest.mark.parametrize(
    ("step", "when", "attempts"),
    [
        ("job:start", "after", 2),
        ("job:end", "before", 2),
        ("job:end", "after", 1),
        ("wait:sleep", "before", 2),
        ("wait:sleep", "after", 1),
    ],
)
@testing.in_world([kinds])
async def test_a_worker_may_die_anywhere(
    world: testing.World, step: str, when: testing.When, attempts: int
) -> None:
    kinds.EFFECTS.clear()
    world.crash_at(step, when=when)
    handle = await world.client.submit(kinds.order, "one")
    assert await handle.result() == "invoice for charge of one"
    assert (await world.client.job(handle.id)).attempt == attempts
    assert Counter(kinds.EFFECTS) == {"charged one": 1, "printed": 1}


@testing.in_world([kinds])
async def test_children_are_spawned_once_although_the_parent_dies(world: testing.World) -> None:
    world.crash_at("spawn:doubled", when="after", times=2)
    assert await world.client.run(kinds.parent, 3) == 6
    assert len(await world.jobs(kind="doubled")) == 3


def test_what_a_dead_worker_has_left_does_not_run_before_the_world_ends() -> None:
    kinds.FINALLY.clear()

    async def scenario() -> None:
        async with testing.world([kinds]) as world:
            world.crash_at("charge")
            await world.client.run(kinds.order, "one")
            assert kinds.FINALLY == ["one", "one"], "the park, and the end"
        assert kinds.FINALLY == ["one"] * 3

    testing.run(scenario)


def test_a_world_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        async with testing.world([kinds]) as world:
            world.crash_at("charge", when="after")
            handle = await world.client.submit(kinds.order, "one")
            await world.restart()
            await world.skip(days=1)
            await world.restart()
            await handle.result()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert left == []

    testing.run(scenario)


@testing.in_world([kinds])
async def test_another_kind_does_not_die(world: testing.World) -> None:
    world.crash_at("job:end", kind="nightly")
    assert await world.client.run(kinds.doubled, 1) == 2
    assert [job.worker_losses for job in await world.jobs()] == [0]
    assert await world.client.run(kinds.nightly, "today") == "today"
    assert [job.worker_losses for job in await world.jobs(kind="nightly")] == [1]


def test_a_crash_that_is_not_reached_fails_the_test() -> None:
    async def scenario() -> None:
        async with testing.world([kinds]) as world:
            world.crash_at("charge", times=2)
            world.crash_at("refund")
            await world.client.run(kinds.order, "one")

    with pytest.raises(testing.CrashNotReached, match=r"'refund'.* there were job:start, charge, "):
        testing.run(scenario)


@pytest.mark.parametrize(
    ("step", "when", "times", "field"),
    [("charge", "during", 1, "when"), ("job:start", "before", 1, "when"), ("charge", "after", 0, "times")],
)
@testing.in_world([kinds])
async def test_a_crash_that_makes_no_sense_is_refused(
    world: testing.World, step: str, when: testing.When, times: int, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.crash_at(step, when=when, times=times)
    assert refused.value.field == field


async def _read(stream: AsyncIterator[Any]) -> Any:
    return await anext(stream)


@testing.in_world([kinds])
async def test_an_engine_that_is_killed_starts_again_from_its_database(world: testing.World) -> None:
    handle = await world.client.submit(kinds.order, "one")
    waiting = asyncio.create_task(handle.result())
    watching = asyncio.create_task(_read(world.client.watch("queue:other")))
    await world.skip(days=3)
    await world.restart()
    for lost in (waiting, watching):
        with pytest.raises(Disconnected):
            await lost
    await world.restart()
    assert await handle.result() == "invoice for charge of one"
    assert world.runs_of("charge") == world.runs_of("invoice") == 1
    assert world.now.day == 31


@pytest.mark.parametrize("turns", range(0, 60, 4))
@testing.in_world([kinds])
async def test_a_restart_goes_well_whatever_is_under_way(world: testing.World, turns: int) -> None:
    world.crash_at("charge", when="after")
    handle = await world.client.submit(kinds.order, "one")
    for _ in range(turns):
        await asyncio.sleep(0)
    await world.restart()
    assert await handle.result() == "invoice for charge of one"
    assert len((await world.client.status()).workers) == CREWS
    assert world.runs_of("charge") in (1, 2)


@testing.in_world([kinds])
async def test_a_thread_that_a_dead_worker_has_left_behind_changes_nothing(world: testing.World) -> None:
    kinds.RELEASE.clear()
    handle = await world.client.submit(kinds.stuck)
    for _ in range(100):
        await asyncio.sleep(0)
    assert (await world.client.job(handle.id)).state == "running"
    await world.restart()
    kinds.RELEASE.set()
    await handle.result()
    job = await world.client.job(handle.id)
    assert (job.attempt, job.state) == (2, "succeeded")
