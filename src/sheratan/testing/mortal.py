"""The worker of a world, which can die: between what it does and what it reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts import api
from sheratan.contracts.errors import Disconnected
from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import Assignment
from sheratan.guards.guards import Guards
from sheratan.sdk.client import Client
from sheratan.sdk.kind import Kind
from sheratan.sdk.step_watch import WATCHER
from sheratan.sdk.worker import Worker
from sheratan.testing.crashes import START, Crashes, Place, When, places_of
from sheratan.testing.host import Host
from sheratan.testing.loop import VirtualLoop

__all__ = ["MortalWorker"]


class MortalWorker:
    """One process that runs handlers, from its start to its end. It is the transport of its own worker, too."""

    def __init__(self, number: int, loop: VirtualLoop, host: Host, by: Principal, crashes: Crashes) -> None:
        self.held: dict[int, Assignment] = {}
        """What it was given, by fence."""
        self.on_death: Callable[[MortalWorker], object] = lambda worker: None
        self._number = number
        self._node = f"worker{number}"
        self._loop = loop
        self._host = host
        self._by = by
        self._crashes = crashes
        self._sessions: list[int] = []
        self._is_dead = False
        self._worker: Worker | None = None
        self._begun: asyncio.Future[None] = loop.create_future()

    async def start(
        self, kinds: Sequence[Kind[Any, Any]], watch: Callable[[Assignment, str], object]
    ) -> None:
        """Come on duty; one that dies meanwhile has come, too."""

        async def begin() -> None:
            WATCHER.set(watch)
            self._worker = Worker(Client(self), kinds, name="testing")
            clock = self._host.clock
            self._worker.guards = Guards(clock=clock, randomness=SeededRandomness(self._number))
            await self._worker.start()

        task = self._loop.spawn(self._node, begin())
        task.add_done_callback(lambda _: self._has_begun())
        await self._begun
        if task.done():
            task.result()

    def assignment_of(self, task: asyncio.Task[Any]) -> Assignment | None:
        """What the task of an attempt works at. From any thread."""
        return None if self._worker is None else self._worker.assignment_of(task)

    def die(self) -> None:
        """End at once, as by SIGKILL. What it held is lost once the engine has noticed."""
        if not self._is_dead:
            self._is_dead = True
            self._loop.freeze(self._node)
            self._has_begun()
            self.on_death(self)

    async def report_lost(self) -> None:
        """The engine notices that the connection has gone."""
        # Registrations that are under way come before this in the engine's inbox, so the list may grow meanwhile.
        for session in self._sessions:
            await self._host.close_session(session)

    async def stop(self) -> None:
        """Go off duty in order, or clean up after a death."""
        if self._is_dead:
            self._loop.bury(self._node)
            await self._loop.settle()
        if self._worker is not None:
            await self._worker.stop()

    async def call(self, request: api.Request, seconds: float | None = None) -> Any:
        """The answer to a request, unless the worker dies just before or after it."""
        if self._is_dead:
            raise Disconnected("this worker has died")
        if isinstance(request, api.RegisterWorker):
            # On nobody's node: a registration that is under way when the worker dies is reported as lost, too.
            return await self._loop.spawn("", self._register(request))
        places = places_of(request, self.held)
        await self._pass(places, "before")
        answer = await self._host.handle(request, self._by, self._sessions)
        if isinstance(request, api.LeaseJobs):
            assignments: list[Assignment] = answer
            self.held.update({one.fence: one for one in assignments})
            places = [Place(one.kind, one.id, START) for one in assignments]
        await self._pass(places, "after")
        return answer

    def stream(self, request: api.Request) -> AsyncIterator[Any]:
        """The items of a stream."""
        return self._host.stream(request)

    async def close(self) -> None:
        """Nothing to hang up."""

    def _has_begun(self) -> None:
        if not self._begun.done():
            self._begun.set_result(None)

    async def _register(self, request: api.RegisterWorker) -> api.WorkerSession:
        granted: api.WorkerSession = await self._host.handle(request, self._by)
        self._sessions.append(granted.session)
        return granted

    async def _pass(self, places: Sequence[Place], when: When) -> None:
        dies = False
        for place in places:
            dies |= self._crashes.passes(place, when)
        if dies:
            self.die()
            # Whoever is frozen does not come back from here.
            await self._loop.create_future()
