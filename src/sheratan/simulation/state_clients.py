"""What simulated clients do with the system's state: mostly something that somebody ends again soon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from sheratan.contracts.api import ChangeState, GetState, ListStateChanges, Request
from sheratan.contracts.errors import Conflict
from sheratan.contracts.system import SystemRecord, TargetState
from sheratan.simulation.choices import Choices

__all__ = ["StateClient"]

_TARGETS: Final[tuple[TargetState, ...]] = (
    "paused",
    "paused",
    "reflective",
    "recovery",
    "halted",
    "operational",
)


class StateClient:
    """The part of a client that changes the system's state."""

    def __init__(self, ask: Callable[[Request], Awaitable[Any]], choices: Choices) -> None:
        self._ask = ask
        self._choices = choices

    async def act(self) -> None:
        """Bring the system into some state; for a while, or until somebody else ends it."""
        draw = self._choices
        found: SystemRecord = await self._ask(GetState())
        expected = draw.pick("state.expected", (None, found.state, "operational", "halted"))
        with suppress(Conflict):
            await self._change(draw.pick("state.to", _TARGETS), expected)
        await asyncio.sleep(draw.pick("state.seconds", (0.0, 0.5, 5.0, 20.0, 100.0)))
        if draw.chance("state.left", 100):
            return
        await self.end()
        await self._ask(ListStateChanges(limit=3))

    async def end(self) -> None:
        """Let everything go on."""
        found: SystemRecord = await self._ask(GetState())
        if found.state == "halted":
            with suppress(Conflict):
                # Not before somebody has looked at it.
                await self._change("operational", None)
            with suppress(Conflict):
                await self._change("recovery", None)
        with suppress(Conflict):
            await self._change("operational", None)

    async def _change(self, to: TargetState, expected: Any) -> None:
        await self._ask(ChangeState(to=to, reason="a test", expected=expected))
