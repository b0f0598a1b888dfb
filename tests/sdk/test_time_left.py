"""How much time an attempt has left: as its handler is told, and as its guarded calls keep it."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import Any

import pytest

from sheratan import Client, Context, Worker, job, testing
from sheratan.ambient.clock import SystemClock, VirtualClock
from sheratan.contracts.errors import JobFailed
from sheratan.guards.time_left import TimeLeft
from sheratan.sdk.kind import Kind
from sheratan.settings import Settings
from sheratan.wiring.server import Server
from tests.guards.guarding import passing
from tests.sdk import sample_kinds as kinds
from tests.sdk.test_steps import SECONDS_MAX

SECOND = 1_000_000
CALLS: list[dict[str, int]] = []


@job(attempts_max=1, run_timeout_seconds=50)
async def passes(ctx: Context) -> list[float]:
    found = [ctx.seconds_left]
    await passing(20)
    return [*found, ctx.seconds_left]


@job(attempts_max=1, run_timeout_seconds=50)
async def sleeps(ctx: Context) -> float:
    await passing(20)
    await ctx.sleep(500)
    return ctx.seconds_left


@job(attempts_max=1, run_timeout_seconds=50)
async def in_a_step(ctx: Context) -> Any:
    await passing(20)

    def asks() -> float:
        return ctx.seconds_left

    return await ctx.step("asks", asks)


@job(attempts_max=1, run_timeout_seconds=3)
async def hangs(ctx: Context) -> None:
    try:
        async with ctx.guard("stripe") as call:
            assert call.timeout_seconds == ctx.seconds_left == 3.0
            await asyncio.Event().wait()
    finally:
        assert ctx._guards is not None
        CALLS.append(ctx._guards.records[0].calls)


@job(attempts_max=1, run_timeout_seconds=3)
def hands_it_on(ctx: Context) -> float:
    with ctx.guard("stripe") as call:
        return call.timeout_seconds


WAYS = [kinds.time_left, kinds.time_left_in_a_thread, kinds.time_left_in_a_process]
ALL = [*WAYS, passes, sleeps, in_a_step, hangs, hands_it_on]


@pytest.mark.parametrize("kind", WAYS)
@testing.in_world(ALL)
async def test_an_attempt_has_its_run_timeout_whichever_way_it_is_run(
    world: testing.World, kind: Kind[Any, Any]
) -> None:
    await world.skip(seconds=7)
    began_us = world.now_us
    assert await world.client.run(kind) == [50.0, began_us + 50 * SECOND]


@pytest.mark.parametrize("kind", WAYS)
@testing.in_world(ALL)
async def test_an_attempt_has_no_more_time_than_its_job_whichever_way_it_is_run(
    world: testing.World, kind: Kind[Any, Any]
) -> None:
    began_us = world.now_us
    assert await world.client.run(kind, deadline_seconds=20) == [20.0, began_us + 20 * SECOND]
    assert await world.client.run(kind, deadline_seconds=200) == [50.0, world.now_us + 50 * SECOND]


@testing.in_world(ALL)
async def test_a_job_that_has_waited_has_what_is_left_until_its_deadline(world: testing.World) -> None:
    assert await world.client.run(sleeps, deadline_seconds=545) == 5.0
    with pytest.raises(JobFailed, match="DeadlineExceeded"):
        await world.client.run(sleeps, deadline_seconds=519)


@testing.in_world(ALL)
async def test_what_has_passed_is_not_left(world: testing.World) -> None:
    assert await world.client.run(passes) == [50.0, 30.0]
    assert await world.client.run(in_a_step) == 30.0


@testing.in_world(ALL)
async def test_a_job_that_has_waited_has_all_of_its_time_again(world: testing.World) -> None:
    assert await world.client.run(sleeps) == 30.0


@testing.in_world(ALL)
async def test_a_guarded_call_takes_no_longer_than_its_attempt_has_left(world: testing.World) -> None:
    began_us = world.now_us
    with pytest.raises(JobFailed):
        await world.client.run(hangs)
    assert world.now_us == began_us + 3 * SECOND
    assert (CALLS[-1]["abandoned"], CALLS[-1]["failed"]) == (1, 0)
    assert await world.client.run(hands_it_on) == 3.0


def test_time_that_is_over_is_nothing_and_the_wall_clock_may_be_set() -> None:
    clock = VirtualClock()
    time = TimeLeft(clock, 5 * SECOND)
    clock.step(-1_000 * SECOND)
    clock.advance(4 * SECOND)
    assert (time.left_us, time.deadline_us) == (SECOND, clock.now_us() + SECOND)
    clock.advance(2 * SECOND)
    assert (time.left_us, time.deadline_us) == (0, clock.now_us())


def test_the_hosts_monotonic_time_goes_to_another_process() -> None:
    clock = SystemClock()
    sent = pickle.loads(pickle.dumps(TimeLeft(clock, clock.monotonic_us() + 50 * SECOND)))
    assert 0 < sent.left_us <= 50 * SECOND


def test_a_worker_elsewhere_tells_its_handlers_by_its_own_clock(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = Server(Settings(data=str(tmp_path)), program="a test")
        await server.start([])
        async with (
            asyncio.timeout(SECONDS_MAX),
            await Client.connect(tmp_path) as connection,
            Worker(connection, WAYS, name="elsewhere"),
            await Client.connect(tmp_path) as client,
        ):
            for kind in WAYS:
                left, deadline_us = await client.run(kind)
                assert 0 < left <= 50.0
                assert abs(deadline_us - SystemClock().now_us() - left * SECOND) < SECONDS_MAX * SECOND
        await server.stop(0.0, "the test is over")

    asyncio.run(scenario())
