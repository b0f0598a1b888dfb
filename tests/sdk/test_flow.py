"""Limits through the client: they hold for the worker of the very engine, and refusals name the field."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import sheratan
from sheratan import Client, FlowLimits, PartitionLimits, Rate, job
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Submission

SECONDS_MAX = 60
RUNNING: list[int] = []


@job
async def careful(number: int) -> int:
    """Say how many of its kind run beside it."""
    RUNNING.append(number)
    for _ in range(20):
        turn = asyncio.Event()
        asyncio.get_running_loop().call_soon(turn.set)
        await turn.wait()
    beside = len(RUNNING)
    RUNNING.remove(number)
    return beside


@job(limits=FlowLimits(concurrency=1))
async def alone(number: int) -> int:
    """Say how many of its kind run beside it."""
    return int(await careful.handler(number))


def test_a_kind_brings_its_limits_along(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [alone]) as client:
            jobs = [Submission(kind="alone", input=number) for number in range(10)]
            handles = await client.submit_many(jobs)
            assert [one.limits for one in await client.flows() if one.subject == "kind:alone"] == [
                FlowLimits(concurrency=1)
            ]
            return [await handle.result() for handle in handles]

    assert asyncio.run(scenario()) == [1] * 10


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_handlers_of_a_kind_run_than_its_limit_lets(tmp_path: Path, most: int) -> None:
    async def scenario() -> list[int]:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [careful]) as client:
            await client.limit_kind("careful", FlowLimits(concurrency=most), "a test")
            handles = await client.submit_many(
                [Submission(kind="careful", input=number) for number in range(20)]
            )
            return [await handle.result() for handle in handles]

    assert set(asyncio.run(scenario())) <= set(range(1, most + 1))


def test_a_tenant_is_paused_limited_and_resumed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [careful]) as client:
            assert await client.pause_tenant("default", "a test")
            handle = await client.submit("careful", 1)
            assert [one.subject for one in (await client.job(handle.id)).blocked_by] == ["tenant:default"]
            await client.limit_tenant("default", FlowLimits(concurrency=1))
            flows = {one.subject: one for one in await client.flows()}
            assert (flows["tenant:default"].paused, flows["tenant:default"].queued) == (True, 1)
            assert await client.resume_tenant("default")
            assert await handle.result() == 1

    asyncio.run(scenario())


def test_no_more_handlers_of_a_partition_run_than_its_limit_lets(tmp_path: Path) -> None:
    async def scenario() -> list[tuple[str | None, int]]:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [careful]) as client:
            limits = FlowLimits(per_partition=PartitionLimits(concurrency=1))
            await client.limit_kind("careful", limits, "a test")
            assert [one.limits for one in await client.flows() if one.subject == "kind:careful"] == [limits]
            handles = [await client.submit("careful", nr, partition=f"p{nr % 2}") for nr in range(10)]
            found = []
            for handle in handles:
                beside = await handle.result()
                found.append(((await client.job(handle.id)).partition, beside))
            return found

    found = asyncio.run(scenario())
    assert {name for name, _ in found} == {"p0", "p1"}
    assert {beside for _, beside in found} <= {1, 2}


def test_limits_and_pauses_are_set_and_seen_through_the_client(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        limits = FlowLimits(concurrency=3, rate=Rate(count=5, period_seconds=60, burst=2), weight=4)
        entry = await client.limit("mail", limits, "a contract")
        assert await client.pause_kind("careful", "a rest")
        assert not await client.pause_kind("careful")
        held = await client.submit("careful", 1)
        assert [one.what for one in (await client.job(held.id)).blocked_by] == ["pause"]
        flows = {one.subject: one for one in await client.flows()}
        assert flows["queue:mail"].limits == limits
        assert (flows["kind:careful"].paused, flows["kind:careful"].queued) == (True, 1)
        assert [one.limits for one in await client.queues() if one.name == "mail"] == [limits]
        assert (await client.why("queue:mail")).lines[-1].entry == entry
        assert await client.resume_kind("careful")
        assert await held.result() == 1

    async def run() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [careful]) as client:
            await scenario(client)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        (FlowLimits(concurrency=0), "limits.concurrency"),
        (FlowLimits(weight=0), "limits.weight"),
        (FlowLimits(rate=Rate(count=0, period_seconds=1)), "limits.rate.count"),
        (FlowLimits(rate=Rate(count=1, period_seconds=100_000)), "limits.rate.period_seconds"),
        (FlowLimits(rate=Rate(count=1, period_seconds=1, burst=10_001)), "limits.rate.burst"),
        (FlowLimits(per_partition=PartitionLimits(concurrency=0)), "limits.per_partition.concurrency"),
    ],
)
def test_limits_out_of_bounds_are_refused_by_name(tmp_path: Path, limits: FlowLimits, field: str) -> None:
    async def run() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [careful]) as client:
            with pytest.raises(InvalidInput) as refused:
                await client.limit("mail", limits)
            assert refused.value.field == field
            with pytest.raises(InvalidInput) as refused:
                await client.submit("careful", 1, cost=1_001)
            assert refused.value.field == "cost"
            with pytest.raises(InvalidInput) as refused:
                await client.submit("careful", 1, partition="two words")
            assert refused.value.field == "partition"

    asyncio.run(run())
