"""Twice as much as an engine can bear: it does nearly as much as it can, in time, and is well again afterwards.

In virtual time: a batch holds a few commands and takes a while, so what the engine can bear is known exactly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from sheratan.contracts.errors import SheratanError
from sheratan.contracts.jobs import Criticality
from sheratan.contracts.limits import Limits
from sheratan.contracts.pressure import PressureSettings
from sheratan.engine import driver
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Pending
from sheratan.engine.pressure import Pressure
from tests.engine.test_deadlines import Timed, timed
from tests.engine.test_probing import Outside
from tests.engine.world import PERSON, Answer

BATCH_US = 50_000
BATCH_COMMANDS = 5
"""So it can bear a hundred commands a second."""

PATIENCE_US = 3_020_000
"""Not a whole number of batches: who is next when everybody waits that long has no time left for the batch."""
LOOK_BATCHES = 10
OVERLOAD, CALM = 240, 60
"""Twelve seconds of twice as much, and three of four fifths."""


class Call(Answer):
    """A caller that waits for a while."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__()
        self._clock = clock
        self.until_us = clock() + PATIENCE_US
        self.answered_us: int | None = None

    def done(self) -> bool:
        """Whoever has waited for long enough is gone."""
        return super().done() or self._clock() >= self.until_us

    def set_result(self, result: object, /) -> None:
        super().set_result(result)
        self.answered_us = self._clock() + BATCH_US

    @property
    def is_good(self) -> bool:
        """Whether it got what it wanted, in time."""
        return self.answered_us is not None and self.answered_us <= self.until_us


class Crowd:
    """Callers that come while batches take their time."""

    def __init__(self, running: Timed, criticality: Criticality, *, tells: bool) -> None:
        self._running = running
        self._criticality = criticality
        self._tells = tells
        self._pressure = Pressure(running.engine, Outside(), running.clock, PressureSettings())
        self.calls: list[list[Call]] = []
        """By batch, who came while it was made."""
        self.refused = 0
        self.over = asyncio.Event()
        driver = running.engine._driver
        told = driver.on_commit

        def on_commit(batch: Batch) -> None:
            told(batch)
            running.clock.advance(BATCH_US)
            self._come()

        driver.on_commit = on_commit

    def _come(self) -> None:
        """As many as come in the time of one batch."""
        number = len(self.calls)
        if number >= OVERLOAD + CALM:
            self.over.set()
            return
        self.calls.append([])
        for _ in range(2 * BATCH_COMMANDS if number < OVERLOAD else BATCH_COMMANDS - 1):
            call = Call(self._running.clock.monotonic_us)
            until_us = call.until_us if self._tells else None
            command = self._running.submission(criticality=self._criticality)
            try:
                self._running.engine._driver.put(Pending(command, PERSON, call, until_us))
            except SheratanError:
                self.refused += 1
            else:
                self.calls[-1].append(call)
        if number % LOOK_BATCHES == 0:
            self._look()
        if not self._running.engine.commands_waiting:
            # Time goes on although nobody is there.
            self._running.engine._driver._wake.set()

    def _look(self) -> None:
        """Have the pressure looked at, now: there is nothing that it waits for."""
        look = self._pressure.look(0)
        with pytest.raises(StopIteration):
            look.send(None)

    def goodput(self, first: int, last: int) -> float:
        """What was done in time for those who came while these batches were made, of what can be."""
        good = sum(call.is_good for calls in self.calls[first:last] for call in calls)
        return good / ((last - first) * BATCH_COMMANDS)


def crowd(folder: Path, criticality: Criticality = "normal", *, tells: bool = True) -> Crowd:
    """Have a crowd come, and let it all end."""

    async def scenario() -> Crowd:
        async with asyncio.timeout(240), timed(folder, Limits(commands_batch_max=BATCH_COMMANDS)) as running:
            found = Crowd(running, criticality, tells=tells)
            await running.submit()
            await found.over.wait()
            return found

    return asyncio.run(scenario())


@pytest.mark.parametrize("tells", [True, False])
def test_goodput_holds_under_twice_the_load_and_comes_back(tmp_path: Path, *, tells: bool) -> None:
    found = crowd(tmp_path, tells=tells)
    assert found.goodput(OVERLOAD // 4, 3 * OVERLOAD // 4) >= 0.8
    assert found.refused > 0
    # A few seconds later nobody is refused, and whoever can have been answered was, in time.
    last = found.calls[OVERLOAD + CALM // 2 : -1]
    assert all(len(calls) == BATCH_COMMANDS - 1 for calls in last)
    assert all(call.is_good for calls in last[:-1] for call in calls)


def test_goodput_holds_where_nothing_may_be_refused_and_callers_say_how_long_they_wait(
    tmp_path: Path,
) -> None:
    found = crowd(tmp_path, "critical")
    assert found.goodput(OVERLOAD // 4, 3 * OVERLOAD // 4) >= 0.8
    assert found.refused == 0


def test_without_shedding_nothing_would_be_done_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the crowd is such that it would take an engine down that takes everything in."""

    def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(driver, "is_shed", never)
    monkeypatch.setattr(driver, "is_given_up", never)
    found = crowd(tmp_path)
    assert found.goodput(OVERLOAD // 2, OVERLOAD) < 0.2
