"""Retention through the client."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import sheratan
from sheratan import job
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.retention import RetentionPreview

SECONDS_MAX = 60


@job
async def echo(value: int) -> int:
    """Give back what was given."""
    return value


def test_a_client_sets_previews_and_lists_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [echo]) as client:
            assert await client.run(echo, 1) == 1
            assert await client.preview_retention(keep_seconds=60) == RetentionPreview(jobs=0, needed=0)
            entry = await client.set_retention("echo", keep_seconds=60, reason="by law")
            [record] = await client.retention()
            assert (record.kind, record.keep_seconds, record.entry) == ("echo", 60, entry)
            with pytest.raises(InvalidInput) as refused:
                await client.set_retention(keep_seconds=0)
            assert refused.value.field == "keep_seconds"
            with pytest.raises(InvalidInput) as refused:
                await client.set_retention("no kind", keep_seconds=1)
            assert refused.value.field == "kind"

    asyncio.run(scenario())


def test_a_client_says_how_long_runs_are_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(tmp_path / "data", [echo]) as client:
            assert await client.preview_retention(workflow="order", keep_seconds=60) == RetentionPreview(
                jobs=0, needed=0
            )
            one = await client.set_retention(workflow="order", keep_seconds=60)
            others = await client.set_retention(workflow="", keep_seconds=None)
            records = [
                (one.kind, one.workflow, one.keep_seconds, one.entry) for one in await client.retention()
            ]
            assert records == [(None, "", None, others), (None, "order", 60, one)]
            for kind, workflow in (("echo", "order"), (None, "no name")):
                with pytest.raises(InvalidInput) as refused:
                    await client.set_retention(kind, workflow=workflow, keep_seconds=1)
                assert refused.value.field == "workflow"

    asyncio.run(scenario())
