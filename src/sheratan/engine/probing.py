"""The loop that looks at everything again and again, and has the state of the system follow from what it finds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sheratan.ambient.clock import Clock
from sheratan.ambient.randomness import Randomness
from sheratan.ambient.sensors import Sensors
from sheratan.contracts.errors import SheratanError
from sheratan.contracts.health import ERROR_LENGTH_MAX, HealthSettings, ProbeRecord
from sheratan.contracts.principal import ENGINE
from sheratan.engine.commands import DeriveState
from sheratan.engine.engine import Engine
from sheratan.engine.probes import Probe, Probes, failure_text
from sheratan.engine.system import derivation
from sheratan.engine.system_commands import Down
from sheratan.kernel.health import ProbeState, Sample, derive_state, evolve
from sheratan.kernel.system import DERIVED_STATES

__all__ = ["Probing"]

_JITTER: Final = 0.1
"""The part of the interval by which a round may come early, so that many engines do not ask in step."""


class Probing:
    """Round after round: every probe is looked at, at once, and then the state is derived."""

    def __init__(
        self, engine: Engine, sensors: Sensors, clock: Clock, randomness: Randomness, health: HealthSettings
    ) -> None:
        self._engine = engine
        self._sensors = sensors
        self._clock = clock
        self._randomness = randomness
        self._settings = health.probes
        self._probes = Probes(engine, sensors, clock, health)
        self._states = {probe.name: ProbeState() for probe in self._probes.all}
        self._overridden: set[str] = set()
        self._room = asyncio.Semaphore(health.probes.at_once)
        self._seen = engine.state.system
        self._rounds: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look, now and every so often."""
        self._rounds = asyncio.create_task(self._go_round())

    def close(self) -> None:
        """Look no more."""
        for task in (self._rounds, self._telling):
            if task is not None:
                task.cancel()
        self._probes.close()
        self._sensors.close()

    async def _go_round(self) -> None:
        while True:
            began_us = self._clock.monotonic_us()
            await self.look()
            early = _JITTER * self._randomness.bits("probing", 16) / (1 << 16)
            seconds = self._settings.interval_seconds * (1 - early)
            took_seconds = (self._clock.monotonic_us() - began_us) / 1_000_000
            await asyncio.sleep(max(0.0, seconds - took_seconds))

    async def look(self) -> None:
        """One round."""
        probes = self._probes.all
        samples = await asyncio.gather(*map(self._sample, probes))
        for probe, sample in zip(probes, samples, strict=True):
            if sample is not None:
                self._note(probe, sample)
        self._see_overridden()
        self._engine.probes = [self._record(probe) for probe in probes]
        self._derive()

    async def _sample(self, probe: Probe) -> Sample | None:
        async with self._room:
            began_us, error = self._clock.monotonic_us(), None
            try:
                if not await probe.look():
                    return None
            except Exception as failure:
                error = failure_text(failure, self._settings.timeout_seconds)[:ERROR_LENGTH_MAX]
            return Sample(self._clock.now_us(), self._clock.monotonic_us() - began_us, error)

    def _note(self, probe: Probe, sample: Sample) -> None:
        settings = self._settings
        self._states[probe.name] = state = evolve(
            self._states[probe.name], sample, down_after=settings.down_after, up_after=settings.up_after
        )
        if state.health == "up":
            self._overridden.discard(probe.name)

    def _see_overridden(self) -> None:
        """A person who ends a degraded state lets everything go on whatever is down now."""
        before, self._seen = self._seen, self._engine.state.system
        now = self._seen
        if before.state in DERIVED_STATES[1:] and now.state == "operational" and now.actor != ENGINE.actor:
            self._overridden = {name for name, state in self._states.items() if state.health == "down"}

    def _derive(self) -> None:
        if self._telling is not None and not self._telling.done():
            # The decider has not answered yet: it is slow, or what keeps it from committing is what has been found.
            return
        command = self._command(self._probes.all)
        row = self._engine.state.system
        chosen = derive_state(derivation(row, self._engine.recorded_us(), command)).chosen
        if chosen != "keep":
            if DERIVED_STATES.index(chosen) > DERIVED_STATES.index(row.current):
                self._engine.derived = chosen
            self._telling = asyncio.create_task(self._tell(command))

    def _command(self, probes: Sequence[Probe]) -> DeriveState:
        down = [
            Down(
                name=probe.name,
                critical=probe.critical,
                affects=probe.affects,
                since_us=state.since_us or 0,
                failures=state.failures,
                error=state.error or "it has failed too often",
            )
            for probe in probes
            if (state := self._states[probe.name]).health == "down" and probe.name not in self._overridden
        ]
        down.sort(key=lambda one: not one.critical)
        return DeriveState(
            down=tuple(down),
            unknown=sum(state.health == "unknown" for state in self._states.values()),
            dwell_us=round(self._settings.dwell_seconds * 1_000_000),
        )

    async def _tell(self, command: DeriveState) -> None:
        try:
            with suppress(SheratanError):
                # Refused, it is told again after the next round.
                await self._engine.ask(command, ENGINE)
                # At once, so that a person who ends the new state is seen to.
                self._see_overridden()
        finally:
            self._engine.derived = None

    def _record(self, probe: Probe) -> ProbeRecord:
        state = self._states[probe.name]
        return ProbeRecord(
            name=probe.name,
            health=state.health,
            critical=probe.critical,
            affects=list(probe.affects),
            since_us=state.since_us,
            error=state.error,
            failing_permille=state.failing_permille,
            latency_us=state.latency_us,
            overridden=probe.name in self._overridden,
        )
