"""An event loop whose time is virtual and whose order a scheduler chooses.

Every handle belongs to a node: one simulated process. Within a node handles run in the order in which they were
scheduled, as on any event loop; which node goes on next is the scheduler's choice. A node can stand still, or die:
then nothing of it runs any more. Anything of the host (sockets, threads, signals, subprocesses) is not there.
"""

from __future__ import annotations

import asyncio
import heapq
import inspect
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final

from sheratan.contracts.errors import SheratanError
from sheratan.simulation.choices import Choices

__all__ = ["NODE", "THREAD_US", "Deadlock", "SimulatedLoop", "TooManySteps"]

NODE: Final[ContextVar[str]] = ContextVar("NODE", default="world")
"""The node that the running code belongs to."""

THREAD_US: Final = 5_000
"""How long something that is handed to a thread may take."""

_STEPS_MAX: Final = 400_000


class Deadlock(Exception):
    """Nothing is left to happen, and what was waited for has not."""


class TooManySteps(Exception):
    """The world does not come to an end: something goes on at once, again and again."""


class SimulatedLoop(asyncio.AbstractEventLoop):
    """The loop. Instants are microseconds since the start of the world."""

    def __init__(self, choices: Choices, schedule: str) -> None:
        self.now_us = 0
        self.is_in_thread = False
        """Whether what runs now was handed to a thread."""
        self.accidents: list[str] = []
        """What went wrong where nobody would have seen it."""
        self.before_jump: Callable[[int], None] = lambda until_us: None
        """Called when nothing is left to do before an instant, which the clock is about to jump to."""
        self._choices = choices
        self._schedule = schedule
        self._ready: dict[str, deque[tuple[int, asyncio.Handle]]] = {}
        self._timers: list[tuple[int, int, str, asyncio.TimerHandle]] = []
        self._sequence = 0
        self._steps = 0
        self._still: set[str] = set()
        self._dead: set[str] = set()
        self._ranks: dict[str, int] = {}
        self._graveyard: list[Any] = []
        self._stopped: Exception | None = None

    # ------------------------------------------------------------------------------------------------------------------
    # What asyncio asks of a loop

    def time(self) -> float:
        """Seconds since the start of the world."""
        return self.now_us / 1_000_000

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Always, as far as anybody within it can ask."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: Context | None = None,
        **more: Any,
    ) -> asyncio.Task[Any]:
        """A task of the node that creates it, or of the context's."""
        task = asyncio.Task(coro, loop=self, name=name, context=context, **more)
        # A task of a node that dies is never finished; kept, it is not collected in the middle of the run either.
        self._graveyard.append(task)
        return task

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback after everything that this node has scheduled before."""
        context = copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, context)
        self._sequence += 1
        self._enqueue(context.get(NODE, "world"), self._sequence, handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback after so many seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback at an instant of `time`."""
        context = copy_context() if context is None else context
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._sequence += 1
        item = (round(when * 1_000_000), self._sequence, context.get(NODE, "world"), handle)
        heapq.heappush(self._timers, item)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is dropped when its instant comes."""

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run a function later on, all at once, as if a thread had done it meanwhile."""
        future = self.create_future()

        def work() -> None:
            if future.cancelled():
                return
            self.is_in_thread = True
            try:
                result = func(*args)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            finally:
                self.is_in_thread = False

        self.call_later(self._choices.between("thread", 0, THREAD_US) / 1_000_000, work)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what went wrong in a callback or an abandoned task."""
        if NODE.get() not in self._dead:
            self.accidents.append(f"{context.get('message')}: {context.get('exception')!r}")

    # ------------------------------------------------------------------------------------------------------------------
    # What the world asks of it

    def spawn(self, node: str, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine as a part of a node."""
        context = copy_context()
        context.run(NODE.set, node)
        return self.create_task(coroutine, context=context)

    def on_node(self, node: str, delay_us: int, callback: Callable[..., object], *args: Any) -> None:
        """Run a callback on a node after a while; never, if the node is dead by then."""
        context = copy_context()
        context.run(NODE.set, node)
        self.call_later(delay_us / 1_000_000, callback, *args, context=context)

    def pass_time(self, microseconds: int) -> None:
        """Let time pass while the running callback is at work: a commit that takes its time."""
        self.now_us += microseconds

    def stand_still(self, node: str) -> None:
        """Stop a node, as SIGSTOP does."""
        self._still.add(node)

    def go_on(self, node: str) -> None:
        """Let a node go on."""
        self._still.discard(node)

    def kill(self, node: str) -> None:
        """End a node at once: nothing of it runs any more, not even its clean-up."""
        self._dead.add(node)
        self._still.discard(node)
        for _, handle in self._ready.pop(node, ()):
            self._graveyard.append(handle)

    def is_dead(self, node: str) -> bool:
        """Whether a node was killed."""
        return node in self._dead

    def is_still(self, node: str) -> bool:
        """Whether a node stands still."""
        return node in self._still

    def stop(self, why: Exception) -> None:  # type: ignore[override]
        """End the run with an error after the step that runs now."""
        self._stopped = why

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine of the world, and all nodes, until it has ended."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            task = self.create_task(coroutine)
            while not task.done():
                self._step()
                if self._stopped is not None:
                    raise self._stopped
            return task.result()
        finally:
            events._set_running_loop(before)

    def bury(self) -> None:
        """Close what was left unfinished; an error of a task that nobody has asked for is an accident."""
        events._set_running_loop(self)
        try:
            for item in self._graveyard:
                if isinstance(item, asyncio.Task):
                    item._log_destroy_pending = False  # type: ignore[attr-defined]
                    self._take_note(item)
                    coroutine = item.get_coro()
                    if (
                        inspect.iscoroutine(coroutine)
                        and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
                    ):
                        coroutine.close()
        finally:
            events._set_running_loop(None)
        self._ready.clear()
        self._timers.clear()
        self._graveyard.clear()

    # ------------------------------------------------------------------------------------------------------------------

    def _take_note(self, task: asyncio.Task[Any]) -> None:
        """Of an error that a task ended with and nobody has asked for.

        The end of a process is none, and neither is a typed error: an answer, to somebody who was killed meanwhile.
        """
        if task._log_traceback:  # type: ignore[attr-defined]
            error = task.exception()
            if isinstance(error, Exception) and not isinstance(error, SheratanError):
                self.accidents.append(f"{task.get_coro().__qualname__}: {error!r}")  # type: ignore[union-attr]

    def _enqueue(self, node: str, sequence: int, handle: asyncio.Handle) -> None:
        if node in self._dead:
            self._graveyard.append(handle)
            return
        self._ready.setdefault(node, deque()).append((sequence, handle))

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _STEPS_MAX:
            raise TooManySteps(f"{_STEPS_MAX} steps, and no end")
        self._take_due()
        candidates = [node for node, waiting in self._ready.items() if waiting and node not in self._still]
        if not candidates:
            self._jump()
            return
        node = self._choose(candidates)
        _, handle = self._ready[node].popleft()
        if not self._ready[node]:
            del self._ready[node]
        if not handle.cancelled():
            handle._run()

    def _take_due(self) -> None:
        while self._timers and self._timers[0][0] <= self.now_us:
            _, sequence, node, handle = heapq.heappop(self._timers)
            if not handle.cancelled():
                self._enqueue(node, sequence, handle)

    def _jump(self) -> None:
        while self._timers and (self._timers[0][3].cancelled() or self._timers[0][2] in self._dead):
            self._graveyard.append(heapq.heappop(self._timers)[3])
        if not self._timers:
            raise Deadlock("nothing is left to happen")
        until_us = self._timers[0][0]
        self.before_jump(until_us)
        self.now_us = max(self.now_us, until_us)

    def _choose(self, candidates: Sequence[str]) -> str:
        """The node that goes on: the longest waiting, any, or the one of the highest rank.

        Ranks that seldom change are what finds bugs that need a certain order of few events (Burckhardt et al.,
        "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", 2010).
        """
        if len(candidates) == 1:
            return candidates[0]
        if self._schedule == "fifo":
            return min(candidates, key=lambda node: self._ready[node][0][0])
        ordered = sorted(candidates)
        if self._schedule == "uniform":
            return self._choices.pick("schedule", ordered)
        if self._choices.chance("schedule.change", 10):
            self._ranks.clear()
        return max(ordered, key=lambda node: (self._rank(node), node))

    def _rank(self, node: str) -> int:
        if node not in self._ranks:
            self._ranks[node] = self._choices.draw("schedule.rank", 1 << 20)
        return self._ranks[node]
