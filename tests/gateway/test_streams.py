"""Streams over the local socket, and what is given up before it is answered."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sheratan import Client, Worker
from sheratan.contracts import api
from sheratan.contracts.errors import (
    InvalidInput,
    LimitReached,
    NotFound,
    SheratanError,
    Unavailable,
)
from sheratan.contracts.guards import GuardSettings
from sheratan.contracts.limits import Limits
from sheratan.engine.state import Session
from sheratan.gateway.local import LocalTransport
from sheratan.guards.guards import Guards
from sheratan.guards.outcomes import outcome_of
from sheratan.sdk.kind import find_kinds
from sheratan.sdk.socket import SocketTransport
from tests.gateway.served import SECONDS_MAX, Connections, ask_raw, served
from tests.sdk import sample_kinds as kinds


def test_a_watcher_sees_entries_as_they_are_committed(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client, other = await connections.client(), await connections.client()
        stream = client.watch()
        first = asyncio.ensure_future(anext(stream))
        await client.queues()
        handle = await other.submit("echo", 1)
        seen = [await first]
        while seen[-1].type != "job.succeeded":
            seen.append(await anext(stream))
        assert [entry.type for entry in seen] == ["job.submitted", "worker.leased", "job.succeeded"]
        assert [entry.entry for entry in seen] == sorted(entry.entry for entry in seen)
        assert seen[-1].subject == handle.id

    served(tmp_path, scenario)


def test_a_watcher_of_one_job_sees_that_job_only(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        await client.pause("default")
        wanted, other = await client.submit("echo", 1), await client.submit("echo", 2)
        stream = client.watch(wanted.id)
        first = asyncio.ensure_future(anext(stream))
        await client.queues()
        await other.cancel()
        await wanted.cancel()
        found = await first
        assert (found.type, found.subject) == ("job.cancelled", wanted.id)

    served(tmp_path, scenario)


def test_watchers_above_their_limit_are_refused_and_hanging_up_frees_a_place(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        watching = await connections.transport()
        first = asyncio.ensure_future(anext(Client(watching).watch()))
        await Client(watching).queues()
        client = await connections.client()
        with pytest.raises(LimitReached, match=r"limits\.watchers_max"):
            await anext(client.watch())
        await watching.close()
        with pytest.raises(SheratanError):
            await first
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                again = asyncio.ensure_future(anext(client.watch()))
                await client.pause("q")
                await client.resume("q")
                with suppress(LimitReached):
                    assert (await again).subject == "queue:q"
                    break

    served(tmp_path, scenario, limits=Limits(watchers_max=1))


def test_a_stream_of_an_id_that_is_none_is_refused_and_takes_no_place(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        for _ in range(3):
            with pytest.raises((NotFound, InvalidInput)):
                await anext(client.watch("job_nonsense"))

    served(tmp_path, scenario, limits=Limits(watchers_max=1))


def test_a_watcher_that_falls_behind_is_told_and_memory_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sheratan.gateway.api._WATCH_ENTRIES_MAX", 5)

    async def scenario(connections: Connections) -> None:
        stream = connections.local.watch()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await connections.local.pause("default")
        await first
        for n in range(50):
            await connections.local.submit("echo", n)
        queue = stream.ag_frame.f_locals["queue"]  # type: ignore[attr-defined]
        assert queue.qsize() <= 5
        with pytest.raises(Unavailable, match="behind"):
            async for _ in stream:
                pass

    served(tmp_path, scenario)


def test_a_stream_that_is_closed_frees_its_place_while_the_connection_goes_on(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        client = await connections.client()
        for number in range(5):
            stream = client.watch()
            first = asyncio.ensure_future(anext(stream))
            await client.queues()
            await client.pause("q") if number % 2 == 0 else await client.resume("q")
            assert (await first).subject == "queue:q"
            await stream.aclose()  # type: ignore[attr-defined]
        assert await client.queues()

    served(tmp_path, scenario, limits=Limits(watchers_max=1))


def test_a_wait_that_is_given_up_is_given_up_at_the_server_too(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        transport = await connections.transport()
        client = Client(transport)
        handle = await client.submit("nothing", delay_seconds=3_600)
        for _ in range(2_000):
            waiting = asyncio.ensure_future(client.wait(handle.id))
            await asyncio.sleep(0)
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
        # Waits that went on would have used up the places of this connection.
        assert (await client.job(handle.id)).state == "scheduled"

    served(tmp_path, scenario)


class Impatient:
    """A way to the engine that wants to be heard of more often, and counts how often that is."""

    def __init__(self, transport: SocketTransport) -> None:
        self._transport = transport
        self.beats = 0
        self.breakers: set[str] = set()
        self.enough = asyncio.Event()

    async def call(self, request: api.Request, seconds: float | None = None) -> Any:
        answer = await self._transport.call(request)
        if isinstance(request, api.HeartbeatWorker):
            self.beats += 1
            self.breakers.update(one.dependency for one in request.breakers)
            if self.beats == 3:
                self.enough.set()
        if isinstance(answer, api.WorkerSession):
            assert answer.heartbeat_seconds == 10
            return api.WorkerSession(session=answer.session, heartbeat_seconds=0.01)
        return answer

    def stream(self, request: api.Request) -> Any:
        return self._transport.stream(request)

    async def close(self) -> None:
        await self._transport.close()


def sessions(connections: Connections) -> list[Session]:
    way = connections.local.transport
    assert isinstance(way, LocalTransport)
    return list(way._api._engine.state.sessions.values())


def test_a_worker_over_the_socket_is_heard_of_as_often_as_it_was_told_to_and_says_what_fails(
    tmp_path: Path,
) -> None:
    async def scenario(connections: Connections) -> None:
        way = Impatient(await connections.transport())
        worker = Worker(Client(way), find_kinds(kinds))
        worker.guards = Guards({"stripe": GuardSettings(failures_max=1), "other": GuardSettings()})
        async with worker:
            with pytest.raises(ConnectionError):
                async with worker.guards.call("stripe", outcome_of, is_retry=False):
                    raise ConnectionError
            await way.enough.wait()
            told, *_ = [one for session in sessions(connections) for one in session.breakers]
        assert way.breakers == {"stripe"}
        assert told.dependency == "stripe"
        assert told.because.startswith("1 calls in a row have failed")

    served(tmp_path, scenario)


def test_a_number_that_is_still_being_answered_is_refused_for_another_request(tmp_path: Path) -> None:
    async def scenario(connections: Connections) -> None:
        reader, writer = await connections.raw()
        writer.write(b'{"id":1,"method":"journal.watch"}\n')
        answer = await ask_raw(reader, writer, b'{"id":1,"method":"queue.list"}')
        assert (answer["id"], answer["error"]["field"]) == (-1, "id")
        writer.close()
        await writer.wait_closed()

    served(tmp_path, scenario)
