"""Virtual time: it goes on by itself when everybody waits, and never otherwise."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from sheratan import testing
from sheratan.contracts.errors import InvalidInput, JobFailed, TimedOut
from tests.testing import sample_kinds as kinds

START = datetime(2030, 1, 1, tzinfo=UTC)


@testing.in_world([kinds])
async def test_a_handler_that_sleeps_for_a_month_ends_at_once(world: testing.World) -> None:
    began = time.monotonic()
    handle = await world.client.submit(kinds.order, "one")
    assert await handle.result() == "invoice for charge of one"
    assert world.now == START + timedelta(days=30)
    assert time.monotonic() - began < 10


@testing.in_world([kinds])
async def test_the_pauses_between_attempts_are_skipped(world: testing.World) -> None:
    assert await world.client.run(kinds.stubborn) == 4
    assert timedelta(minutes=1) < world.now - START < timedelta(hours=1)


@testing.in_world([kinds])
async def test_a_time_limit_ends_a_handler_that_hangs(world: testing.World) -> None:
    with pytest.raises(JobFailed, match="limit"):
        await world.client.run(kinds.hangs)
    assert timedelta(hours=1) <= world.now - START < timedelta(hours=1, seconds=1)


@testing.in_world([kinds])
async def test_a_signal_that_does_not_come_and_one_that_does(world: testing.World) -> None:
    assert await world.client.run(kinds.reminded) == "reminded"
    assert world.now == START + timedelta(days=14)
    handle = await world.client.submit(kinds.reminded)
    await world.skip(days=13)
    await world.client.signal(handle.id, "paid", "by Ada")
    assert await handle.result() == "by Ada"
    assert world.now == START + timedelta(days=27)


@testing.in_world([kinds])
async def test_an_approval_expires_or_is_given_by_somebody_else(world: testing.World) -> None:
    late = await world.client.submit(kinds.asks)
    with pytest.raises(JobFailed, match="ApprovalExpired"):
        await late.result()
    assert world.now == START + timedelta(days=3)
    handle = await world.client.submit(kinds.asks)
    await world.settle()
    anna = world.client_of("anna")
    [request] = [one for one in (await anna.approvals()).items if one.job == handle.id]
    await anna.approve(request.id, request.digest)
    assert await handle.result() == "local:anna"


@testing.in_world([kinds], start="2030-03-01T00:00:00+01:00")
async def test_a_schedule_fires_every_night_of_a_month_that_is_skipped(world: testing.World) -> None:
    kinds.EFFECTS.clear()
    await world.client.create_schedule(
        "nightly", kinds.nightly, "today", cron="30 2 * * *", zone="Europe/Berlin"
    )
    await world.at("2030-04-01T00:00:00+02:00")
    jobs = await world.jobs(kind="nightly", state="succeeded")
    assert len(jobs) == len(kinds.EFFECTS) == 31
    fired = [datetime.fromtimestamp(job.created_us / 1_000_000, UTC) for job in jobs]
    # The 31st is the day on which there is no half past two in Berlin.
    assert [f"{one:%d %H:%M}" for one in fired][:1] == ["01 01:30"]
    assert [f"{one:%d %H:%M}" for one in fired][-2:] == ["30 01:30", "31 01:00"]


@testing.in_world([kinds], real_seconds_max=30)
async def test_years_of_a_schedule_are_skipped_without_a_look_at_every_minute(world: testing.World) -> None:
    await world.client.create_schedule("yearly", kinds.nightly, "today", cron="0 0 1 1 *")
    await world.skip(days=50 * 366)
    assert len(await world.jobs(kind="nightly", state="succeeded")) == 50


@testing.in_world()
async def test_time_stands_still_while_the_test_does_something(world: testing.World) -> None:
    for _ in range(1_000):
        await asyncio.sleep(0)
    await world.client.status()
    assert world.now == START
    await world.skip(days=1, hours=2, minutes=3, seconds=4.5)
    assert world.now == datetime(2030, 1, 2, 2, 3, 4, 500_000, tzinfo=UTC)
    await world.at(datetime(2040, 1, 1, tzinfo=UTC))
    assert world.now.year == 2040
    assert world.now_us == 2_208_988_800_000_000


@testing.in_world([kinds])
async def test_a_thread_holds_time_up(world: testing.World) -> None:
    assert await world.client.run(kinds.doubled, 4) == 8
    assert world.now == START


@testing.in_world([kinds])
async def test_a_process_of_its_own_works_as_ever(world: testing.World) -> None:
    assert await world.client.run(kinds.squared, 4) == 16
    assert world.now == START


@testing.in_world([kinds])
async def test_waiting_for_a_while_only_takes_virtual_time(world: testing.World) -> None:
    handle = await world.client.submit(kinds.waits_for_ever)
    with pytest.raises(TimedOut):
        await handle.result(timeout_seconds=1_000)
    assert world.now == START + timedelta(seconds=1_000)


@pytest.mark.parametrize("instant", ["2029-12-31T00:00:00Z", "2030-02-01T00:00:00", "soon"])
@testing.in_world()
async def test_an_instant_that_makes_no_sense_is_refused(world: testing.World, instant: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await world.at(instant)
    assert refused.value.field == "instant"
    with pytest.raises(InvalidInput) as refused:
        await world.skip(days=-1)
    assert refused.value.field == "skip"
    assert world.now == START
