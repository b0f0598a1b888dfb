"""The archive through the client."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

import sheratan
from sheratan import Context, Proposal, WorkflowBuilder, job
from sheratan.contracts.api import ArchiveJournal, GetEntries
from sheratan.contracts.errors import Archived, InvalidInput
from sheratan.contracts.limits import Limits

SECONDS_MAX = 60


@job
async def echo(value: int) -> int:
    """Give back what was given."""
    return value


def test_a_client_previews_archives_and_lists(tmp_path: Path) -> None:
    async def scenario() -> None:
        limits = Limits(segment_bytes_max=2_000)
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(tmp_path / "data", [echo], limits=limits) as client,
        ):
            for value in range(5):
                await client.run(echo, value)
            handle = await client.submit(echo, 9)
            await client.wait(handle.id)
            preview = await client.preview_archive(before_us=1 << 53)
            assert preview.needed_from is None
            segments = await client.archive_journal(before_us=1 << 53, reason="old")
            assert len(segments) > 1
            assert segments[0].first == 0
            assert all(one.last + 1 == two.first for one, two in pairwise(segments))
            assert segments[-1].last == preview.entries - 1
            assert await client.archived_segments() == segments
            story = await client.why(handle.id)
            assert story.state == "succeeded"
            assert [line.type for line in story.lines] == ["journal.archived"]
            with pytest.raises(Archived, match=segments[0].file):
                await client.transport.call(GetEntries(first_seq=0))
            with pytest.raises(InvalidInput) as refused:
                await client.archive_journal(before_entry=-1)
            assert refused.value.field == "before_entry"

    asyncio.run(scenario())


def test_many_who_archive_at_once_take_turns(tmp_path: Path) -> None:
    async def scenario() -> None:
        limits = Limits(segment_bytes_max=2_000)
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(tmp_path / "data", [echo], limits=limits) as client,
        ):
            for value in range(9):
                await client.run(echo, value)
            asked = [client.transport.call(ArchiveJournal()) for _ in range(4)]
            segments = sorted(await asyncio.gather(*asked), key=lambda segment: segment.first)
            assert segments == await client.archived_segments()

    asyncio.run(scenario())


def test_what_is_open_holds_the_journal(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [echo]) as client:
            await client.run(echo, 1)
            await client.submit(echo, 2, delay_seconds=3_600)
            preview = await client.preview_archive(before_us=1 << 53)
            [segment] = await client.archive_journal(before_us=1 << 53)
            assert preview.needed_from is not None
            assert (preview.entries, segment.last) == (segment.last + 1, preview.needed_from - 1)
            assert await client.archive_journal(before_us=1 << 53) == []

    asyncio.run(scenario())


@job
async def plan(ctx: Context) -> int:
    """Propose a job, and the same again."""
    outcome = await ctx.propose([Proposal(kind="echo", input=1), Proposal(kind="echo", input=1)])
    return len(await ctx.gather(*outcome.accepted))


def test_what_is_listed_goes_back_as_far_as_the_journal(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            asyncio.timeout(SECONDS_MAX),
            sheratan.open(tmp_path / "data", [echo, plan]) as client,
        ):
            await client.change_state("paused", reason="a rest")
            await client.change_state("operational", reason="it is over")
            builder = WorkflowBuilder("planning")
            planned = builder.job("plan", plan)
            run = await client.run_workflow(builder.build(output=planned.output))
            assert await run.result() == 1
            assert [call.accepted for call in (await client.workflow_run(run.id)).proposals] == [1]
            assert [one.to for one in await client.state_history()] == ["operational", "paused"]
            await client.archive_journal(before_us=1 << 53)
            assert (await client.workflow_run(run.id)).proposals == []
            assert await client.state_history() == []
            assert (await client.state()).reason == "it is over"

    asyncio.run(scenario())
