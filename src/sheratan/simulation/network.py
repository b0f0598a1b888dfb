"""The network between callers and servers: messages are late, lost, doubled, overtaken, and connections break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from sheratan.contracts import api
from sheratan.contracts.errors import Disconnected, SheratanError, TimedOut
from sheratan.contracts.principal import Principal
from sheratan.gateway.api import Api
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.loop import NODE, SimulatedLoop
from sheratan.simulation.options import Options

__all__ = ["Connection", "Network", "Served"]

_SLOW_US = (20_000, 1_000_000, 15_000_000)


class Served(Protocol):
    """What a network needs to know of a server: its node and its API, None while it does not run."""

    node: str
    api: Api | None


class Network:
    """Carries requests and replies between nodes."""

    def __init__(self, loop: SimulatedLoop, choices: Choices, coverage: Coverage, options: Options) -> None:
        self.loop = loop
        self.choices = choices
        self.coverage = coverage
        self.options = options
        self.server: Served | None = None
        """Whom a new connection reaches."""
        self.has_seen_enough: Callable[[], bool] = lambda: False
        """Whether so much has happened that clients leave, whatever they were to do."""
        self._connections: dict[str, list[Connection]] = {}

    def may(self, fault: str) -> bool:
        """Whether a fault of the network happens now."""
        if self.choices.chance(fault, self.options.rate(fault)):
            if fault != "network.slow":
                self.coverage.hit(fault)
            return True
        return False

    def join(self, node: str, connection: Connection) -> None:
        """A connection to a node was opened."""
        self._connections.setdefault(node, []).append(connection)

    def reset(self, node: str) -> None:
        """A node has ended: the host closes its connections, and their callers hear of it. Nobody listens there."""
        if self.server is not None and self.server.node == node:
            self.server = None
        for connection in self._connections.pop(node, ()):
            connection.reset()

    def delay_us(self) -> int:
        """How long a message takes."""
        if self.may("network.slow"):
            self.coverage.hit("network.reordered")
            return self.choices.pick("network.slow_us", _SLOW_US)
        return self.choices.between("network.delay", 10, 500)


class Connection:
    """A caller's connection to the server that runs when it is opened. When that one is gone, so is the connection."""

    def __init__(self, network: Network, name: str) -> None:
        self._network = network
        self._by = Principal(actor=f"local:{name}", auth="socket", on_behalf_of=f"local:{name}")
        self._server = network.server
        self._node = self._server.node if self._server is not None else ""
        self._sessions: set[int] = set()
        self._tasks: dict[asyncio.Task[Any], asyncio.Future[Any]] = {}
        self._waiting: dict[asyncio.Future[Any], str] = {}
        self.is_broken = self._server is None
        network.join(self._node, self)

    async def call(self, request: api.Request, seconds: float) -> Any:
        """The answer to a request. Disconnected and TimedOut say that nobody knows what became of it."""
        network = self._network
        if network.may("network.hung_up"):
            self.hang_up()
        if self.is_broken:
            raise Disconnected("the connection has ended")
        reply: asyncio.Future[Any] = network.loop.create_future()
        caller = NODE.get()
        for delay_us in () if network.may("network.request_lost") else self._delays_us():
            network.loop.on_node(self._node, delay_us, self._arrive, request, caller, reply)
        self._waiting[reply] = caller
        try:
            async with asyncio.timeout(seconds):
                return await reply
        except TimeoutError:
            # Who stops waiting says so, as far as that arrives.
            network.loop.on_node(self._node, network.delay_us(), self._give_up, reply)
            raise TimedOut(f"no answer within {seconds:g} seconds") from None
        finally:
            del self._waiting[reply]

    def _delays_us(self) -> list[int]:
        """How long a request takes and, when it is doubled, its copy: one batch may have both."""
        delays_us = [self._network.delay_us()]
        if self._network.may("network.request_duplicated"):
            copy_us = self._network.delay_us()
            delays_us.append(self._network.choices.pick("network.copy", (copy_us, delays_us[0])))
        return delays_us

    def reset(self) -> None:
        """The server's end of it is gone."""
        self.is_broken = True
        for reply, caller in self._waiting.items():
            self._answer(caller, reply, None, Disconnected("the connection was reset"))

    def hang_up(self) -> None:
        """Break the connection: the server learns of it after a while."""
        if not self.is_broken:
            self.is_broken = True
            self._network.loop.on_node(self._node, self._network.delay_us(), self._gone)

    def _arrive(self, request: api.Request, caller: str, reply: asyncio.Future[Any]) -> None:
        """A request has reached the server's node."""
        server = self._server
        if server is None or server.node != self._node or server.api is None:
            self._answer(caller, reply, None, Disconnected("nobody listens"))
            return
        task = self._network.loop.spawn(self._node, self._serve(server.api, request, caller, reply))
        self._tasks[task] = reply
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _serve(
        self, served: Api, request: api.Request, caller: str, reply: asyncio.Future[Any]
    ) -> None:
        try:
            with self._waited_for(served):
                value, error = await served.handle(request, self._by, sorted(self._sessions)), None
        except SheratanError as refusal:
            value, error = None, refusal
        if isinstance(request, api.RegisterWorker) and value is not None:
            self._sessions.add(value.session)
            if self.is_broken:
                self._gone()
        network = self._network
        if network.may("network.reply_lost"):
            return
        for _ in range(1 + network.may("network.reply_duplicated")):
            self._answer(caller, reply, value, error)

    def _waited_for(self, served: Api) -> AbstractContextManager[None]:
        """Some callers say for how long they wait."""
        timeout_us = self._network.choices.pick("network.timeout_us", (0, 0, 50_000, 1_000_000))
        return served.waited_for(timeout_us) if timeout_us else nullcontext()

    def _give_up(self, reply: asyncio.Future[Any]) -> None:
        """Nobody waits for this answer any more."""
        for task in [task for task, wanted in self._tasks.items() if wanted is reply]:
            task.cancel()

    def _answer(
        self, caller: str, reply: asyncio.Future[Any], value: Any, error: SheratanError | None
    ) -> None:
        self._network.loop.on_node(caller, self._network.delay_us(), _deliver, reply, value, error)

    def _gone(self) -> None:
        """The server has noticed that the caller hung up: nobody waits for answers, and its workers are gone."""
        for task in list(self._tasks):
            task.cancel()
        server = self._server
        if server is None or server.api is None:
            return
        for session in sorted(self._sessions):
            self._network.loop.spawn(self._node, _close_session(server.api, session))
        self._sessions.clear()


async def _close_session(served: Api, session: int) -> None:
    try:
        await served.close_session(session)
    except SheratanError:
        # The server has stopped or halted meanwhile: its sessions end with it.
        return


def _deliver(reply: asyncio.Future[Any], value: Any, error: SheratanError | None) -> None:
    """A reply has reached its caller, who may have stopped waiting, or have it already."""
    if reply.done():
        return
    if error is None:
        reply.set_result(value)
    else:
        reply.set_exception(error)
