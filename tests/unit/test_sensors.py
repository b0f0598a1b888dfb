"""The host's sensors: room on a disk, and whether somebody answers on a real socket."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from sheratan.ambient.sensors import HostSensors
from sheratan.contracts.health import address_of

SECONDS_MAX = 20


@pytest.fixture
def sensors(tmp_path: Path) -> Iterator[HostSensors]:
    with closing(HostSensors(tmp_path)) as found:
        yield found


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port at which nobody ever answers: as many connections wait to be accepted as may."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        yield int(server.getsockname()[1])
        for caller in callers:
            caller.close()


@asynccontextmanager
async def answering(answer: bytes, asked: list[bytes]) -> AsyncGenerator[int]:
    """A server that says this to whoever asks; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def reach(sensors: HostSensors, url: str, seconds: float = SECONDS_MAX) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(seconds):
            await sensors.reach(address_of(url))

    asyncio.run(scenario())


def test_the_disk_of_the_data_directory_has_room(sensors: HostSensors) -> None:
    room = asyncio.run(sensors.room())
    assert 0 < room.free <= room.total


def test_somebody_who_listens_is_reached(sensors: HostSensors) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reach(sensors, f"tcp://127.0.0.1:{port}")
        reach(sensors, f"tcp://localhost:{port}")


def test_nobody_who_listens_is_a_refusal_in_words(sensors: HostSensors) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OSError, match=r"^Connection refused$"):
        reach(sensors, f"tcp://127.0.0.1:{port}")


def test_a_name_that_nobody_has_is_an_error(sensors: HostSensors) -> None:
    with pytest.raises(OSError, match=r"\w"):
        reach(sensors, "tcp://nobody.invalid:25")


def test_silence_is_waited_for_as_long_as_whoever_asks_likes(sensors: HostSensors, black_hole: int) -> None:
    with pytest.raises(TimeoutError):
        reach(sensors, f"tcp://127.0.0.1:{black_hole}", 0.2)


def test_a_hundred_that_say_nothing_take_no_longer_than_one(sensors: HostSensors, black_hole: int) -> None:
    async def one() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await sensors.reach(address_of(f"tcp://127.0.0.1:{black_hole}"))

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(one() for _ in range(100)))
        return loop.time() - began

    # One after the other would take 200 s. How much more than one it is, is measured: here others are at work, too.
    assert asyncio.run(scenario()) <= 3.0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", None),
        (b"HTTP/1.1 499\r\n\r\n", None),
        (b"HTTP/1.1 500 Oh\r\n\r\n", "HTTP status 500"),
        (b"HTTP/1.1 503 No\r\n\r\n", "HTTP status 503"),
        (b"SSH-2.0-x\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 none\r\n", "does not speak HTTP"),
        (b"", "does not speak HTTP"),
        (b"H" * 5_000, "does not speak HTTP"),
    ],
)
def test_any_status_below_500_will_do(sensors: HostSensors, answer: bytes, error: str | None) -> None:
    asked: list[bytes] = []

    async def scenario() -> None:
        async with asyncio.timeout(SECONDS_MAX), answering(answer, asked) as port:
            address = address_of(f"http://127.0.0.1:{port}/healthz?deep=1")
            if error is None:
                await sensors.reach(address)
            else:
                with pytest.raises(OSError, match=error):
                    await sensors.reach(address)

    asyncio.run(scenario())
    [lines] = [one.split(b"\r\n") for one in asked]
    assert lines[0] == b"GET /healthz?deep=1 HTTP/1.1"
    assert b"Connection: close" in lines


def test_who_speaks_no_tls_is_not_reached_by_https(sensors: HostSensors) -> None:
    async def scenario() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with asyncio.timeout(SECONDS_MAX), server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ssl.SSLError):
                await sensors.reach(address_of(f"https://127.0.0.1:{port}"))

    asyncio.run(scenario())
