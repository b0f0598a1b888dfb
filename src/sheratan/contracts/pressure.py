"""Pressure: how near a process is to more than it can bear, by its memory, its event loop and what waits for it."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

import msgspec

__all__ = ["LEVELS", "NO_PRESSURE", "PRESSURE_REASONS", "PressureLevel", "PressureRecord", "PressureSettings"]

PressureLevel = Literal["none", "high", "critical"]
LEVELS: Final[tuple[PressureLevel, ...]] = get_args(PressureLevel)
"""From the least to the most."""

Permille = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3_600)]


class PressureSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When there is pressure, and when a call has blocked the event loop."""

    interval_seconds: Seconds = 0.5
    memory_bytes_max: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] = 0
    memory_high_permille: Permille = 800
    memory_critical_permille: Permille = 900
    lag_high_seconds: Seconds = 0.5
    lag_critical_seconds: Seconds = 5.0
    wait_high_seconds: Seconds = 0.5
    wait_critical_seconds: Seconds = 2.0
    blocked_seconds: Seconds = 0.1


PRESSURE_REASONS: Final[dict[str, str]] = {
    "interval_seconds": "from one look at memory and lag to the next; memory fills in seconds, not in milliseconds",
    "memory_bytes_max": "what the process may use; 0: what its control group or the machine has",
    "memory_high_permille": "from this part of the memory on there is high pressure",
    "memory_critical_permille": "from this part on it is critical; what runs needs the rest to end",
    "lag_high_seconds": "lag of the event loop, in each of the last looks, from which on there is high pressure",
    "lag_critical_seconds": "the same for critical pressure; supervisors take a process that is so late for dead",
    "wait_high_seconds": "how long commands wait for the engine from which on there is high pressure",
    "wait_critical_seconds": "the same for critical pressure; callers that wait for longer are about to give up",
    "blocked_seconds": "a call that keeps the event loop from its work for so long is logged, with its place",
}


class PressureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The pressure as it is: bytes used of those that may be (None: not known), the lag of the event loop, the wait.

    `lag_us` is the least of the last looks: what is there in each of them does not go by itself. `wait_us` is how long
    a command that comes now waits for the engine, by how many there are and how long the last batch took.
    """

    level: PressureLevel = "none"
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    lag_us: int = 0
    wait_us: int = 0


NO_PRESSURE: Final = PressureRecord()
