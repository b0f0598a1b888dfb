"""Whether an engine sees how the world stands, and the state of the system follows, in time."""

from __future__ import annotations

from typing import Final

from sheratan.contracts.pressure import LEVELS
from sheratan.engine.pressure import LOOKS
from sheratan.simulation.clock import SimulatedClock
from sheratan.simulation.model import Model
from sheratan.simulation.outside import DEPENDENCIES, SimulatedOutside
from sheratan.simulation.server import Server

__all__ = ["HealthLookout"]

_SLACK_US: Final = 5_000_000
_WAITED: Final = 900_000
"""Pressure by commands that wait lasts until they wait a tenth less than it takes to rise."""

_BAD: Final = ("degraded_minor", "degraded_critical")


class HealthLookout:
    """Looks while nobody is at work: what is down for long enough must show, and what is well, too."""

    def __init__(self, clock: SimulatedClock, outside: SimulatedOutside) -> None:
        self._clock = clock
        self._outside = outside
        self._undisturbed_us = 0
        self._server: Server | None = None

    def disturb(self, until_us: int) -> None:
        """Nobody can look before this instant."""
        self._undisturbed_us = max(self._undisturbed_us, until_us)

    def find_late(self, model: Model, server: Server) -> str | None:
        """What has not been seen in time, in a sentence."""
        if server is not self._server:
            self._server, self._undisturbed_us = server, self._clock.monotonic_us()
        return self._pressure(server) or self._probes(model, server)

    def _pressure(self, server: Server) -> str | None:
        """Pressure that does not show though memory has been short for long, or that shows and is gone."""
        settings, outside = self._outside.pressure, self._outside
        if settings is None or server.pressure is None or server.engine is None:
            return None
        record = server.engine.pressure
        wanted, shown = outside.pressure_now, record.level
        if record.wait_us >= _WAITED * settings.wait_high_seconds:
            # On a slow disk commands wait, which is pressure as well.
            wanted = max(wanted, shown, key=LEVELS.index)
        since_us = max(outside.memory_changed_us, self._undisturbed_us)
        is_long = (
            self._clock.monotonic_us() - since_us > LOOKS * settings.interval_seconds * 1_000_000 + _SLACK_US
        )
        if is_long and shown != wanted:
            return f"the pressure has been {wanted} for long, and the engine takes it for {shown}"
        return None

    def _probes(self, model: Model, server: Server) -> str | None:
        """A state that does not show what has been so for long."""
        settings, now_us = self._outside.settings, self._clock.monotonic_us()
        if settings is None or server.probing is None:
            return None
        probes = settings.probes
        # A probe may begin just before what it looks at changes, and the next ones may time out.
        rounds = max(probes.down_after, probes.up_after) + 2
        seen_us = round(rounds * (probes.interval_seconds + probes.timeout_seconds) * 1_000_000) + _SLACK_US
        better_us = seen_us + round(max(probes.dwell_seconds, probes.clock_settle_seconds) * 1_000_000)
        quiet_us = now_us - max(self._undisturbed_us, model.system_changed_us)
        return (
            self._unseen(server, seen_us)
            or self._too_good(model, quiet_us, seen_us)
            or self._too_bad(model, quiet_us, better_us)
        )

    def _lasts_us(self, name: str) -> int:
        """For how long a dependency has been as it is while somebody looked."""
        return self._clock.monotonic_us() - max(self._outside.changed_us[name], self._undisturbed_us)

    def _unseen(self, server: Server, seen_us: int) -> str | None:
        """A probe that does not show what has been so for long."""
        assert server.engine is not None
        shown = {one.name: one.health for one in server.engine.probes}
        for name in DEPENDENCIES:
            wanted = "down" if self._outside.is_down(name) else "up"
            if self._lasts_us(name) > seen_us and shown.get(name) != wanted:
                return f"{name} has been {wanted} for long, and its probe says {shown.get(name)}"
        return None

    def _too_good(self, model: Model, quiet_us: int, seen_us: int) -> str | None:
        """Something went after the state last changed, long ago, and the state does not show it."""
        for name, dependency in DEPENDENCIES.items():
            went = self._outside.is_down(name) and seen_us < self._lasts_us(name) < quiet_us
            may_be = _BAD[1:] if dependency.critical else _BAD
            if went and model.system in ("operational", *_BAD) and model.system not in may_be:
                return f"{name} is down, and the system is {model.system}"
        return None

    def _too_bad(self, model: Model, quiet_us: int, better_us: int) -> str | None:
        """Everything has been well for long, and the system is still degraded."""
        lasts_us = min(quiet_us, *map(self._lasts_us, DEPENDENCIES))
        is_well = not any(map(self._outside.is_down, DEPENDENCIES)) and self._clock.is_steady_for(better_us)
        if is_well and model.system in _BAD and not model.draining and lasts_us > better_us:
            return f"everything has been well for long, and the system is {model.system}"
        return None
