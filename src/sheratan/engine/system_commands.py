"""The command about the system's state."""

from __future__ import annotations

import msgspec

from sheratan.contracts.system import SystemState

__all__ = ["ChangeState"]


class ChangeState(msgspec.Struct, frozen=True, kw_only=True):
    """Bring the system into another state, if it is in the one that was expected (None: whatever it is in)."""

    to: SystemState
    reason: str
    expected: SystemState | None = None
    affected: tuple[str, ...] = ()
