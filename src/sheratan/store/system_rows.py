"""The row of the system's state."""

from __future__ import annotations

from typing import NamedTuple

from sheratan.contracts.system import SystemState

__all__ = ["UNCHANGED", "SystemRow"]


class SystemRow(NamedTuple):
    """The state that outlasts a process, and whether the engine at work drains."""

    state: SystemState
    since_us: int | None
    reason: str
    actor: str | None
    entry: int | None
    """The newest entry about it; None, with the instant and the actor, as long as nothing has changed it."""
    affected: str
    """The services that do not work, separated by commas."""
    draining: int | None
    """The entry by which the engine at work has begun to drain."""

    @property
    def current(self) -> SystemState:
        """The state that decides what may happen now."""
        return self.state if self.draining is None else "draining"


UNCHANGED = SystemRow("operational", None, "", None, None, "", None)
"""The state of a system that nothing was ever said of."""
