"""Deadlines of callers: they bound the calls of a client, and the engine is told of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sheratan import DeadlineExceeded, deadline
from sheratan.contracts.api import GetStatus
from sheratan.contracts.errors import TimedOut
from sheratan.engine import engine as engine_module
from sheratan.engine.commands import Pending, Submit
from tests.gateway.served import Connections, ask_raw, served
from tests.sdk import sample_kinds as kinds

LONG = 30.0


@pytest.fixture
def untils(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Until when each submission is waited for that reaches the engine, as it is made."""
    found: list[int | None] = []

    class Noted(Pending):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            if type(self.command) is Submit:
                found.append(self.until_us)

    monkeypatch.setattr(engine_module, "Pending", Noted)
    return found


def test_the_engine_is_told_however_a_client_reaches_it(tmp_path: Path, untils: list[int | None]) -> None:
    async def scenario(connections: Connections) -> None:
        for client in (connections.local, await connections.client()):
            await client.submit(kinds.echo, 1)
            assert untils.pop() is None
            now = asyncio.get_running_loop().time()
            with deadline(LONG):
                await client.submit(kinds.echo, 1)
            until_us = untils.pop()
            assert until_us is not None
            assert now + LONG <= until_us / 1_000_000 <= asyncio.get_running_loop().time() + LONG
            await client.submit(kinds.echo, 1)
            assert untils.pop() is None

    served(tmp_path, scenario)


def test_a_call_that_is_not_answered_in_time_says_so(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        for client in (connections.local, await connections.client()):
            handle = await client.submit(kinds.echo, 1, delay_seconds=3_600.0)
            with deadline(0.05), pytest.raises(TimedOut, match="whether it was done is not known") as refusal:
                await handle.result()
            assert refusal.value.code == "timed_out"
            assert (await client.job(handle.id)).state == "scheduled", "the connection goes on"

    served(tmp_path, scenario)


def test_without_time_left_nothing_is_asked(tmp_path: Path, untils: list[int | None]) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        with deadline(0), pytest.raises(DeadlineExceeded, match="nothing was done"):
            await client.submit(kinds.echo, 1)
        assert untils == []

    served(tmp_path, scenario)


def test_a_deadline_within_another_has_no_more_time(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        with deadline(0), deadline(LONG), pytest.raises(DeadlineExceeded):
            await client.submit(kinds.echo, 1)
        with deadline(LONG):
            with deadline(0), pytest.raises(DeadlineExceeded):
                await client.submit(kinds.echo, 1)
            await client.submit(kinds.echo, 1)

    served(tmp_path, scenario)


def test_a_worker_works_beyond_the_deadline_of_who_has_started_it(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        with deadline(0):
            transport = client.transport
            assert await connections.local.transport.call(GetStatus())
            assert await transport.call(GetStatus())

    served(tmp_path, scenario)


def test_other_programs_say_it_in_the_frame(tmp_path: Path, untils: list[int | None]) -> None:
    async def scenario(connections: Connections) -> None:
        reader, writer = await connections.raw()
        line = b'{"id":1,"method":"job.submit","params":{"jobs":[{"kind":"echo"}]},"timeout_us":%s}'
        answer = await ask_raw(reader, writer, line % b"30000000")
        assert answer["id"] == 1
        assert "error" not in answer
        assert untils.pop() is not None
        refused = await ask_raw(reader, writer, line % b"0")
        assert refused["error"]["code"] == "invalid_input"
        writer.close()

    served(tmp_path, scenario)
