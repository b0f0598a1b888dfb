"""How a notice leaves: in the block of a guard, whichever stands before its target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from sheratan.contracts.alerts import Notice

__all__ = ["Guarding", "NoSuchTarget", "NotTaken", "Send"]

Guarding = Callable[[], AbstractAsyncContextManager[object]]
"""Makes the block in which one call is made; it is refused, or ended when it takes too long, by what that raises."""

Send = Callable[[Notice, Guarding], Awaitable[None]]


class NotTaken(OSError):
    """It has answered, with an HTTP status that says that it did not take what it was sent."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status


class NoSuchTarget(NotTaken):
    """It wants no more notices: to try again makes no sense."""
