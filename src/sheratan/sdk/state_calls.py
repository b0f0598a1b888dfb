"""What a client may do about the system's state."""

from __future__ import annotations

from sheratan.contracts.api import Transport
from sheratan.contracts.system import (
    ChangeState,
    GetState,
    ListStateChanges,
    StateChange,
    SystemRecord,
    SystemState,
    TargetState,
)
from sheratan.contracts.values import convert

__all__ = ["StateCalls"]


class StateCalls:
    """The part of a client that sees and changes the system's state."""

    _transport: Transport

    async def state(self) -> SystemRecord:
        """How the system stands: since when, why, by whom, and what it allows."""
        found: SystemRecord = await self._transport.call(GetState())
        return found

    async def change_state(
        self, to: TargetState, *, reason: str, expected: SystemState | None = None
    ) -> bool:
        """Bring the system into another state; False when it was in it already.

        With `expected`, only if it is in that state now. Raises Conflict where no way leads there.
        """
        request = convert({"to": to, "reason": reason, "expected": expected}, ChangeState)
        changed: bool = await self._transport.call(request)
        return changed

    async def state_history(self, limit: int = 100) -> list[StateChange]:
        """The newest changes of the system's state, newest first."""
        changes: list[StateChange] = await self._transport.call(convert({"limit": limit}, ListStateChanges))
        return changes
