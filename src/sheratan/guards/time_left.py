"""How much time somebody has left who calls the outside."""

from __future__ import annotations

from typing import NamedTuple

from sheratan.ambient.clock import Clock

__all__ = ["TimeLeft"]


class TimeLeft(NamedTuple):
    """Time until an instant. It can go to another process if its clock can: the host's is the same in all of them."""

    clock: Clock
    due_us: int
    """The instant, in monotonic time."""

    @property
    def left_us(self) -> int:
        """How much there is; never less than nothing."""
        return max(0, self.due_us - self.clock.monotonic_us())

    @property
    def deadline_us(self) -> int:
        """The instant by the wall clock as it stands now; once it is over, now."""
        return self.clock.now_us() + self.left_us
