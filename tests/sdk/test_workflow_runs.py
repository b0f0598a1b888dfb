"""Workflows through the client, with real handlers: run, wait, look, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import sheratan
from sheratan import Client, WorkflowBuilder, job
from sheratan.contracts.api import ListRuns
from sheratan.contracts.errors import IdempotencyConflict, InvalidInput, JobFailed, NotFound, TimedOut
from sheratan.contracts.workflows import Workflow
from sheratan.sdk.errors import Fatal

SECONDS_MAX = 60


@job(kind="wf_numbers")
async def numbers(count: int) -> list[int]:
    return list(range(count))


@job(kind="wf_square")
async def square(number: int) -> int:
    return number * number


@job(kind="wf_total")
async def total(squares: list[int]) -> int:
    if not squares:
        raise Fatal("nothing to add")
    return sum(squares)


KINDS = [numbers, square, total]


def squares() -> Workflow:
    """Numbers, the square of each, and their sum."""
    builder = WorkflowBuilder("squares", input_schema=int)
    found = builder.job("numbers", numbers, builder.input)
    each = builder.job("each", square, builder.item, for_each=found.output)
    added = builder.job("total", total, each.output)
    return builder.build(output={"sum": added.output})


def embedded(folder: Path, scenario: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(folder / "data", KINDS, drain_seconds=0.1) as client,
        ):
            await scenario(client)

    asyncio.run(run())


def test_a_workflow_runs_to_its_output(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.run_workflow(squares(), 5)
        assert await handle.result() == {"sum": 30}
        record = await handle.record()
        assert [(node.name, node.state, node.items) for node in record.nodes] == [
            ("numbers", "succeeded", None),
            ("each", "succeeded", 5),
            ("total", "succeeded", None),
        ]
        assert record.declared == squares()
        assert [line.type for line in (await handle.why()).lines][-1] == "workflow.ended"
        assert handle.id in repr(handle)
        # One that has ended is answered at once.
        assert await handle.result(timeout_seconds=1) == {"sum": 30}

    embedded(tmp_path, scenario)


def test_a_key_gives_the_same_run_and_no_other(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        first = await client.run_workflow(squares(), 5, key="k")
        again = await client.run_workflow(squares(), 5, key="k")
        assert (first.id, first.existing, again.existing) == (again.id, False, True)
        with pytest.raises(IdempotencyConflict, match="another input"):
            await client.run_workflow(squares(), 6, key="k")

    embedded(tmp_path, scenario)


def test_an_ended_run_is_continued(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        first = await client.run_workflow(squares(), 3)
        assert await first.result() == {"sum": 5}
        again = await client.retry_run(first.id, "total", key="again")
        assert await again.result() == {"sum": 5}
        record = await again.record()
        assert [node.taken_from for node in record.nodes] == [first.id, first.id, None]
        assert (await client.retry_run(first.id, "total", key="again")).existing
        other = await client.fork_run(first.id, value=4)
        assert await other.result() == {"sum": 14}
        same = await client.fork_run(first.id, workflow=squares())
        assert [node.taken_from for node in (await same.record()).nodes] == [first.id] * 3

    embedded(tmp_path, scenario)


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handle = await client.run_workflow(squares(), 0)
        with pytest.raises(JobFailed, match="total failed, and no other node takes care of it"):
            await handle.result()

    embedded(tmp_path, scenario)


def test_who_waits_for_a_blocked_run_waits_no_longer_than_was_said(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        builder = WorkflowBuilder("blocked")
        builder.job("a", numbers, builder.input["n"])
        handle = await client.run_workflow(builder.build(), {})
        with pytest.raises(TimedOut):
            await handle.result(timeout_seconds=0.01)
        assert await handle.cancel("it will never go on") == "stopping"
        with pytest.raises(JobFailed, match="cancelled"):
            await handle.result()

    embedded(tmp_path, scenario)


def test_runs_are_listed_in_pages_newest_first(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        handles = [await client.run_workflow(squares(), 2) for _ in range(3)]
        for handle in handles:
            await handle.result()
        first = await client.workflow_runs(ListRuns(limit=2, state="succeeded", workflow="squares"))
        assert [record.id for record in first.items] == [handles[2].id, handles[1].id]
        rest = await client.workflow_runs(ListRuns(limit=2, cursor=first.next_cursor))
        assert ([record.id for record in rest.items], rest.next_cursor) == ([handles[0].id], None)
        assert (await client.workflow_runs(ListRuns(state="failed"))).items == []
        with pytest.raises(InvalidInput) as refused:
            await client.workflow_runs(ListRuns(limit=10_000))
        assert refused.value.field == "limit"
        with pytest.raises(InvalidInput) as refused:
            await client.workflow_runs(ListRuns(cursor="nonsense"))
        assert refused.value.field == "cursor"

    embedded(tmp_path, scenario)


def test_a_run_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        for run in ("workflow_" + "0" * 32, "nonsense", "workflow_018bcfe56800700080000000001dceed"):
            with pytest.raises(NotFound):
                await client.workflow_run(run)
            with pytest.raises(NotFound):
                await client.wait_for_run(run)

    embedded(tmp_path, scenario)


def test_a_known_input_is_checked_by_its_kind_when_the_run_is_asked_for(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        builder = WorkflowBuilder("wrong")
        builder.job("a", "wf_numbers", "no number")
        with pytest.raises(InvalidInput) as refused:
            await client.run_workflow(builder.build())
        assert str(refused.value.field).startswith("nodes/0")

    embedded(tmp_path, scenario)
