"""The system's state through the client, with a worker at work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import sheratan
from sheratan import Client, job
from sheratan.contracts.errors import Conflict, InvalidInput, StateRefuses
from sheratan.contracts.system import TargetState

SECONDS_MAX = 60


@job
async def echo(value: int) -> int:
    """Give back what was given."""
    return value


def embedded(folder: Path, scenario: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(SECONDS_MAX), sheratan.open(folder / "data", [echo]) as client:
            await scenario(client)

    asyncio.run(run())


def test_a_paused_system_starts_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        assert (await client.state()).state == "operational"
        assert await client.change_state("paused", reason="maintenance")
        assert not await client.change_state("paused", reason="again")
        handle = await client.submit(echo, 1)
        assert "maintenance" in ((await client.job(handle.id)).waiting_for or "")
        status = await client.status()
        assert (status.ready, status.state, status.system.reason) == (True, "paused", "maintenance")
        assert "sheratan state resume" in status.safe_alternative
        assert await client.change_state("operational", reason="done", expected="paused")
        assert await handle.result() == 1
        assert [one.to for one in await client.state_history()] == ["operational", "paused"]

    embedded(tmp_path, scenario)


def test_a_halt_is_told_to_whoever_comes_and_ends_by_a_person(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        await client.change_state("halted", reason="something is wrong")
        with pytest.raises(StateRefuses, match="something is wrong"):
            await client.submit(echo, 1)
        status = await client.status()
        assert (status.ready, status.state) == (False, "halted")
        assert status.problems == ["the system is halted: something is wrong"]
        with pytest.raises(Conflict, match="recover"):
            await client.change_state("operational", reason="it is well")
        targets: tuple[TargetState, ...] = ("recovery", "operational")
        for to in targets:
            await client.change_state(to, reason="looked at")
        assert await client.run(echo, 2) == 2

    embedded(tmp_path, scenario)


def test_a_state_outlasts_the_program(tmp_path: Path) -> None:
    async def pause(client: Client) -> None:
        await client.change_state("paused", reason="for the night")

    async def look(client: Client) -> None:
        found = await client.state()
        assert (found.state, found.reason, found.severity) == ("paused", "for the night", "none")
        assert found.allows["dispatch"] == "defer"

    embedded(tmp_path, pause)
    embedded(tmp_path, look)


@pytest.mark.parametrize("reason", ["", "x" * 1_001])
def test_a_reason_is_asked_for(tmp_path: Path, reason: str) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(InvalidInput) as refused:
            await client.change_state("paused", reason=reason)
        assert refused.value.field == "reason"

    embedded(tmp_path, scenario)
