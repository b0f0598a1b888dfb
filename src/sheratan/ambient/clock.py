"""Clocks: the host's, and one that moves only when told to."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock", "VirtualClock"]


class Clock(Protocol):
    """Instants and durations in microseconds."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC; a person or NTP may set it."""
        ...

    def monotonic_us(self) -> int:
        """Microseconds since some start; never steps, so durations are measured with it."""
        ...


class SystemClock:
    """The host's clock."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        """Microseconds since the host's start."""
        return time.monotonic_ns() // 1000


class VirtualClock:
    """A clock for simulation and tests: it stands still until it is moved."""

    def __init__(self, now_us: int = 1_700_000_000_000_000) -> None:
        self._now_us = now_us
        self._monotonic_us = 0

    def now_us(self) -> int:
        """The virtual instant."""
        return self._now_us

    def monotonic_us(self) -> int:
        """The virtual time passed."""
        return self._monotonic_us

    def advance(self, microseconds: int) -> None:
        """Let time pass."""
        self._now_us += microseconds
        self._monotonic_us += microseconds

    def step(self, microseconds: int) -> None:
        """Set the wall clock forward or back, as a person or NTP does; no time passes."""
        self._now_us += microseconds
