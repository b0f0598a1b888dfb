"""The clocks of a simulated host: a wall clock that people set and that drifts, and one that only goes on."""

from __future__ import annotations

from typing import Final

from sheratan.simulation.loop import SimulatedLoop

__all__ = ["EPOCH_US", "SimulatedClock"]

EPOCH_US: Final = 1_800_000_000_000_000
"""Where the wall clock stands when a world begins: 15 January 2027."""


class SimulatedClock:
    """Reads the loop's time. The wall clock is that plus an offset, and plus a drift in parts of a million."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self._offset_us = EPOCH_US
        self._drift_ppm = 0
        self._drifts_since_us = 0
        self.set_at_us = 0
        """When, by the world's own time, it was last set forward or back."""

    def now_us(self) -> int:
        """What the wall clock shows: microseconds since the epoch."""
        return self._loop.now_us + self._offset_us + self._drifted_us()

    def monotonic_us(self) -> int:
        """Microseconds since the start of the world."""
        return self._loop.now_us

    def step(self, microseconds: int) -> None:
        """Set the wall clock forward or back."""
        self._offset_us += microseconds
        self.set_at_us = self._loop.now_us

    def drift(self, parts_per_million: int) -> None:
        """Let the wall clock run faster, or slower, from now on."""
        self._offset_us += self._drifted_us()
        self._drift_ppm, self._drifts_since_us = parts_per_million, self._loop.now_us

    def is_steady_for(self, microseconds: int) -> bool:
        """Whether the wall clock has gone on as time does for so long."""
        return not self._drift_ppm and self._loop.now_us - microseconds > max(
            self.set_at_us, self._drifts_since_us
        )

    def _drifted_us(self) -> int:
        return (self._loop.now_us - self._drifts_since_us) * self._drift_ppm // 1_000_000
