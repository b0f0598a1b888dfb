"""The engine of a world: started on a store in memory, killed, started again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts import api
from sheratan.contracts.code import versioned
from sheratan.contracts.errors import Disconnected
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.engine.decider import Decider
from sheratan.engine.engine import Engine
from sheratan.gateway.api import Api
from sheratan.sdk.kind import Kind
from sheratan.store.rows import NEVER_US
from sheratan.store.sqlite.store import open_store
from sheratan.testing.loop import INLINE, VirtualLoop

__all__ = ["Host", "HostTransport", "WorldClock"]

_VERSION: Final = "testing"


class WorldClock:
    """The clock of a world: the loop's time, from an instant on."""

    def __init__(self, loop: VirtualLoop, start_us: int) -> None:
        self._loop = loop
        self._offset_us = start_us - loop.now_us

    def now_us(self) -> int:
        """Virtual microseconds since the epoch, UTC."""
        return self._loop.now_us + self._offset_us

    def monotonic_us(self) -> int:
        """Virtual microseconds since the loop was made."""
        return self._loop.now_us

    def __reduce__(self) -> tuple[Any, ...]:
        """What goes to a process of its own: the world's time stands still while that is waited for."""
        return _standing, (self.now_us(), self.monotonic_us())


def _standing(now_us: int, monotonic_us: int) -> VirtualClock:
    clock = VirtualClock(now_us - monotonic_us)
    clock.advance(monotonic_us)
    return clock


class Host:
    """The process that the engine runs in. The store outlives it."""

    def __init__(
        self, loop: VirtualLoop, clock: WorldClock, limits: Limits, kinds: Sequence[Kind[Any, Any]]
    ) -> None:
        self.store = open_store(Path(":memory:"), clock.now_us())
        self._loop = loop
        self.clock = clock
        self._limits = limits
        self._checks = {versioned(kind.name, kind.version): kind.check_input for kind in kinds}
        self._number = 0
        self._calls: dict[asyncio.Task[Any], asyncio.Future[Any]] = {}
        self._dead: list[tuple[str, Api]] = []

    @property
    def _node(self) -> str:
        return f"engine{self._number}"

    async def start(self) -> None:
        """Take the store over, and serve."""
        self._number += 1
        decider = Decider(self.store, self.clock, SeededRandomness(self._number), self._limits)
        # Nobody sets the clock of a world, and years of schedules are skipped.
        decider.look_us = NEVER_US
        self._engine = Engine(decider, self.store, version=_VERSION)
        self._api = Api(self._engine, self.store, str(Path(":memory:")))
        self._api.checks.update(self._checks)
        await self._do(self._engine.start)

    def kill(self) -> None:
        """End the process at once; who waits for an answer is disconnected."""
        self._loop.freeze(self._node)
        self._dead.append((self._node, self._api))
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(Disconnected("the engine was killed"))
        self._calls.clear()

    async def stop(self) -> None:
        """End the process in order."""
        await self._do(self._engine.stop)
        self._api.close()

    async def bury(self) -> None:
        """Clean up after the processes that were killed."""
        for node, served in self._dead:
            self._loop.bury(node)
            served.close()
        await self._loop.settle()

    def handle(self, request: api.Request, by: Principal, sessions: Sequence[int] = ()) -> Awaitable[Any]:
        """The answer to a request; Disconnected when the process is killed meanwhile."""
        return self._do(lambda: self._api.handle(request, by, sessions))

    async def stream(self, request: api.Request) -> AsyncIterator[Any]:
        """The items of a stream; Disconnected when the process is killed meanwhile."""
        items = self._api.stream(request)
        while True:
            try:
                item = await self._do(partial(anext, items))
            except StopAsyncIteration:
                return
            yield item

    async def close_session(self, session: int) -> None:
        """The connection of a worker has gone, and with it the worker."""
        await self._do(lambda: self._api.close_session(session))

    async def _do(self, begin: Callable[[], Awaitable[Any]]) -> Any:
        """Have the process do something; one that is killed first never begins it."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        task = self._loop.spawn(self._node, _inline(begin))
        self._calls[task] = answer
        task.add_done_callback(self._hand_over)
        try:
            return await answer
        finally:
            if self._calls.pop(task, None) is not None:
                task.cancel()

    def _hand_over(self, task: asyncio.Task[Any]) -> None:
        answer = self._calls.pop(task, None)
        if task.cancelled():
            if answer is not None and not answer.done():
                answer.cancel()
            return
        error = task.exception()
        if answer is None or answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(task.result())


async def _inline(begin: Callable[[], Awaitable[Any]]) -> Any:
    INLINE.set(True)
    return await begin()


class HostTransport:
    """The API for a client in a world; it reaches whatever engine runs now."""

    def __init__(self, host: Host, by: Principal) -> None:
        self._host = host
        self._by = by

    def call(self, request: api.Request, seconds: float | None = None) -> Awaitable[Any]:
        """The answer to a request."""
        return self._host.handle(request, self._by)

    def stream(self, request: api.Request) -> AsyncIterator[Any]:
        """The items of a stream."""
        return self._host.stream(request)

    async def close(self) -> None:
        """Nothing to hang up."""
