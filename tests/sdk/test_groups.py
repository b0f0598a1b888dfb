"""Jobs that are collected, and run together in one call of their handler."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import sheratan
from sheratan import Collect, Context, Fatal, JobFailed, job
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Submission

SECONDS_MAX = 60
SOON = Collect(jobs_max=4, wait_seconds=0.1)
LATE = Collect(jobs_max=4, wait_seconds=1_000)

calls: list[list[int]] = []
running: list[asyncio.Event] = []


@job(collect=LATE)
async def double(values: list[int]) -> list[int]:
    """Double numbers, all at once."""
    calls.append(values)
    return [2 * value for value in values]


@job(collect=SOON, attempts_max=2, backoff_base_seconds=0.01, backoff_max_seconds=0.01)
async def picky(values: list[int]) -> list[int | Fatal | ValueError]:
    """Fail for some of them."""
    calls.append(values)
    return [Fatal("odd") if value % 2 else ValueError("nine") if value == 8 else value for value in values]


@job(collect=SOON)
async def mistaken(values: list[int]) -> list[int]:
    return values[1:]


@job(collect=SOON)
async def wrong(values: list[int]) -> list[int]:
    outputs: list[Any] = [f"<{value}>" if value else value for value in values]
    return outputs


@job(collect=SOON, attempts_max=1)
def in_a_thread(values: list[int]) -> list[int]:
    raise RuntimeError(f"{len(values)} of them")


@job(collect=SOON)
async def until_stopped(values: list[int]) -> list[int]:
    running[-1].set()
    await asyncio.Event().wait()
    return values


KINDS = [double, picky, mistaken, wrong, in_a_thread, until_stopped]


@pytest.fixture(autouse=True)
def forget() -> None:
    calls.clear()


def scenario_of(data: Path, work: Any) -> None:
    async def scenario() -> None:
        running.append(asyncio.Event())
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(data, KINDS) as client:
            await work(client)

    asyncio.run(scenario())


async def submitted(client: sheratan.Client, kind: Any, *values: int) -> list[Any]:
    return await client.submit_many([kind.submission(value) for value in values])


async def outcomes(handles: list[Any]) -> list[Any]:
    return await asyncio.gather(*(handle.result() for handle in handles), return_exceptions=True)


def test_so_many_jobs_run_in_one_call_and_each_has_its_own_output_and_story(tmp_path: Path) -> None:
    async def work(client: sheratan.Client) -> None:
        handles = await submitted(client, double, 1, 2, 3)
        assert [one.state for one in (await client.jobs()).items] == ["queued"] * 3
        handles += await submitted(client, double, 4)
        assert await outcomes(handles) == [2, 4, 6, 8]
        assert calls == [[1, 2, 3, 4]]
        story = await handles[0].why()
        assert any("together with 3 others" in line.text for line in story.lines)

    scenario_of(tmp_path / "data", work)


def test_fewer_run_together_when_the_next_one_has_waited(tmp_path: Path) -> None:
    async def work(client: sheratan.Client) -> None:
        assert await outcomes(await submitted(client, picky, 2, 4)) == [2, 4]
        assert calls == [[2, 4]]

    scenario_of(tmp_path / "data", work)


def test_each_member_fails_and_is_tried_again_by_itself(tmp_path: Path) -> None:
    async def work(client: sheratan.Client) -> None:
        fine, odd, nine = await submitted(client, picky, 2, 3, 8)
        assert await fine.result() == 2
        assert [type(one) for one in await outcomes([odd, nine])] == [JobFailed, JobFailed]
        assert calls == [[2, 3, 8], [8]], "what may succeed is tried again, without the others"
        records = [await client.job(one.id) for one in (fine, odd, nine)]
        assert [(one.attempt, one.error and one.error.message) for one in records] == [
            (1, None),
            (1, "odd"),
            (2, "nine"),
        ]

    scenario_of(tmp_path / "data", work)


def test_a_handler_that_raises_fails_all_of_them(tmp_path: Path) -> None:
    async def work(client: sheratan.Client) -> None:
        failed = await outcomes(await submitted(client, in_a_thread, 1, 2))
        assert ["2 of them" in str(one) for one in failed] == [True, True]

    scenario_of(tmp_path / "data", work)


def test_a_handler_that_gives_another_number_of_outputs_fails_all_of_them_for_good(tmp_path: Path) -> None:
    async def work(client: sheratan.Client) -> None:
        failed = await outcomes(await submitted(client, mistaken, 1, 2, 3))
        assert ["for 3 inputs the handler gave 2 outputs" in str(one) for one in failed] == [True] * 3
        assert (await client.job(failed[0].extra["job"])).attempt == 1

    scenario_of(tmp_path / "data", work)


def test_an_output_of_another_type_is_the_fault_of_one_member(tmp_path: Path) -> None:
    async def work(client: sheratan.Client) -> None:
        one, other = await outcomes(await submitted(client, wrong, 0, 1))
        assert (one, type(other)) == (0, JobFailed)

    scenario_of(tmp_path / "data", work)


def test_the_input_of_each_job_is_checked_by_the_type_of_one(tmp_path: Path) -> None:
    async def work(client: sheratan.Client) -> None:
        with pytest.raises(InvalidInput):
            await client.submit("double", [1, 2])
        with pytest.raises(InvalidInput):
            await client.submit_many([Submission(kind="double", input="one")])

    scenario_of(tmp_path / "data", work)
    assert double.description.input_schema["type"] == "integer"


def test_a_call_is_stopped_when_all_its_members_are_to_stop(tmp_path: Path) -> None:
    async def work(client: sheratan.Client) -> None:
        first, second = await submitted(client, until_stopped, 1, 2)
        await running[-1].wait()
        assert await first.cancel() == "requested"
        assert (await client.job(first.id)).state == "running", "its call goes on for the other one"
        assert await second.cancel() == "requested"
        assert [record.state for record in [await client.wait(one.id) for one in (first, second)]] == [
            "cancelled"
        ] * 2

    scenario_of(tmp_path / "data", work)


def test_a_worker_that_stops_hands_all_members_back(tmp_path: Path) -> None:
    async def work(client: sheratan.Client) -> None:
        await submitted(client, until_stopped, 1, 2)
        await running[-1].wait()

    scenario_of(tmp_path / "data", work)

    async def look() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", []) as client:
            assert [one.state for one in (await client.jobs()).items] == ["queued", "queued"]

    asyncio.run(look())


def test_handlers_that_are_none_of_groups_are_refused() -> None:
    async def one(value: int) -> list[int]:
        return [value]

    async def with_context(ctx: Context, values: list[int]) -> list[int]:
        return values

    async def for_all(values: list[int]) -> int:
        return sum(values)

    for handler in (one, with_context, for_all):
        with pytest.raises(InvalidInput, match="list"):
            job(collect=SOON)(handler)
    with pytest.raises(InvalidInput):
        job(collect=Collect(jobs_max=0, wait_seconds=1))(one)
