"""Debounce and throttle through the client."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import sheratan
from sheratan import Context, Debounce, Throttle, job
from sheratan.contracts.errors import InvalidInput, JobFailed, TimedOut
from sheratan.contracts.jobs import Submission

SECONDS_MAX = 60
SOON = Debounce(key="page-7", window_seconds=0.2)
LATE = Debounce(key="page-7", window_seconds=1_000)


@job
async def echo(value: int) -> int:
    """Give back what was given."""
    return value


@job
async def parent(ctx: Context) -> str:
    """Submit a job through a gate."""
    return await ctx.submit_gated(Submission(kind="echo", input=5), SOON)


def test_whoever_waits_for_a_superseded_job_gets_the_output_of_the_last_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [echo]) as client:
            # Only the last one's window is over soon: the others wait however long it takes to submit it.
            gates = (LATE, LATE, SOON)
            handles = [await client.submit(echo, value, gate=gate) for value, gate in enumerate(gates)]
            assert await asyncio.gather(*(handle.result() for handle in handles)) == [2, 2, 2]
            assert (await client.job(handles[0].id)).superseded_by == handles[1].id
            assert await handles[0].result(timeout_seconds=5) == 2

    asyncio.run(scenario())


def test_one_limit_on_the_wait_holds_for_all_of_them(tmp_path: Path) -> None:
    late = Debounce(key="k", window_seconds=1_000)

    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [echo]) as client:
            handle = await client.submit("echo", 1, gate=late)
            last = await client.submit("echo", 2, gate=late)
            with pytest.raises(TimedOut):
                await handle.result(timeout_seconds=0.1)
            await last.cancel()
            with pytest.raises(JobFailed) as failed:
                await handle.result()
            assert failed.value.extra["job"] == last.id

    asyncio.run(scenario())


def test_a_dropped_submission_is_answered_with_the_job_that_was_made(tmp_path: Path) -> None:
    gate = Throttle(key="k", period_seconds=1_000)

    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [echo]) as client:
            first = await client.submit(echo, 1, gate=gate)
            second = await client.submit(echo, 2, gate=gate)
            assert (first.throttled, second.throttled, second.id) == (False, True, first.id)
            assert await second.result() == 1

    asyncio.run(scenario())


def test_a_handler_submits_through_a_gate(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [echo, parent]) as client:
            submitted = await client.run(parent)
            assert (await client.wait(submitted)).output == 5

    asyncio.run(scenario())


def test_a_gate_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [echo]) as client:
            with pytest.raises(InvalidInput) as refused:
                await client.submit(echo, 1, gate=Throttle(key="", period_seconds=1))
            assert refused.value.field == "gate.key"

    asyncio.run(scenario())
