"""The watchdog sees a call that blocks the loop, names it, and sees nothing where nothing is blocked."""

from __future__ import annotations

import asyncio
import hashlib
import queue
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from sheratan.ambient import watchdog
from sheratan.ambient.clock import SystemClock
from sheratan.ambient.watchdog import Watchdog, look

Blocked = watchdog.Blocked[str]
SECONDS = 0.05
SECONDS_MAX = 30.0


def name(task: asyncio.Task[Any]) -> str:
    return task.get_name()


class Seen:
    """What a watchdog has told."""

    def __init__(self) -> None:
        self.told = queue.Queue[Blocked]()
        self.goes_on = threading.Event()

    def __call__(self, found: Blocked) -> None:
        self.told.put(found)
        if found.still:
            self.goes_on.set()

    def block(self) -> None:
        """Block whoever calls until the watchdog has seen it."""
        assert self.goes_on.wait(SECONDS_MAX)


async def handler_that_blocks(seen: Seen) -> None:
    seen.block()


def watched(scenario: Callable[[Seen], Coroutine[Any, Any, None]]) -> list[Blocked]:
    """What is told of a scenario that blocks the loop, until it is over."""
    seen, found = Seen(), list[Blocked]()

    async def live() -> None:
        dog = Watchdog(SystemClock(), SECONDS, name, seen, again_seconds=SECONDS)
        dog.start()
        try:
            await scenario(seen)
            while not found or found[-1].still:
                found.append(await asyncio.to_thread(seen.told.get, timeout=SECONDS_MAX))
        finally:
            dog.stop()

    asyncio.run(live())
    return found


def test_a_handler_that_blocks_is_named_while_it_does_and_once_it_is_over() -> None:
    async def scenario(seen: Seen) -> None:
        await asyncio.create_task(handler_that_blocks(seen), name="blocking")

    found = watched(scenario)
    first, last = found[0], found[-1]
    assert first.still
    assert last.microseconds > first.microseconds >= SECONDS * 1_000_000
    for one in (first, last):
        assert one.function == "Seen.block"
        assert Path(one.file) == Path(__file__)
        assert "handler_that_blocks > " in one.calls
        assert one.calls.endswith(f"{one.file}:{one.line} Seen.block")
        assert one.whose == "blocking"


def test_a_callback_that_blocks_is_nobodys_task() -> None:
    async def scenario(seen: Seen) -> None:
        asyncio.get_running_loop().call_soon(seen.block)

    found = watched(scenario)
    assert (found[-1].function, found[-1].whose) == ("Seen.block", None)
    assert "scenario" not in found[-1].calls


def test_whoever_calls_a_package_is_named_and_not_the_package() -> None:
    package: dict[str, Any] = {}
    text = "def wait(event):\n    assert event.wait(30)\n"
    exec(compile(text, "/usr/lib/python3/site-packages/slow.py", "exec"), package)

    async def scenario(seen: Seen) -> None:
        package["wait"](seen.goes_on)

    [*_, last] = watched(scenario)
    assert last.function.endswith("scenario")
    assert last.calls.endswith("site-packages/slow.py:2 wait")


class Counting(SystemClock):
    """A clock that says when the watchdog has asked the loop several times."""

    def __init__(self) -> None:
        self.asked = 0
        self.often = threading.Event()

    def monotonic_us(self) -> int:
        self.asked += 1
        if self.asked >= 3:
            self.often.set()
        return super().monotonic_us()


def test_a_loop_that_answers_is_not_told_of() -> None:
    seen, clock = Seen(), Counting()

    async def live() -> None:
        # So long that no machine lets it answer too late.
        dog = Watchdog(clock, 0.2, name, seen)
        dog.start()
        while not clock.often.is_set():
            # Some milliseconds of work: one that does nothing but wait is not even asked.
            hashlib.pbkdf2_hmac("sha256", b"", b"", 20_000)
            await asyncio.sleep(0)
        dog.stop()

    asyncio.run(live())
    assert seen.told.empty()


class Rounds(threading.Event):
    """What ends a watchdog, and says when it has looked at the loop several times."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 10
        self.enough = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        if not self.left:
            self.enough.set()
        return super().wait(timeout)


def test_a_loop_that_waits_for_something_to_do_is_let_alone() -> None:
    seen, clock, rounds = Seen(), Counting(), Rounds()

    async def live() -> None:
        dog = Watchdog(clock, 0.01, name, seen)
        dog._ended = rounds
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        threading.Thread(
            target=lambda: rounds.enough.wait(SECONDS_MAX) and loop.call_soon_threadsafe(woken.set)
        ).start()
        dog.start()
        await woken.wait()
        dog.stop()

    asyncio.run(live())
    # The loop may have had something to do in one of the rounds, at the begin or at the end.
    assert clock.asked <= 2
    assert seen.told.empty()


def test_a_loop_that_waits_for_something_to_do_is_not_blocked() -> None:
    async def live() -> None:
        loop, ident = asyncio.get_running_loop(), threading.get_ident()
        assert await asyncio.to_thread(until_idle, lambda: look(loop, ident, name))

    def until_idle(sees: Callable[[], Blocked | None]) -> bool:
        return any(sees() is None for _ in range(1_000_000))

    asyncio.run(live())


def test_it_ends_with_the_loop() -> None:
    dog = Watchdog(SystemClock(), 0.01, name, Seen())

    async def live() -> None:
        dog.start()

    asyncio.run(live())
    assert dog._thread is not None
    dog._thread.join(SECONDS_MAX)
    assert not dog._thread.is_alive()
