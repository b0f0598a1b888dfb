"""The loop that looks at memory and lag again and again, and has the engine refuse work while there is pressure."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from msgspec.structs import replace

from sheratan.ambient.clock import Clock
from sheratan.ambient.memory import Memory
from sheratan.ambient.sensors import Sensors
from sheratan.contracts.pressure import PressureRecord, PressureSettings
from sheratan.engine.engine import Engine
from sheratan.kernel.pressure import weigh

__all__ = ["Pressure"]

LOOKS: Final = 4
"""So many looks in a row must find a lag: one call that blocks is an accident, no pressure."""


class Pressure:
    """Look after look: what is found is the engine's pressure from then on."""

    def __init__(self, engine: Engine, sensors: Sensors, clock: Clock, settings: PressureSettings) -> None:
        self._engine = engine
        self._sensors = sensors
        self._clock = clock
        self._settings = settings
        self._lags_us = deque[int]([0], LOOKS)
        self._looks: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look, now and every so often."""
        self._looks = asyncio.create_task(self._go_on())

    def close(self) -> None:
        """Look no more."""
        if self._looks is not None:
            self._looks.cancel()

    async def _go_on(self) -> None:
        seconds = self._settings.interval_seconds
        late_us = 0
        while True:
            await self.look(late_us)
            due_us = self._clock.monotonic_us() + round(seconds * 1_000_000)
            await asyncio.sleep(seconds)
            late_us = max(0, self._clock.monotonic_us() - due_us)

    async def look(self, late_us: int) -> None:
        """Look once, so much later than it should have been."""
        self._lags_us.append(late_us)
        used, limit = await self._memory() or (None, None)
        found = PressureRecord(
            memory_bytes=used,
            memory_limit_bytes=limit,
            lag_us=min(self._lags_us),
            wait_us=self._engine.wait_us,
        )
        level = weigh(self._engine.pressure.level, found, self._settings)
        self._engine.press(replace(found, level=level))

    async def _memory(self) -> Memory | None:
        """What is used; None where the host does not say it."""
        try:
            return await self._sensors.memory()
        except (OSError, ValueError, LookupError):
            return None
