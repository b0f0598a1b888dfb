"""What befalls the hosts of a world: servers that die, stand still or are deposed, clocks that jump, full disks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import apsw

from sheratan.contracts.errors import Unavailable
from sheratan.contracts.limits import Limits
from sheratan.simulation.auditor import Auditor
from sheratan.simulation.choices import Choices
from sheratan.simulation.clock import SimulatedClock
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.network import Network
from sheratan.simulation.options import Options, draw_limits
from sheratan.simulation.server import Server
from sheratan.simulation.store import SimulatedStorage
from sheratan.simulation.story import Story

__all__ = ["Hosts"]

_TURN_SECONDS: Final = 1.0
_STARTS_MAX: Final = 10
"""With so many starts servers end no more before the world does: another world shows more than its next crash."""
_ENDS: Final = frozenset((
    "crash.statement", "crash.inside_commit", "crash.after_commit", "crash.any_time", "crash.inside_open",
    "crash.archiving", "restart.clean",
))  # fmt: skip
_DRAINING_SECONDS: Final = 0.4
_STEPS_US: Final = (3_600_000_000, -3_600_000_000, 5_000_000, -5_000_000, 86_400_000_000)
_DRIFTS_PPM: Final = (0, 500, -500, 100_000, -100_000)


class Hosts:
    """The servers of a world, one after the other and sometimes two at once, with their disk and clock."""

    def __init__(
        self,
        network: Network,
        storage: SimulatedStorage,
        clock: SimulatedClock,
        auditor: Auditor,
        story: Story,
    ) -> None:
        self.server: Server | None = None
        self.is_over = False
        self.on_restart: Callable[[], None] = lambda: None
        """Called when a server has taken over."""
        self._network = network
        self._storage = storage
        self._clock = clock
        self._auditor = auditor
        self._story = story
        self._choices: Choices = network.choices
        self._coverage: Coverage = network.coverage
        self._options: Options = network.options
        self._limits: Limits | None = None
        self._started = 0
        self._deposed: Server | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start a server and wait until it serves or is killed."""
        limits = self._next_limits()
        self._started += 1
        if self._started == _STARTS_MAX:
            self._choices.spared = _ENDS
        server = Server(self._started, self._storage, self._clock, self._auditor, self._story)
        server.on_end = self._network.reset
        self.server = server
        task = self._storage.loop.spawn(server.node, server.start(limits))
        await _ended(task, server)
        if server.is_over:
            self._coverage.hit("crash.at_start")
        elif isinstance(task.exception(), Unavailable) or self._storage.has_failed_sync:
            self._story.tell(f"could not start: {task.exception()}")
            server.kill()
        elif task.exception() is not None:
            self._story.blame(f"a server could not start: {task.exception()!r}")
        else:
            self._network.server = server
            self.on_restart()

    async def run(self) -> None:
        """Let things happen until `is_over`; a thing that has begun is brought to its end."""
        while not self.is_over:
            await self.mend()
            await self._maybe_depose()
            await self._maybe_end()
            await self._maybe_stand_still()
            self._maybe_set_clock()
            self._maybe_fill_disk()
            self._storage.outside.maybe_change()
            self._maybe_read_long()
            await asyncio.sleep(_TURN_SECONDS)

    async def mend(self) -> None:
        """Replace a server that is gone, or that has halted, as whoever watches over it would."""
        server = self.server
        if server is not None and server.engine is not None and server.engine.halted and not server.is_over:
            self._coverage.hit("engine.halted")
            self._story.tell(f"{server.node} has halted: {server.engine.halted}")
            if not self._storage.has_failed_sync:
                self._story.blame(f"an engine has halted without a cause: {server.engine.halted}")
            self._end_halted(server)
        while self.server is None or self.server.is_over:
            if self.server is not None and self.server.was_killed:
                self._end_deposed()
                self._storage.crash(power=self._power_fails(self.server))
            await asyncio.sleep(self._choices.pick("restart.after", (0.1, 3.0, 45.0)))
            self._maybe_fill_disk()
            await self.start()

    def calm_down(self) -> None:
        """Nothing goes wrong with hosts any more."""
        self._end_deposed()
        self._clock.drift(0)
        self._storage.outside.calm_down()
        if self._storage.disk is not None:
            self._storage.disk.is_full = False

    # ------------------------------------------------------------------------------------------------------------------

    def _next_limits(self) -> Limits:
        if self._limits is None:
            self._limits = draw_limits(self._choices)
        elif self._may("policy.change"):
            changed = draw_limits(self._choices)
            if changed != self._limits:
                self._coverage.hit("policy.changed")
            self._limits = changed
        return self._limits

    def _end_halted(self, server: Server) -> None:
        """Whoever watches over it kills it or stops it in order."""
        if self._choices.pick("halt.end", ("killed", "stopped")) == "stopped":
            self._coverage.hit("engine.halted_then_stopped")
            server.close()
        server.kill()

    def _power_fails(self, server: Server) -> bool:
        """With an engine that has halted mostly not: what comes of a failed sync shows when somebody goes on."""
        has_halted = server.engine is not None and server.engine.halted is not None
        return self._choices.chance(
            "crash.power", self._options.rate("crash.power") // (4 if has_halted else 1)
        )

    async def _maybe_end(self) -> None:
        server = self.server
        assert server is not None
        if self._may("crash.any_time"):
            self._coverage.hit("crash.any_time")
            server.kill()
        elif self._may("restart.clean"):
            task = self._storage.loop.spawn(server.node, server.stop())
            while not (task.done() or server.is_over):
                # While it drains the disk may fill up, or have room again.
                self._maybe_fill_disk()
                await asyncio.sleep(_DRAINING_SECONDS)
            await _ended(task, server)

    async def _maybe_stand_still(self) -> None:
        server = self.server
        if server is not None and not server.is_over and self._may("server.paused"):
            self._coverage.hit("server.paused")
            self._storage.loop.stand_still(server.node)
            await asyncio.sleep(self._choices.pick("server.pause", (0.5, 12.0, 40.0)))
            self._storage.loop.go_on(server.node)

    async def _maybe_depose(self) -> None:
        """Start a second server beside one that stands still, as when its lock was lost; later the first goes on."""
        server = self.server
        if (
            server is None
            or server.is_over
            or self._deposed is not None
            or not self._may("server.two_owners")
        ):
            return
        self._coverage.hit("server.two_owners")
        loop = self._storage.loop
        loop.stand_still(server.node)
        self._deposed = server
        await asyncio.sleep(self._choices.pick("depose.after", (0.1, 5.0)))
        await self.start()
        await asyncio.sleep(self._choices.pick("depose.on", (0.1, 5.0)))
        loop.go_on(server.node)
        await asyncio.sleep(self._choices.pick("depose.end", (1.0, 10.0)))
        if server.engine is not None and server.engine.halted:
            self._coverage.hit("owner.deposed")
        self._end_deposed()

    def _end_deposed(self) -> None:
        if self._deposed is not None and not self._deposed.is_over:
            self._deposed.kill()
        self._deposed = None

    def _maybe_set_clock(self) -> None:
        if self._may("clock.step"):
            step_us = self._choices.pick("clock.step_us", _STEPS_US)
            self._coverage.hit("clock.stepped_forward" if step_us > 0 else "clock.stepped_back")
            self._story.tell(f"the wall clock is set by {step_us / 1_000_000:g} s")
            self._clock.step(step_us)
        if self._may("clock.drift"):
            drift_ppm = self._choices.pick("clock.drift_ppm", _DRIFTS_PPM)
            if drift_ppm:
                self._coverage.hit("clock.drifts")
            self._clock.drift(drift_ppm)

    def _maybe_fill_disk(self) -> None:
        disk = self._storage.disk
        if disk is None:
            return
        if disk.is_full:
            disk.is_full = not self._choices.pick("disk.freed", (True, False))
        elif self._may("disk.full"):
            self._coverage.hit("disk.full")
            self._story.tell("the disk is full")
            disk.is_full = True

    def _maybe_read_long(self) -> None:
        if self._storage.disk is not None and self._reading is None and self._may("disk.long_read"):
            self._coverage.hit("disk.long_read")
            self._reading = asyncio.create_task(self._read_long())

    async def _read_long(self) -> None:
        """Read from a snapshot for a while, as `sheratan journal verify` may: checkpoints cannot go beyond it."""
        # When the host crashes the reader is gone, too.
        with suppress(apsw.Error):
            reader = self._storage.long_reader()
            with reader.snapshot():
                reader.shard()
                await asyncio.sleep(self._choices.pick("disk.long_read_seconds", (0.5, 3.0, 20.0)))
            reader.close()
        self._reading = None

    def _may(self, fault: str) -> bool:
        return self._choices.chance(fault, self._options.rate(fault))


async def _ended(task: asyncio.Task[None], server: Server) -> None:
    """Wait until a task of a server is done, or its process has ended and nothing will ever finish it."""
    task.add_done_callback(lambda done: server.news.set())
    while not (task.done() or server.is_over):
        server.news.clear()
        await server.news.wait()
