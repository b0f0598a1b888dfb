"""Handlers that spawn jobs and gather what they give."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import sheratan
from sheratan import ChildFailed, Client, Context, Fatal, JobFailed, Kind, Retryable, StepFailed, job
from sheratan.contracts.api import GetResults
from sheratan.contracts.errors import NotFound
from sheratan.contracts.jobs import JobRecord
from sheratan.contracts.limits import Limits
from tests.sdk.journal import check_journal

SECONDS_MAX = 60


class Square(BaseModel):
    of: int
    is_: int


@job
async def square(value: int) -> Square:
    if value < 0:
        raise Fatal(f"{value} is negative")
    return Square(of=value, is_=value * value)


@job
async def for_ever(ctx: Context) -> None:
    await ctx.wait_signal("never")


def run(
    folder: Path, kind: Kind[Any, Any], *, value: Any = None, limits: Limits | None = None
) -> tuple[JobRecord, list[JobRecord]]:
    """Run a job of this kind to its end; returns it and all jobs, oldest first."""

    async def main() -> tuple[JobRecord, list[JobRecord]]:
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(folder / "data", [kind, square, for_ever], slots=1, limits=limits) as client,
        ):
            handle = await client.submit(kind, value)
            await client.wait(handle.id)
            ids = [one.id for one in (await client.jobs()).items]
            return await client.job(handle.id), [await client.job(one) for one in reversed(ids)]

    found = asyncio.run(main())
    check_journal(folder / "data")
    return found


def test_children_run_in_the_slot_that_their_parent_gives_back(tmp_path: Path) -> None:
    @job
    async def parent(ctx: Context) -> list[int]:
        children = [await ctx.spawn(square, value) for value in (3, 1, 2)]
        squares = await ctx.gather(*children)
        assert all(type(one) is Square for one in squares)
        return [one.is_ for one in squares]

    record, jobs = run(tmp_path, parent)
    assert record.output == [9, 1, 4]
    assert record.attempt == 1
    assert [one.submitted_by_job for one in jobs] == [None, record.id, record.id, record.id]


def test_children_are_spawned_once_however_often_the_handler_is_run(tmp_path: Path) -> None:
    @job(backoff_base_seconds=0.0)
    async def parent(ctx: Context) -> int:
        child = await ctx.spawn("square", 5)
        if ctx.attempt == 1:
            raise Retryable("not yet")
        found = await child.result()
        if ctx.attempt == 2:
            raise Retryable("and again")
        again = await ctx.gather(child.id)
        assert again == [found]
        return int(found["is_"])

    record, jobs = run(tmp_path, parent)
    assert record.output == 25
    assert record.attempt == 3
    assert len(jobs) == 2


def test_a_thousand_jobs_are_spawned_and_gathered(tmp_path: Path) -> None:
    @job
    async def parent(ctx: Context) -> int:
        children = await ctx.spawn_many([square.submission(value) for value in range(1_100)])
        return sum(one["is_"] for one in await ctx.gather(*children))

    record, _ = run(tmp_path, parent)
    assert record.output == sum(value * value for value in range(1_100))
    assert record.steps == 3


def test_nothing_to_gather_takes_no_time(tmp_path: Path) -> None:
    @job
    async def parent(ctx: Context) -> list[Any]:
        return await ctx.gather()

    record, _ = run(tmp_path, parent)
    assert (record.output, record.steps) == ([], 0)


def test_one_that_fails_fails_its_parent_once_all_have_ended(tmp_path: Path) -> None:
    @job
    async def parent(ctx: Context) -> None:
        await ctx.gather(await ctx.spawn(square, -1), await ctx.spawn(square, 2))

    record, jobs = run(tmp_path, parent)
    assert (record.state, record.attempt) == ("failed", 1)
    assert record.error is not None
    assert record.error.type == "ChildFailed"
    assert "-1 is negative" in record.error.message
    assert [one.state for one in jobs[1:]] == ["failed", "succeeded"]


def test_failures_can_be_taken_as_answers(tmp_path: Path) -> None:
    @job
    async def parent(ctx: Context) -> list[str]:
        children = [await ctx.spawn(square, value) for value in (-1, 2)]
        bad, good = await ctx.gather(*children, return_exceptions=True)
        assert isinstance(bad, ChildFailed)
        assert (bad.job_id, bad.state) == (children[0].id, "failed")
        assert bad.error is not None
        return [bad.error.message, str(good.is_)]

    assert run(tmp_path, parent)[0].output == ["-1 is negative", "4"]


def test_children_that_take_too_long_are_cancelled_with_the_parent_that_gives_up(tmp_path: Path) -> None:
    @job
    async def parent(ctx: Context) -> None:
        child = await ctx.spawn(for_ever)
        await child.result(timeout_seconds=0.05)

    record, jobs = run(tmp_path, parent)
    assert record.error is not None
    assert record.error.type == "WaitTimedOut"
    assert jobs[1].state == "cancelled"


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [("nobody", 1, "no kind 'nobody'"), ("square", "x", "valid integer"), ("square", 3, "fan_out_jobs_max")],
)
def test_a_child_that_is_refused_for_good_is_recorded_as_such(
    tmp_path: Path, kind: str, value: Any, says: str
) -> None:
    said: list[str] = []

    @job(backoff_base_seconds=0.0)
    async def parent(ctx: Context) -> str:
        if says == "fan_out_jobs_max":
            await ctx.spawn_many([square.submission(1)] * 2)
        try:
            await ctx.spawn(kind, value)
        except StepFailed as failed:
            said.append(failed.error.message)
        if ctx.attempt == 1:
            raise Retryable("once more")
        return await ctx.step("after", lambda: "went another way")

    record, _ = run(tmp_path, parent, limits=Limits(fan_out_jobs_max=2))
    assert record.output == "went another way"
    assert len(said) == 2
    assert said[0] == said[1]
    assert says in said[0]


def test_a_full_queue_fails_the_attempt_and_a_later_one_finds_room(tmp_path: Path) -> None:
    @job(queue="parents", backoff_base_seconds=0.0, attempts_max=50)
    async def parent(ctx: Context) -> int:
        child = await ctx.spawn(square, 2)
        found: Square = await child.result()
        return found.is_

    async def main() -> None:
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(tmp_path, [parent, square], limits=Limits(queue_jobs_max=1)) as client,
        ):
            await client.pause("default")
            blocking = await client.submit(square, 1)
            handle = await client.submit(parent, backoff_base_seconds=0.01, backoff_max_seconds=0.01)
            await attempts(client, handle.id, 2)
            await client.resume("default")
            assert await handle.result() == 4
            await blocking.result()

    asyncio.run(main())


async def until(client: Client, job_id: str, state: str) -> None:
    """Wait until a job is in a state."""
    record = await client.job(job_id)
    while record.state != state:
        record = await client.job(job_id)


async def attempts(client: Client, job_id: str, count: int) -> None:
    """Wait until a job has come so far."""
    record = await client.job(job_id)
    while record.attempt < count:
        record = await client.job(job_id)


def test_a_parent_that_is_cancelled_takes_its_children_along(tmp_path: Path) -> None:
    @job
    async def parent(ctx: Context) -> None:
        await ctx.gather(await ctx.spawn(for_ever), await ctx.spawn(for_ever))

    async def main() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path, [parent, for_ever]) as client:
            handle = await client.submit(parent)
            await until(client, handle.id, "waiting")
            await handle.cancel("enough")
            with pytest.raises(JobFailed):
                await handle.result()
            for one in (await client.jobs()).items:
                ended = await client.wait(one.id)
                assert ended.state == "cancelled"
                told = [line.text for line in (await client.why(one.id)).lines]
                assert one.id == handle.id or any(handle.id in text for text in told)

    asyncio.run(main())


def test_a_plain_function_spawns_nothing(tmp_path: Path) -> None:
    @job(attempts_max=1)
    def parent(ctx: Context) -> None:
        asyncio.run(ctx.spawn(square, 1))  # type: ignore[arg-type]

    record, _ = run(tmp_path, parent)
    assert record.error is not None
    assert "only an async handler can spawn jobs" in record.error.message


def test_results_are_given_of_jobs_that_have_ended_and_of_those_that_have_not(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(tmp_path / "data", [square, for_ever], drain_seconds=0.0) as client,
        ):
            good, bad = await client.submit(square, 3), await client.submit(square, -1)
            await client.wait(good.id)
            await client.wait(bad.id)
            held = await client.submit(square, 4, delay_seconds=3_600.0)
            call = client._transport.call
            found = await call(GetResults(ids=(bad.id, held.id, good.id)))
            assert [(one.id, one.kind, one.state) for one in found] == [
                (bad.id, "square", "failed"), (held.id, "square", "scheduled"), (good.id, "square", "succeeded"),
            ]  # fmt: skip
            assert found[0].error is not None
            assert [bytes(one.output) for one in found] == [b"null", b"null", b'{"is_":9,"of":3}']
            last = int(good.id[-1], 16)
            other = f"{good.id[:-1]}{last ^ 1:x}"
            with pytest.raises(NotFound, match=other):
                await call(GetResults(ids=(bad.id, other)))

    asyncio.run(main())
