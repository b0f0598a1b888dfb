"""What a simulated engine looks at: a disk that may be full, and dependencies that come and go."""

from __future__ import annotations

import asyncio
from typing import Final

from sheratan.ambient.memory import Memory
from sheratan.ambient.sensors import Room
from sheratan.contracts.health import Address, Dependency, HealthSettings, ProbeSettings
from sheratan.contracts.pressure import PressureLevel, PressureSettings
from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.disk import SimulatedDisk
from sheratan.simulation.loop import SimulatedLoop
from sheratan.simulation.options import Options

__all__ = ["DEPENDENCIES", "SimulatedOutside"]

DEPENDENCIES: Final = {
    "mail": Dependency(url="tcp://mail:25", affects=("invoices", "news")),
    "model": Dependency(url="https://model/healthz", critical=True),
}
_DISK_BYTES: Final = 1 << 40
_MEMORY_BYTES: Final = 1 << 30
_USED: Final[dict[PressureLevel, int]] = {"none": 200, "high": 805, "critical": 950}
"""In a thousand parts: between high and critical, so that one is left for the other."""


class SimulatedOutside:
    """The sensors of every server of a world, and what is to be found there."""

    def __init__(
        self,
        loop: SimulatedLoop,
        choices: Choices,
        coverage: Coverage,
        options: Options,
        disk: SimulatedDisk | None,
    ) -> None:
        self.memory_changed_us = 0
        """When memory last came to be short, or was no more."""
        self.pressure_now: PressureLevel = "none"
        """What a server comes to that looks for long enough."""
        self._memory_back_us = 0
        self.changed_us = dict.fromkeys(DEPENDENCIES, 0)
        """When each dependency last came or went."""
        self._how: dict[str, str] = {}
        """How each one is down that is."""
        self._back_us: dict[str, int] = {}
        """When it comes back."""
        self._loop = loop
        self._choices = choices
        self._coverage = coverage
        self._options = options
        self._disk = disk

    @property
    def settings(self) -> HealthSettings | None:
        """What is set for the probes of this world; None where nobody looks."""
        options = self._options
        if not options.probe_seconds:
            return None
        probes = ProbeSettings(
            interval_seconds=options.probe_seconds,
            dwell_seconds=options.dwell_seconds,
            idle_commit_seconds=2 * options.probe_seconds,
            down_after=options.down_after,
        )
        return HealthSettings(probes, DEPENDENCIES)

    @property
    def pressure(self) -> PressureSettings | None:
        """What is set for the pressure of this world; None where memory is never short, and nobody looks."""
        if not self._options.rate("memory.short"):
            return None
        return PressureSettings(interval_seconds=2.0)

    def is_down(self, name: str) -> bool:
        """Whether a dependency does not answer now."""
        return name in self._how

    def maybe_change(self) -> None:
        """Some dependency goes, or comes back; memory comes to be short, or is no more."""
        self._maybe_change_memory()
        if not self._options.probe_seconds:
            return
        for name in DEPENDENCIES:
            if self.is_down(name):
                if self._loop.now_us >= self._back_us[name]:
                    self._change(name, None)
            elif self._choices.chance("dependency.down", self._options.rate("dependency.down")):
                how = self._choices.pick("dependency.how", ("refuses", "silent"))
                self._coverage.hit(f"dependency.{how}")
                seconds = self._choices.pick("dependency.seconds", (3, 15, 90))
                self._back_us[name] = self._loop.now_us + seconds * 1_000_000
                self._change(name, how)

    def _maybe_change_memory(self) -> None:
        if self.pressure_now != "none":
            if self._loop.now_us >= self._memory_back_us:
                self._change_memory("none")
        elif self._choices.chance("memory.short", self._options.rate("memory.short")):
            self._coverage.hit("memory.short")
            seconds = self._choices.pick("memory.seconds", (2, 8, 30))
            self._memory_back_us = self._loop.now_us + seconds * 1_000_000
            self._change_memory(self._choices.pick("memory.pressure", ("high", "critical")))

    def _change_memory(self, pressure: PressureLevel) -> None:
        self.pressure_now, self.memory_changed_us = pressure, self._loop.now_us

    def calm_down(self) -> None:
        """Everything is there again."""
        self._change_memory("none")
        for name in list(self._how):
            self._change(name, None)

    def _change(self, name: str, how: str | None) -> None:
        if how is None:
            del self._how[name]
        else:
            self._how[name] = how
        self.changed_us[name] = self._loop.now_us

    # ------------------------------------------------------------------------------------------------------------------
    # As `sheratan.ambient.sensors.Sensors`

    async def room(self) -> Room:
        """The disk, which may be full."""
        is_full = self._disk is not None and self._disk.is_full
        return Room(0 if is_full else _DISK_BYTES, _DISK_BYTES)

    async def memory(self) -> Memory:
        """Little is used, much, or nearly everything."""
        return Memory(_MEMORY_BYTES * _USED[self.pressure_now] // 1_000, _MEMORY_BYTES)

    async def reach(self, address: Address) -> None:
        """Somebody answers, refuses, or says nothing at all."""
        await asyncio.sleep(0.001)
        how = self._how.get(address.host)
        if how == "silent":
            await asyncio.Event().wait()
        if how is not None:
            raise OSError("Connection refused")

    def close(self) -> None:
        """Nothing is kept."""
