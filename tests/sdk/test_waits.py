"""Handlers that wait give their slot back, and go on once what they wait for has come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import sheratan
from sheratan import Client, Context, JobHandle, Kind, StepFailed, job
from sheratan.contracts.api import ListJobs
from sheratan.contracts.errors import AlreadyEnded
from sheratan.contracts.jobs import JobRecord
from tests.sdk.journal import check_journal

SECONDS_MAX = 60

Handler = Callable[[Context], Awaitable[Any]]
Scenario = Callable[[Client, JobHandle], Awaitable[Any]]


def run(folder: Path, handler: Handler, scenario: Scenario, **options: Any) -> JobRecord:
    """Run a job of this handler beside a scenario, to its end."""
    kind: Kind[Any, Any] = job(kind="durable", backoff_base_seconds=0.0, **options)(handler)

    async def main() -> JobRecord:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(folder / "data", [kind]) as client:
            handle = await client.submit(kind)
            await scenario(client, handle)
            await client.wait(handle.id)
            return await client.job(handle.id)

    record = asyncio.run(main())
    check_journal(folder / "data")
    return record


async def nothing(client: Client, handle: JobHandle) -> None:
    """The handler is left alone."""


async def waiting(client: Client, handle: JobHandle) -> JobRecord:
    """The job, once it waits."""
    while (record := await client.job(handle.id)).state != "waiting":
        assert record.finished_us is None
        await asyncio.sleep(0)
    return record


def test_a_handler_that_sleeps_goes_on_behind_its_steps(tmp_path: Path) -> None:
    done: list[str] = []

    async def handler(ctx: Context) -> str:
        await ctx.step("before", lambda: done.append("before"))
        await ctx.sleep(0.01)
        await ctx.step("after", lambda: done.append("after"))
        await ctx.sleep_until(1)
        return f"attempt {ctx.attempt}"

    record = run(tmp_path, handler, nothing)
    assert record.output == "attempt 1"
    assert done == ["before", "after"]
    assert record.steps == 4


def test_a_job_that_waits_takes_no_slot_and_says_what_for(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> Any:
        return await ctx.wait_signal("paid")

    async def scenario(client: Client, handle: JobHandle) -> None:
        record = await waiting(client, handle)
        assert record.waiting_for == "the signal paid"
        assert (record.attempt, record.due_us) == (1, None)
        assert (await client.queues())[0].running == 0
        [listed] = (await client.jobs(ListJobs(state="waiting"))).items
        assert listed.id == handle.id
        await client.signal(handle.id, "other", 1)
        assert (await client.job(handle.id)).state == "waiting"
        await client.signal(handle.id, "paid", {"cents": 5})

    assert run(tmp_path, handler, scenario).output == {"cents": 5}


def test_signals_that_come_early_are_received_in_their_order(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> list[Any]:
        await ctx.wait_signal("go")
        return [await ctx.wait_signal("item") for _ in range(3)]

    async def scenario(client: Client, handle: JobHandle) -> None:
        for number in range(3):
            await client.signal(handle.id, "item", number)
        await client.signal(handle.id, "go")

    assert run(tmp_path, handler, scenario).output == [0, 1, 2]


def test_a_signal_that_does_not_come_in_time_fails_the_wait_for_good(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> str:
        try:
            await ctx.wait_signal("paid", timeout_seconds=0.01)
        except StepFailed as error:
            return error.error.message
        return "paid"

    assert run(tmp_path, handler, nothing).output == "no signal paid has come in time"


def test_a_wait_that_is_let_through_ends_the_job(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.wait_signal("paid", timeout_seconds=0)

    record = run(tmp_path, handler, nothing, attempts_max=5)
    assert (record.state, record.attempt) == ("failed", 1)
    assert record.error is not None
    assert record.error.type == "WaitTimedOut"


def test_branches_that_wait_are_woken_one_by_one(tmp_path: Path) -> None:
    done: list[str] = []
    b_done = asyncio.Event()

    async def handler(ctx: Context) -> list[Any]:
        async def after(name: str, value: Any) -> Any:
            done.append(name)
            b_done.set()
            return value

        async def branch(name: str) -> Any:
            return await ctx.step(f"after-{name}", after, name, await ctx.wait_signal(name))

        return list(await asyncio.gather(branch("a"), branch("b"), ctx.step("beside", lambda: 1)))

    async def scenario(client: Client, handle: JobHandle) -> None:
        assert (await waiting(client, handle)).waiting_for == "the signal a or the signal b"
        await client.signal(handle.id, "b", "B")
        await b_done.wait()
        assert (await waiting(client, handle)).waiting_for == "the signal a"
        await client.signal(handle.id, "a", "A")

    assert run(tmp_path, handler, scenario).output == ["A", "B", 1]
    assert done == ["b", "a"]


def test_a_job_that_waits_can_be_cancelled_and_receives_nothing_more(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.wait_signal("never")

    async def scenario(client: Client, handle: JobHandle) -> None:
        await waiting(client, handle)
        await client.signal(handle.id, "other")
        assert await client.cancel(handle.id) == "cancelled"
        with pytest.raises(AlreadyEnded):
            await client.signal(handle.id, "never")

    record = run(tmp_path, handler, scenario)
    assert (record.state, record.attempt) == ("cancelled", 1)


def test_only_async_handlers_give_their_slot_back(tmp_path: Path) -> None:
    def handler(ctx: Context) -> None:
        asyncio.run(ctx.sleep(1))

    record = run(tmp_path, handler, nothing, attempts_max=1)  # type: ignore[arg-type]
    assert record.error is not None
    assert "only an async handler" in record.error.message
