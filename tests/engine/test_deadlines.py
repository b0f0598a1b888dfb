"""Deadlines: an engine that is behind does not begin what nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts.errors import DeadlineExceeded
from sheratan.contracts.limits import Limits
from sheratan.contracts.telemetry import CommandRefused
from sheratan.engine import commands
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Pending
from sheratan.engine.deadline import waited_for_until
from sheratan.engine.decider import Decider
from sheratan.engine.engine import Engine
from sheratan.engine.verify import verify
from sheratan.store.sqlite.store import open_reader, open_store
from tests.engine.running import Running
from tests.engine.world import PERSON, Answer

SECONDS_MAX = 20
BEHIND_US = 100_000


class Timed(Running):
    """An engine whose time is a test's."""

    clock: VirtualClock

    def put(self, command: commands.Command, until_us: int | None = None) -> Answer:
        """Queue a command; it is decided once the loop turns."""
        answer = Answer()
        self.engine._driver.put(Pending(command, PERSON, answer, until_us))
        return answer

    async def turn(self, *, after_us: int) -> None:
        """Let the engine come to what waits, so much later."""
        self.clock.advance(after_us)
        await self.ask(commands.Cancel(id=self.first, reason="to have a batch"))

    first = ""


@asynccontextmanager
async def timed(folder: Path, limits: Limits | None = None) -> AsyncGenerator[Timed]:
    clock = VirtualClock()
    store = open_store(folder / "engine.db", clock.now_us())
    reader = open_reader(folder / "engine.db", clock=clock.monotonic_us)
    engine = Engine(Decider(store, clock, SeededRandomness(1), limits or Limits()), reader, version="test")
    await engine.start()
    try:
        found = Timed(engine, store)
        found.clock = clock
        found.first = await found.submit()
        yield found
        assert verify(store).problems == []
    finally:
        await engine.stop()
        reader.close()
        store.close()


def run(scenario: Callable[[Timed], Awaitable[None]], folder: Path, limits: Limits | None = None) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(SECONDS_MAX), timed(folder, limits) as running:
            await scenario(running)

    asyncio.run(bounded())


def jobs(running: Timed) -> int:
    return sum(running.store.counts().values()) - 1


def test_work_is_not_begun_after_its_deadline_and_else_it_is(tmp_path: Path) -> None:
    async def scenario(running: Timed) -> None:
        heard: list[str] = []
        running.engine.telemetry.listen(
            "test",
            lambda event: heard.append(event.code) if type(event) is CommandRefused else None,
            "info",
        )
        late = running.put(running.submission(), BEHIND_US)
        just_in_time = running.put(running.submission(), BEHIND_US + 1)
        without = running.put(running.submission())
        await running.turn(after_us=BEHIND_US)
        with pytest.raises(DeadlineExceeded, match="nothing was done"):
            _ = late.value
        assert just_in_time.value
        assert without.value
        assert jobs(running) == 2
        assert heard == ["deadline_exceeded"]

    run(scenario, tmp_path)


def test_work_that_nobody_waits_for_any_more_is_not_begun(tmp_path: Path) -> None:
    async def scenario(running: Timed) -> None:
        asked = [asyncio.create_task(running.submit()) for _ in range(2)]
        await asyncio.sleep(0)
        asked[0].cancel()
        await running.turn(after_us=BEHIND_US)
        with suppress(asyncio.CancelledError):
            await asked[0]
        assert await asked[1]
        assert jobs(running) == 1

    run(scenario, tmp_path)


def test_what_ends_or_steers_work_is_done_however_late(tmp_path: Path) -> None:
    async def scenario(running: Timed) -> None:
        other = await running.submit()
        session = await running.register()
        [given] = await running.lease(session)
        child = replace(running.submission(), by_job=given.number, fence=given.fence)
        answers = [
            running.put(command, 1) for command in (commands.Cancel(id=other, reason="a person"), child)
        ]
        await running.turn(after_us=BEHIND_US)
        assert all(answer.value for answer in answers)

    run(scenario, tmp_path)


def test_a_caller_that_gives_up_while_the_engine_is_quick_is_not_looked_for(tmp_path: Path) -> None:
    async def scenario(running: Timed) -> None:
        answer = running.put(running.submission(), 1)
        await running.turn(after_us=BEHIND_US - 1)
        assert answer.value

    run(scenario, tmp_path)


def test_what_was_left_for_the_next_batch_is_looked_at(tmp_path: Path) -> None:
    async def scenario(running: Timed) -> None:
        answers = [running.put(running.submission(), 0) for _ in range(3)]
        await running.turn(after_us=0)
        assert [answer.error is None for answer in answers] == [True, False, False]

    run(scenario, tmp_path, Limits(commands_batch_max=1))


def test_what_is_asked_for_a_caller_has_the_callers_deadline(tmp_path: Path) -> None:
    async def scenario(running: Timed) -> None:
        with waited_for_until(BEHIND_US):
            asked = asyncio.create_task(running.submit())
        await asyncio.sleep(0)
        await running.turn(after_us=BEHIND_US)
        with pytest.raises(DeadlineExceeded):
            await asked
        assert await running.submit()

    run(scenario, tmp_path)


def test_one_slow_batch_does_not_make_everybody_late_who_has_some_time_left(tmp_path: Path) -> None:
    async def scenario(running: Timed) -> None:
        driver = running.engine._driver
        told, slow = driver.on_commit, [10_000_000]

        def on_commit(batch: Batch) -> None:
            told(batch)
            running.clock.advance(slow.pop() if slow else 0)

        driver.on_commit = on_commit
        now_us = running.clock.monotonic_us()
        first = running.put(running.submission())
        soon = running.put(running.submission(), now_us + 10_900_000)
        later = running.put(running.submission(), now_us + 12_000_000)
        await running.turn(after_us=0)
        assert first.value
        assert later.value
        with pytest.raises(DeadlineExceeded):
            _ = soon.value

    run(scenario, tmp_path, Limits(commands_batch_max=1))
