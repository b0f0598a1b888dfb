"""What ends an attempt from outside: somebody who wants it stopped, or its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sheratan.guards.time_left import TimeLeft

__all__ = ["Ending"]


class Ending(NamedTuple):
    """When an attempt is to end."""

    is_stopped: Callable[[], bool]
    """Whether it is to stop at once."""
    time: TimeLeft
    """Until its run timeout is over, counted from when its worker was given it."""
