"""Recorded steps on their way back to a handler, in the order in which they were recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from sheratan.contracts.code import ASKED_MAX, Difference
from sheratan.contracts.worker import StepRecord
from sheratan.sdk.errors import CodeChanged

__all__ = ["Key", "Replay", "changed"]

_What = Literal["missing", "order", "other", "output"]

PATIENCE_SECONDS: Final = 30.0
"""How long a handler that asks for something else may take to ask for the step that was recorded next, at most."""

_LOOKS: Final = 30
"""In so many parts this time is counted: a process that has stood still for long has lost one of them and no more."""

Key = tuple[str, int]
"""A step's name, and how often it was asked for."""


class _Asked(NamedTuple):
    """A step that the handler waits for and that is not its turn yet."""

    key: Key
    future: asyncio.Future[StepRecord | None]


class Replay:
    """Gives each record back once it is its turn, so that the handler takes the same turns in every attempt.

    A step that was never recorded waits until all that were recorded have been asked for: it may be one of them under
    another name, and what it does would be done twice.
    """

    def __init__(
        self,
        recorded: Sequence[StepRecord],
        give_up: Callable[[CodeChanged], object],
        patience_seconds: float,
    ) -> None:
        self._patience_seconds = patience_seconds
        self._recorded = recorded
        self._places = {(record.name, record.occurrence): place for place, record in enumerate(recorded)}
        self._give_up = give_up
        self._next = 0
        """The place of the record that is given back next."""
        self._asked: dict[int, _Asked] = {}
        self._new: list[_Asked] = []
        self._announced: set[int] = set()
        """Places of records that are asked for once the engine has answered something else."""
        self._alarm: asyncio.TimerHandle | None = None
        self._is_giving = False

    async def record(self, key: Key) -> StepRecord | None:
        """The record of a step, once it is its turn; None for a step that is to be run."""
        if self._next == len(self._recorded):
            return None
        asked = _Asked(key, asyncio.get_running_loop().create_future())
        place = self._places.get(key)
        if place is None:
            self._new.append(asked)
        else:
            self._asked[place] = asked
        self._give_soon()
        return await asked.future

    @property
    def is_over(self) -> bool:
        """Whether every record has been given back: what comes now is new."""
        return self._next == len(self._recorded)

    def announce(self, key: Key) -> bool:
        """Whether a step is recorded. If so it is asked for soon, and nobody loses patience with it until then."""
        place = self._places.get(key)
        if place is None:
            return False
        self._announced.add(place)
        return True

    def check_all_given(self) -> None:
        """Raise CodeChanged when the handler has ended and never asked for a step that was recorded."""
        if self._next < len(self._recorded):
            raise self._changed([])

    def close(self) -> None:
        """Nothing is asked for any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _give_soon(self) -> None:
        if not self._is_giving:
            self._is_giving = True
            asyncio.get_running_loop().call_soon(self._give_next)

    def _give_next(self) -> None:
        """Give back the next record, if it was asked for; what its handler does with it comes before the one after."""
        self._is_giving = False
        self.close()
        asked = self._asked.pop(self._next, None)
        if asked is not None:
            record = self._recorded[self._next]
            self._next += 1
            if not asked.future.done():
                asked.future.set_result(record)
            self._give_soon()
        elif self._next == len(self._recorded):
            for new in self._new:
                if not new.future.done():
                    new.future.set_result(None)
            self._new.clear()
        elif self._asked or self._new:
            self._wait_on(_LOOKS)

    def _wait_on(self, looks: int) -> None:
        """Give up unless the next record is asked for before all looks are over."""
        seconds = self._patience_seconds / _LOOKS
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._look, looks - 1)

    def _look(self, looks: int) -> None:
        if self._next in self._announced:
            return
        if looks > 0:
            self._wait_on(looks)
            return
        waiting = [*self._asked.values(), *self._new]
        self._give_up(self._changed([asked.key for asked in waiting]))

    def _changed(self, asked: list[Key]) -> CodeChanged:
        record = self._recorded[self._next]
        recorded = f"step {record.step} was recorded as {_named((record.name, record.occurrence))}"
        instead = f"asks for {', '.join(map(_named, asked))}" if asked else "ended without it"
        what: _What = "missing"
        if asked:
            what = "order" if all(key in self._places for key in asked) else "other"
        names = tuple(dict.fromkeys(key[0] for key in asked))[:ASKED_MAX]
        return changed(record, what, names, f"{recorded}, and the handler {instead}")


def changed(record: StepRecord, what: _What, asked: tuple[str, ...], text: str) -> CodeChanged:
    """A handler does otherwise than a step that is recorded."""
    difference = Difference(
        what=what, step=record.step, recorded=record.name, occurrence=record.occurrence, asked=asked
    )
    return CodeChanged(f"{text}: its code has changed since", difference)


def _named(key: Key) -> str:
    return f"{key[0]!r}" if key[1] == 1 else f"{key[0]!r} for the {key[1]}. time"
