"""The HTTP listener: what it says, whom it turns away, and that nobody can hold it up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from sheratan.contracts.errors import AddressInUse, InvalidInput, Unavailable
from sheratan.contracts.system import ChangeState
from sheratan.gateway import health
from sheratan.gateway.health import HealthServer
from sheratan.settings import Settings
from sheratan.wiring.server import Server
from tests.engine.world import limit_pages
from tests.sdk import sample_kinds as kinds

SECONDS_MAX = 60


@asynccontextmanager
async def listening(folder: Path, *, started: bool = True) -> AsyncGenerator[tuple[Server, HealthServer]]:
    """A server and its listener, on a port that is free."""
    server = Server(Settings(data=str(folder / "data")), program="a test")
    listener = HealthServer(server.api, server.engine, "127.0.0.1:0")
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await listener.start()
            if started:
                await server.start([kinds.echo])
            yield server, listener
    finally:
        await listener.stop()
        await server.stop(0, "the test is over")


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def ask(listener: HealthServer, raw: bytes) -> tuple[int, str]:
    """Send bytes; the status and the body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(raw)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    await hang_up(writer)
    assert b"Connection: close" in head
    return int(head.split()[1]), body.decode()


async def get(listener: HealthServer, target: str) -> tuple[int, str]:
    return await ask(listener, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


def test_a_server_that_is_well_says_so_everywhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (server, listener):
            for target in ("/livez", "/healthz", "/readyz", "/startupz"):
                assert await get(listener, target) == (200, "ok\n")
            told = "engine: ok\nkinds: ok\ndatabase: ok\nsystem: ok\npressure: ok\nok\n"
            assert await get(listener, "/readyz?verbose") == (200, told)
            status, version = await get(listener, "/version")
            assert (status, json.loads(version)) == (200, {"version": server.engine.version})
            status, text = await get(listener, "/metrics")
            assert status == 200
            assert "sheratan_ready 1.0\n" in text
            assert await ask(listener, b"HEAD /livez HTTP/1.0\r\n\r\n") == (200, "")

    asyncio.run(scenario())


def test_before_its_start_it_is_alive_and_nothing_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, started=False) as (_, listener):
            assert await get(listener, "/livez") == (200, "ok\n")
            assert await get(listener, "/startupz") == (503, "not ready\n")
            assert (await get(listener, "/readyz"))[0] == 503

    asyncio.run(scenario())


def test_it_is_not_ready_while_it_drains(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (server, listener):
            await server.engine.drain("a test")
            told = "engine: failed\nkinds: ok\ndatabase: ok\nsystem: failed\npressure: ok\nnot ready\n"
            assert await get(listener, "/readyz?verbose") == (503, told)
            assert await get(listener, "/livez") == (200, "ok\n")

    asyncio.run(scenario())


def test_it_is_not_ready_while_nothing_comes_in_and_does_not_say_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (server, listener):
            await server.client().transport.call(ChangeState(to="halted", reason="the key is hunter2"))
            status, told = await get(listener, "/readyz?verbose")
            assert (status, "system: failed" in told, "hunter2" in told) == (503, True, False)
            server.engine.kinds.problems.append("kinds of module m failed to load: password hunter2")
            status, told = await get(listener, "/readyz?verbose")
            assert (status, "kinds: failed" in told, "hunter2" in told) == (503, True, False)

    asyncio.run(scenario())


def test_it_is_not_ready_while_nothing_can_be_committed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (server, listener):
            limit_pages(server._store, full=True)
            with pytest.raises(Unavailable):
                await server.client().submit(kinds.echo, "x" * 100_000)
            status, told = await get(listener, "/readyz?verbose")
            assert (status, "database: failed" in told) == (503, True)

    asyncio.run(scenario())


def test_metrics_are_unavailable_once_the_server_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (server, listener):
            server.api.close()
            assert await get(listener, "/metrics") == (503, "unavailable\n")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
        (b"POST /livez HTTP/1.1\r\n\r\n", 405),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (b"GET /livez HTTP/2\r\n\r\n", 400),
        (b"GET /" + b"x" * 3_000 + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_request_for_it_is_refused(tmp_path: Path, raw: bytes, status: int) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (_, listener):
            assert (await ask(listener, raw))[0] == status
            assert await get(listener, "/livez") == (200, "ok\n")

    asyncio.run(scenario())


def test_a_caller_too_many_is_turned_away_and_the_next_one_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CONNECTIONS_MAX", 2)

    async def scenario() -> None:
        async with listening(tmp_path) as (_, listener):
            idle = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
            assert await get(listener, "/livez") == (503, "too many connections\n")
            crowd = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            with suppress(ConnectionError):
                assert await reader.read() == b"", "beyond that nobody is even told"
            for _, one in (*crowd, (reader, writer)):
                await hang_up(one)
            for reader, writer in idle:
                writer.write(b"GET /livez HTTP/1.1\r\n\r\n")
                assert b"200 OK" in await reader.read()
                await hang_up(writer)
            assert await get(listener, "/livez") == (200, "ok\n")

    asyncio.run(scenario())


@pytest.mark.parametrize("sent", [b"", b"GET /livez", b"GET /livez HTTP/1.1\r\n\r\n"])
def test_who_never_asks_or_never_hangs_up_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(health, "SECONDS_MAX", 0.2)

    async def scenario() -> None:
        async with listening(tmp_path) as (_, listener):
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(sent)
            with suppress(ConnectionError):
                answer = await reader.read()
                assert answer.startswith(b"HTTP/1.1 200 OK" if sent.endswith(b"\r\n\r\n") else b"")
            await asyncio.gather(*listener._connections)
            assert listener._connections == set()
            await hang_up(writer)

    asyncio.run(scenario())


def test_a_port_that_is_taken_is_refused_by_the_settings_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (server, listener):
            second = HealthServer(server.api, server.engine, f"127.0.0.1:{listener.port}")
            with pytest.raises(
                AddressInUse, match=r"metrics\.listen: another program listens on 127\.0\.0\.1"
            ):
                await second.start()
            with pytest.raises(InvalidInput, match=r"metrics\.listen: cannot listen on"):
                await HealthServer(server.api, server.engine, "192.0.2.1:9464").start()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "listen", ["9464", "localhost", "127.0.0.1:port", "127.0.0.1:70000", ":9464", "::1:9464"]
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, listen: str) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, started=False) as (server, _):
            with pytest.raises(InvalidInput, match=r"is not HOST:PORT"):
                HealthServer(server.api, server.engine, listen)
            HealthServer(server.api, server.engine, "[::1]:9464")

    asyncio.run(scenario())
