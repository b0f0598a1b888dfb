"""An event loop whose time is virtual: it jumps to the next timer whenever everybody waits.

Threads are real: while one runs that the loop waits for, time stands still. Sockets, pipes and subprocesses are
refused, for nobody can tell a connection that is about to answer from one that is idle. A part of the program (a node:
one simulated process) can be frozen, as by SIGKILL: nothing of it runs any more, not even its clean-up.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, NoReturn

from sheratan.ambient.clock import SystemClock
from sheratan.testing.errors import NoRealIO, NothingLeft, TooSlow, WorldError

__all__ = ["INLINE", "REAL_SECONDS_MAX", "VirtualLoop"]

REAL_SECONDS_MAX: Final = 60.0
"""How much real time a test may take, in seconds: years are skipped in one or two, and a hang shows soon."""

_GRACE_SECONDS: Final = 5.0
"""Real time that a test has to clean up once it was told that it has come to no end."""

_LOOK_SECONDS: Final = 0.5

_NODE: Final[ContextVar[str]] = ContextVar("sheratan_node", default="")
"""The node that the running code belongs to; the test itself is none."""

INLINE: Final[ContextVar[bool]] = ContextVar("sheratan_inline", default=False)
"""Whether what is handed to threads is done at once instead: the engine's reads and commits, on the one connection."""

_REFUSED: Final = (
    "add_reader",
    "add_writer",
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "getaddrinfo",
    "getnameinfo",
    "sendfile",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_sendall",
    "sock_sendfile",
    "sock_sendto",
    "start_tls",
    "subprocess_exec",
    "subprocess_shell",
)


class _Selector(selectors.DefaultSelector):
    """Asks the loop what to do instead of waiting."""

    def __init__(self, wait: Callable[[float | None], float]) -> None:
        super().__init__()
        self._wait = wait

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What has happened on the loop's own pipe, through which threads tell that they have ended."""
        found = super().select(0)
        if found:
            return found
        return super().select(self._wait(timeout))


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `asyncio.Runner(loop_factory=VirtualLoop)` runs on it, as `sheratan.testing.run` does."""

    def __init__(self, real_seconds_max: float = REAL_SECONDS_MAX) -> None:
        self.now_us = 0
        """Virtual microseconds since the loop was made."""
        self.main: asyncio.Task[Any] | None = None
        """The test: it is cancelled when it can come to no end, and `verdict` says why."""
        self.verdict: WorldError | None = None
        self.end_us: float = math.inf
        """Nothing comes at this instant or later: it stands for never."""
        self._real = SystemClock()
        self._real_seconds_max = real_seconds_max
        self._real_end_us = self._real.monotonic_us() + round(real_seconds_max * 1_000_000)
        self._threads = 0
        self._settling: list[asyncio.Future[None]] = []
        self._frozen: dict[str, list[tuple[Callable[..., object], tuple[Any, ...], Context]]] = {}
        self._tasks: dict[str, list[asyncio.Task[Any]]] = {}
        super().__init__(_Selector(self._wait))
        # Timers closer than this count as due. The host's nanosecond is lost in a float that counts months.
        self._clock_resolution = 1e-6

    # ------------------------------------------------------------------------------------------------------------------
    # What asyncio asks of a loop

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now_us / 1_000_000

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback in the next turn; if its node is frozen by then, once it is buried."""
        context = copy_context() if context is None else context
        node = context.get(_NODE, "")
        if not node:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(self._unless_frozen, node, callback, args, context, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback at an instant of `time`."""
        context = copy_context() if context is None else context
        node = context.get(_NODE, "")
        if not node:
            return super().call_at(when, callback, *args, context=context)
        return super().call_at(when, self._unless_frozen, node, callback, args, context, context=context)

    def create_task(self, coro: Any, **more: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        """A task of the node that creates it, or of the context's."""
        task = super().create_task(coro, **more)
        node = (more.get("context") or copy_context()).get(_NODE, "")
        if node:
            tasks = self._tasks.setdefault(node, [])
            if len(tasks) > 1_000:
                tasks[:] = [one for one in tasks if not one.done()]
            tasks.append(task)
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run a function in a thread, while time stands still."""
        if INLINE.get():
            done: asyncio.Future[Any] = self.create_future()
            try:
                done.set_result(func(*args))
            except Exception as error:
                done.set_exception(error)
            return done
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        # In a context of no node, for a thread that a frozen one has left behind ends, too.
        future.add_done_callback(self._thread_ended, context=Context())
        return future

    async def shutdown_default_executor(self, *given: Any) -> None:
        """Wait for the default threads to end."""
        self._threads += 1
        try:
            await super().shutdown_default_executor(*given)
        finally:
            self._threads -= 1

    # ------------------------------------------------------------------------------------------------------------------
    # What a world asks of it

    def spawn(self, node: str, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine as a part of a node."""
        context = copy_context()
        context.run(_NODE.set, node)
        return self.create_task(coroutine, context=context)

    def freeze(self, node: str) -> None:
        """End a node, as SIGKILL does: nothing of it runs any more."""
        self._frozen.setdefault(node, [])

    def bury(self, node: str) -> None:
        """Let what a frozen node has left unfinished end as cancelled, so that nothing stays behind."""
        for task in self._tasks.pop(node, ()):
            task.cancel()
        for callback, arguments, context in self._frozen.pop(node, ()):
            self.call_soon(callback, *arguments, context=context)

    async def settle(self) -> None:
        """Wait until all that happens without time going by has happened."""
        settled: asyncio.Future[None] = self.create_future()
        self._settling.append(settled)
        await settled

    # ------------------------------------------------------------------------------------------------------------------

    def _unless_frozen(
        self, node: str, callback: Callable[..., object], arguments: tuple[Any, ...], context: Context
    ) -> None:
        held = self._frozen.get(node)
        if held is None:
            callback(*arguments)
        else:
            held.append((callback, arguments, context))

    def _thread_ended(self, _: object) -> None:
        self._threads -= 1

    def _wait(self, timeout: float | None) -> float:
        """Go on to the next timer, if there is one (`timeout` is not None), or say how long to wait for a thread."""
        if self._real.monotonic_us() > self._real_end_us:
            self._real_end_us += round(_GRACE_SECONDS * 1_000_000)
            self._give_up(TooSlow(self._why_slow()))
            return 0
        if timeout is not None and timeout <= 0:
            return 0
        if self._threads:
            return _LOOK_SECONDS
        settling = [one for one in self._settling if not one.done()]
        self._settling.clear()
        for one in settling:
            one.set_result(None)
        if not settling:
            self._jump(is_any_left=timeout is not None)
        return 0

    def _jump(self, *, is_any_left: bool) -> None:
        until_us = math.inf
        if is_any_left:
            # Asked of the timers themselves: a loop never waits for more than a day at once.
            until_us = math.ceil(self._scheduled[0].when() * 1_000_000)  # type: ignore[attr-defined]
        if until_us < self.end_us:
            self.now_us = max(self.now_us + 1, int(until_us))
        else:
            self._give_up(NothingLeft("everybody waits, and nothing is left to happen"))

    def _why_slow(self) -> str:
        limit = f"{self._real_seconds_max:g} real seconds (real_seconds_max) are over"
        if self._threads:
            return f"{limit}, and time stands still: {self._threads} threads run that the loop waits for"
        return f"{limit}: what the test waits for does not come, however much time is skipped"

    def _give_up(self, error: WorldError) -> None:
        if self.verdict is not None or self.main is None or self.main.done():
            raise error
        self.verdict = error
        self.main.cancel()


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(self: VirtualLoop, *_: object, **__: object) -> NoReturn:
        raise NoRealIO(
            f"{name}: sockets, pipes and subprocesses do not work in virtual time; do it in a plain function (a "
            "step or a handler that runs in a thread, where time stands still), or give the handler a stand-in"
        )

    return refuse


for _name in _REFUSED:
    setattr(VirtualLoop, _name, _refusal(_name))
