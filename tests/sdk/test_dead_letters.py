"""Dead letters and bulk operations through a client."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import sheratan
from sheratan import Fatal, job
from sheratan.contracts import api
from sheratan.contracts.dead_letters import Edit
from sheratan.contracts.errors import InvalidInput, NotFound
from sheratan.contracts.filters import JobFilter


@job(kind="half")
def half(number: int) -> int:
    """Half of an even number."""
    if number % 2:
        raise Fatal(f"{number} is odd")
    return number // 2


def test_a_client_lists_shows_edits_replays_and_discards(tmp_path: Path) -> None:
    async def main() -> None:
        async with sheratan.open(tmp_path, kinds=[half]) as client:
            for number in (1, 3, 5):
                handle = await client.submit(half, number, tags=("odd",))
                await client.wait(handle.id)
            page = await client.dead_letters(api.ListDeadLetters(tag="odd", text="even"))
            assert page.items == []
            page = await client.dead_letters(api.ListDeadLetters(tag="odd", text="3 odd", limit=1))
            [letter] = page.items
            assert (await client.dead_letter(letter.id)).input == 3
            with pytest.raises(InvalidInput):
                await client.replay(letter.id, Edit(input="four"))
            mended = await client.replay(letter.id, Edit(input=4), reason="it was meant to be even")
            assert await mended.result() == 2
            with pytest.raises(NotFound):
                await client.dead_letter(letter.id)
            rest = await client.dead_letters()
            await client.discard(rest.items[0].id, "no even number near")
            preview = await client.preview_bulk(api.PreviewBulk(action="replay", filter=JobFilter(tag="odd")))
            assert preview.jobs == 1
            record = await client.start_bulk(api.StartBulk(action="replay", filter=JobFilter(tag="odd")))
            while record.state == "running":
                record = await client.bulk(record.id)
            assert record.jobs == 1

    asyncio.run(main())
