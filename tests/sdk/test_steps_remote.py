"""Durable steps of a worker in another process: over the socket, where a request has a size."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan import Client, Context, Kind, Retryable, Worker, job
from sheratan.contracts.jobs import JobRecord
from sheratan.settings import Settings
from sheratan.wiring.server import Server
from tests.sdk.test_steps import SECONDS_MAX, names


def run(
    folder: Path, handler: Callable[[Context], Awaitable[Any]], **options: Any
) -> tuple[JobRecord, list[str]]:
    """Run a job of this handler to its end, by a worker that reaches the server over its socket."""
    kind: Kind[Any, Any] = job(kind="durable", backoff_base_seconds=0.0, **options)(handler)

    async def scenario() -> tuple[JobRecord, list[str]]:
        server = Server(Settings(data=str(folder)), program="a test")
        await server.start([])
        async with (
            asyncio.timeout(SECONDS_MAX),
            await Client.connect(folder) as client,
            await Client.connect(folder) as connection,
        ):
            worker = Worker(connection, [kind], name="elsewhere")
            await worker.start()
            handle = await client.submit(kind)
            await client.wait(handle.id)
            record, recorded = await client.job(handle.id), await names(client, handle.id)
            # The worker is still on duty, whatever it was asked to carry.
            again = await client.submit(kind)
            assert (await client.wait(again.id)).state in ("succeeded", "failed")
            await worker.stop()
        await server.stop(0.0, "the test is over")
        return record, recorded

    return asyncio.run(scenario())


def test_many_steps_that_end_together_are_recorded_however_long_they_are_together(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> int:
        found = await asyncio.gather(*(ctx.step(f"step-{n}", lambda: "x" * 100_000) for n in range(60)))
        if ctx.attempt == 1:
            raise Retryable("read them all again")
        return sum(map(len, found))

    record, recorded = run(tmp_path, handler)
    assert record.output == 6_000_000
    assert len(recorded) == 60


def test_a_step_that_is_too_long_has_failed_and_those_beside_it_have_not(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> int:
        beside = [ctx.step(f"beside-{n}", lambda n=n: n) for n in range(5)]
        found = await asyncio.gather(
            *beside, ctx.step("long", lambda: "x" * 3_000_000), return_exceptions=True
        )
        assert [one for one in found if isinstance(one, int)] == [0, 1, 2, 3, 4]
        raise next(one for one in found if isinstance(one, BaseException))

    record, recorded = run(tmp_path, handler, attempts_max=5)
    assert record.error is not None
    assert (record.error.type, record.error.error_class, record.attempt) == ("InvalidOutput", "bug", 1)
    assert sorted(recorded) == sorted(["long", *(f"beside-{n}" for n in range(5))])


@pytest.mark.parametrize("value", [float("nan"), "\ud800"])
def test_what_json_cannot_carry_is_refused_over_the_socket_too(tmp_path: Path, value: Any) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step("value", lambda: value)

    record, recorded = run(tmp_path, handler)
    assert record.error is not None
    assert (record.error.type, recorded) == ("InvalidOutput", ["value"])


def test_a_handler_that_waits_goes_on_over_the_socket(tmp_path: Path) -> None:
    async def handler(ctx: Context) -> list[Any]:
        await ctx.sleep(0.01)
        return [await ctx.step("after", lambda: 1.0), ctx.attempt]

    record, recorded = run(tmp_path, handler)
    assert record.output == [1, 1]
    assert recorded == ["wait:sleep", "after"]
