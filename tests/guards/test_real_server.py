"""Guards in real time, before a server on a real socket that refuses, hangs and answers."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest

from sheratan.contracts.errors import DependencyUnavailable, TimedOut
from sheratan.contracts.guards import GuardSettings
from sheratan.contracts.telemetry import Event, event_name
from sheratan.guards.guards import GuardedCall, Guards
from sheratan.guards.outcomes import outcome_of

SECONDS_MAX = 60
SETTINGS = GuardSettings(
    concurrency=4,
    timeout_seconds=30.0,
    failures_max=3,
    open_seconds=0.05,
    open_seconds_max=0.1,
    wait_seconds=30.0,
)


class Server:
    """It answers each connection with a line, or hangs up at once, or says nothing."""

    def __init__(self) -> None:
        self.mood = "answers"
        self.connections = self.live = self.peak = 0
        self.port = 0
        self._changed = asyncio.Event()

    async def until_live(self, count: int) -> None:
        while self.live != count:
            self._changed.clear()
            await self._changed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.live += 1
        self.peak = max(self.peak, self.live)
        self._changed.set()
        try:
            if self.mood == "hangs":
                await reader.read()
            elif self.mood == "answers":
                await reader.readline()
                writer.write(b"well\n")
            elif self.mood.isdigit():
                await reader.readuntil(b"\r\n\r\n")
                writer.write(
                    f"HTTP/1.1 {self.mood} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
                )
        finally:
            self.live -= 1
            self._changed.set()
            writer.close()


@asynccontextmanager
async def served() -> AsyncGenerator[Server]:
    found = Server()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    async with server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


class World:
    def __init__(self, server: Server, settings: GuardSettings) -> None:
        self.server = server
        self.told: list[str] = []
        self.guards = Guards({"server": settings}, tell=self._hear)
        self.guards.start()

    def call(self) -> GuardedCall:
        return self.guards.call("server", outcome_of, is_retry=False)

    async def ask(self) -> str:
        """Ask the server through the guard; how that ended."""
        try:
            async with self.call():
                reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
                try:
                    writer.write(b"how are you?\n")
                    if await reader.readline() == b"":
                        raise ConnectionResetError
                finally:
                    writer.close()
        except (DependencyUnavailable, TimedOut, ConnectionError) as error:
            return type(error).__name__
        return "well"

    async def until(self, wanted: str) -> list[str]:
        """Ask until it ends so; how it ended before."""
        said: list[str] = []
        while (one := await self.ask()) != wanted:
            said.append(one)
            await asyncio.sleep(0)
        return said

    def _hear(self, event: Event) -> None:
        self.told.append(event_name(event))


def in_real_time(scenario: Callable[[World], Awaitable[None]], settings: GuardSettings = SETTINGS) -> None:
    async def run() -> None:
        async with asyncio.timeout(SECONDS_MAX), served() as server:
            await scenario(World(server, settings))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("mood", "said", "seconds"), [("hangs up", "ConnectionResetError", 30.0), ("hangs", "TimedOut", 0.5)]
)
def test_a_server_in_trouble_is_left_alone_and_found_again(mood: str, said: str, seconds: float) -> None:
    async def scenario(world: World) -> None:
        world.server.mood = mood
        assert await world.until("DependencyUnavailable") == [said] * 3
        assert world.server.connections == 3
        world.server.mood = "answers"
        before = await world.until("well")
        # On a busy machine an answer may take longer than this test gives it.
        let_through = [one for one in before if one != "DependencyUnavailable"]
        assert set(let_through) <= {"TimedOut"}
        assert world.server.connections <= 3 + len(let_through) + 1, "one at a time, to find out"
        assert world.told[:2] == ["breaker.opened", "breaker.half_opened"]
        assert world.told[-1] == "breaker.closed"

    in_real_time(scenario, msgspec.structs.replace(SETTINGS, timeout_seconds=seconds))


def test_a_server_that_is_gone_is_one_in_trouble_too() -> None:
    async def scenario(world: World) -> None:
        async with served() as other:
            world.server = other
        assert await world.until("DependencyUnavailable") == ["ConnectionRefusedError"] * 3

    in_real_time(scenario)


def test_cancelled_calls_leave_no_connection_and_no_permit_behind() -> None:
    async def scenario(world: World) -> None:
        world.server.mood = "hangs"
        for _ in range(5):
            tasks = [asyncio.create_task(world.ask()) for _ in range(12)]
            await world.server.until_live(4)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await world.server.until_live(0)
        [found] = world.guards.records
        assert (found.in_flight, found.waiting, found.state) == (0, 0, "closed")
        assert world.server.peak == 4
        world.server.mood = "answers"
        assert await asyncio.gather(*(world.ask() for _ in range(20))) == ["well"] * 20
        assert world.server.peak == 4

    in_real_time(scenario)


def test_threads_are_guarded_as_tasks_are() -> None:
    async def scenario(world: World) -> None:
        def ask() -> str:
            try:
                with world.call() as call:
                    url = f"http://127.0.0.1:{world.server.port}/"
                    with urllib.request.urlopen(url, timeout=call.timeout_seconds) as answer:
                        return str(answer.status)
            except DependencyUnavailable as error:
                return str(error.extra["reason"])
            except urllib.error.HTTPError as error:
                with suppress(OSError):
                    error.close()
                return str(error.code)

        async def said(times: int) -> list[str]:
            loop = asyncio.get_running_loop()
            return [await loop.run_in_executor(None, ask) for _ in range(times)]

        world.server.mood = "404"
        assert await said(6) == ["404"] * 6, "what was asked for is not there, and the server is"
        world.server.mood = "503"
        assert await said(3) == ["503"] * 3
        assert await said(1) in (["breaker"], ["503"])
        assert world.told[:1] == ["breaker.opened"]

    in_real_time(scenario)
