"""The probes: one look each at what the engine stands on, and at what its jobs need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, get_args

from sheratan.ambient.clock import Clock
from sheratan.ambient.sensors import Sensors
from sheratan.contracts.errors import LimitReached, SheratanError
from sheratan.contracts.health import (
    Address,
    BuiltinProbe,
    Dependency,
    HealthSettings,
    address_of,
)
from sheratan.contracts.principal import ENGINE
from sheratan.engine.commands import Probe as AskProbe
from sheratan.engine.engine import Engine

__all__ = ["Failure", "Probe", "Probes"]

_MIB: Final = 1 << 20


class Failure(Exception):
    """A probe has failed; the text says why."""


class Probe(NamedTuple):
    """What is looked at, and what comes of it when it is down. `look` returns whether it has found anything out."""

    name: str
    critical: bool
    affects: tuple[str, ...]
    look: Callable[[], Awaitable[bool]]


class Probes:
    """All probes of an engine."""

    def __init__(self, engine: Engine, sensors: Sensors, clock: Clock, health: HealthSettings) -> None:
        self._engine = engine
        self._sensors = sensors
        self._clock = clock
        self._settings = health.probes
        self._trips: dict[bool, tuple[int, asyncio.Task[None]]] = {}
        self._offset_us = clock.now_us() - clock.monotonic_us()
        self._steady_from_us = clock.monotonic_us()
        looks = {"commit": self._commit, "lease": self._lease, "disk": self._disk, "clock": self._wall_clock}
        names: tuple[BuiltinProbe, ...] = get_args(BuiltinProbe)
        self.all = [Probe(name, name in health.probes.critical, (name,), looks[name]) for name in names]
        self.all += [self._of(name, one) for name, one in health.dependencies.items() if one.url]

    def close(self) -> None:
        """Wait for no answer any more."""
        for _, task in self._trips.values():
            task.cancel()

    def _of(self, name: str, dependency: Dependency) -> Probe:
        address = address_of(dependency.url)
        return Probe(name, dependency.critical, dependency.affects or (name,), lambda: self._reach(address))

    async def _commit(self) -> bool:
        """The last commit has worked, and is not long ago; otherwise one is made."""
        if self._engine.outage is not None:
            raise Failure(self._engine.outage)
        last = self._engine.last_commit
        idle_us = self._settings.idle_commit_seconds * 1_000_000
        if last is not None and self._clock.monotonic_us() - last[0] < idle_us:
            return True
        return await self._trip(commits=True)

    async def _lease(self) -> bool:
        """The decider answers, in the batch in which it gives jobs to whoever waits for them."""
        return await self._trip(commits=False)

    async def _trip(self, *, commits: bool) -> bool:
        """Have the decider answer. Under load that may take a while, and proves nothing until it takes too long."""
        now_us = self._clock.monotonic_us()
        if commits not in self._trips:
            asked = asyncio.create_task(self._engine.ask(AskProbe(commits=commits), ENGINE))
            self._trips[commits] = now_us, asked
        since_us, task = self._trips[commits]
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                await asyncio.shield(task)
        except TimeoutError:
            stalled_us = self._clock.monotonic_us() - since_us
            if stalled_us >= self._settings.stall_seconds * 1_000_000:
                raise Failure(f"no answer for {stalled_us // 1_000_000} s") from None
            return False
        except LimitReached:
            return False
        finally:
            if task.done():
                self._trips.pop(commits, None)
        return True

    async def _disk(self) -> bool:
        """There is room."""
        async with self._in_time():
            room = await self._sensors.room()
        settings = self._settings
        least = max(settings.disk_free_bytes_min, room.total * settings.disk_free_permille_min // 1_000)
        if room.free < least:
            raise Failure(f"{room.free // _MIB} MiB are free, fewer than {least // _MIB}")
        return True

    async def _wall_clock(self) -> bool:
        """The wall clock goes on as time does, and was not set lately."""
        monotonic_us = self._clock.monotonic_us()
        offset_us = self._clock.now_us() - monotonic_us
        if abs(offset_us - self._offset_us) > self._settings.clock_step_seconds * 1_000_000:
            self._offset_us = offset_us
            self._steady_from_us = monotonic_us + round(self._settings.clock_settle_seconds * 1_000_000)
        if monotonic_us < self._steady_from_us:
            raise Failure("the wall clock was set, or does not run as time does")
        return True

    async def _reach(self, address: Address) -> bool:
        async with self._in_time():
            await self._sensors.reach(address)
        return True

    def _in_time(self) -> asyncio.Timeout:
        return asyncio.timeout(self._settings.timeout_seconds)


def failure_text(error: Exception, timeout_seconds: float) -> str:
    """Why a probe has failed, in a few words."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_seconds:g} s"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    if isinstance(error, (Failure, SheratanError)):
        return str(error)
    return f"{type(error).__name__}: {error}"
