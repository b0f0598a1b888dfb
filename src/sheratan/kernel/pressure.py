"""How much pressure there is: it rises at once, and falls once it would not rise again a moment later."""

from __future__ import annotations

from sheratan.contracts.pressure import LEVELS, PressureLevel, PressureRecord, PressureSettings

__all__ = ["reason_of_pressure", "weigh"]

_FALLS_PERMILLE = 900
"""It falls below a tenth less than what it rises at, so that it does not flicker."""

_MIB = 1 << 20


def weigh(before: PressureLevel, found: PressureRecord, settings: PressureSettings) -> PressureLevel:
    """The level after a look that has found this, whatever level it names; `before` is the one until then."""
    rises_to = _reached(found, settings, 1_000)
    falls_to = _reached(found, settings, _FALLS_PERMILLE)
    return LEVELS[max(rises_to, min(LEVELS.index(before), falls_to))]


def _reached(found: PressureRecord, settings: PressureSettings, permille: int) -> int:
    """The highest level of which so much is reached, as its place in LEVELS."""
    bounds = (
        (settings.memory_high_permille, settings.lag_high_seconds, settings.wait_high_seconds),
        (settings.memory_critical_permille, settings.lag_critical_seconds, settings.wait_critical_seconds),
    )
    used, most = found.memory_bytes or 0, found.memory_limit_bytes or 1
    return sum(
        used * 1_000_000 >= most * memory_permille * permille
        or found.lag_us >= lag_seconds * permille * 1_000
        or found.wait_us >= wait_seconds * permille * 1_000
        for memory_permille, lag_seconds, wait_seconds in bounds
    )


def reason_of_pressure(found: PressureRecord) -> str:
    """What the pressure is made of, in a few words."""
    used, most = found.memory_bytes, found.memory_limit_bytes
    memory = f"{used // _MIB} of {most // _MIB} MiB of memory are used" if used and most else ""
    lag = f"the event loop is {found.lag_us / 1_000_000:.1f} s late" if found.lag_us >= 100_000 else ""
    wait = f"commands wait for {found.wait_us / 1_000_000:.1f} s" if found.wait_us >= 100_000 else ""
    return " and ".join(filter(None, (memory, lag, wait))) or "nothing is wrong any more"
