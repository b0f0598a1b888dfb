"""A simulated host of the real engine: it starts, stands still, is killed, is deposed, stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Final

from sheratan.ambient.randomness import Randomness, SeededRandomness
from sheratan.contracts.errors import SheratanError
from sheratan.contracts.limits import Limits
from sheratan.engine.alert_measures import Watched
from sheratan.engine.alerting import Alerting
from sheratan.engine.batch import Batch
from sheratan.engine.commands import LeaseJobs
from sheratan.engine.engine import Engine
from sheratan.engine.outbox import Outbox
from sheratan.engine.pressure import Pressure
from sheratan.engine.probing import Probing
from sheratan.gateway.api import Api
from sheratan.gateway.archiving import Archiving
from sheratan.simulation.auditor import Auditor
from sheratan.simulation.clock import SimulatedClock
from sheratan.simulation.listening import Listening
from sheratan.simulation.loop import THREAD_US
from sheratan.simulation.observed import observed
from sheratan.simulation.pressing import watch_intake
from sheratan.simulation.store import UPKEEP, SimulatedStorage, SimulatedStore
from sheratan.simulation.story import Story
from sheratan.store.port import Reader

__all__ = ["Server"]

DRAIN_SECONDS: Final = 2.0


class Server:
    """One process that serves, from its start to its end. A new one has a new node."""

    def __init__(
        self, number: int, storage: SimulatedStorage, clock: SimulatedClock, auditor: Auditor, story: Story
    ) -> None:
        self.node = f"server{number}"
        self.api: Api | None = None
        self.engine: Engine | None = None
        self.archiving: Archiving | None = None
        self.probing: Probing | None = None
        self.pressure: Pressure | None = None
        self.alerting: Alerting | None = None
        self.is_over = False
        self.was_killed = False
        self._number = number
        self._storage = storage
        self._clock = clock
        self._auditor = auditor
        self._story = story
        self._store: SimulatedStore | None = None
        self.news = asyncio.Event()
        """Set when something has changed for those who wait for this process."""
        self.on_end: Callable[[str], None] = lambda node: None
        """Called with the node when the process has ended."""

    @property
    def serves(self) -> bool:
        """Whether an engine is at work here and nothing keeps it from it."""
        engine = self.engine
        return (
            engine is not None
            and not self.is_over
            and engine.ready
            and not (engine.halted or engine.problems)
        )

    async def start(self, limits: Limits) -> None:
        """Take over the shard and serve. Runs on the server's node."""
        self._store, reader = self._storage.open(self._clock.now_us(), self._die)
        randomness = SeededRandomness(self._storage.choices.seed * 1_000 + self._number)
        decider = observed(self._auditor, limits, self._storage.kept_reader(reader))(
            self._store, self._clock, randomness, limits
        )
        engine = Engine(decider, reader, version="simulated")
        listening = Listening(engine.telemetry, self._auditor, self._auditor.coverage, self._story)
        engine._driver.on_commit = self._looking(engine, engine._driver.on_commit, listening)
        self._story.tell(f"starts, epoch {reader.shard().epoch + 1}")
        await engine.start()
        self.archiving = Archiving(engine, reader, self._storage.archive_of(self._die))
        context = copy_context()
        context.run(UPKEEP.set, True)
        context.run(self.archiving.start)
        self._start_probing(engine, randomness)
        self._start_alerting(engine, reader, randomness)
        self.engine = engine
        self.api = Api(engine, reader, "simulated", self.archiving, self.alerting)

    def _start_probing(self, engine: Engine, randomness: Randomness) -> None:
        outside = self._storage.outside
        if outside.settings is not None:
            self.probing = Probing(engine, outside, self._clock, randomness, outside.settings)
            self.probing.start()
        if outside.pressure is not None:
            watch_intake(engine, self._story)
            self.pressure = Pressure(engine, outside, self._clock, outside.pressure)
            self.pressure.start()

    def _start_alerting(self, engine: Engine, reader: Reader, randomness: Randomness) -> None:
        hearers, archiving = self._storage.hearers, self.archiving
        settings = hearers.settings
        if settings is not None and archiving is not None:
            hearing, counts, tell = hearers.hear_of(self._story), engine.meter.notices, engine.telemetry.emit
            outbox = Outbox(hearing, settings, self._clock, randomness, counts, tell)
            watched = Watched(engine, reader, settings, lambda: archiving.problem)
            self.alerting = Alerting(watched, outbox, self._clock, "simulated")
            self.alerting.start()

    def _looking(
        self, engine: Engine, tell: Callable[[Batch], None], listening: Listening
    ) -> Callable[[Batch], None]:
        """Tell of a commit as the engine does, and look whether everybody has been told who had to be."""

        def told(batch: Batch) -> None:
            waiting = [future for _, ended in batch.ended for future in engine._ends.get(ended.number, ())]
            tell(batch)
            listening.committed(batch)
            if not all(future.done() for future in waiting):
                self._story.blame("who waits for the end of a job was not told")
            for session, _ in batch.stops:
                queue = engine._stops.get(session.number)
                if queue is not None and queue.empty():
                    self._story.blame(f"{session.subject} was not told that an attempt is to stop")

        return told

    @property
    def has_forgotten_commands(self) -> bool:
        """Whether a command lies in the inbox that should have woken the engine."""
        if self.engine is None:
            return False
        inbox = self.engine._driver._inbox
        waits = any(not isinstance(pending.command, LeaseJobs) for pending in inbox)
        return waits or bool(inbox and self.engine.state.busy_lanes)

    @property
    def upkeep_bug(self) -> str | None:
        """What has gone wrong that nobody would see, as it is tried again."""
        problem = None if self.archiving is None else self.archiving.problem
        return problem if problem is not None and problem.startswith("a bug") else None

    async def stop(self) -> None:
        """Drain and stop, as on SIGTERM. Runs on the server's node."""
        engine = self.engine
        if engine is None:
            return
        try:
            await engine.drain("a person asked for it")
            await engine.wait_idle(DRAIN_SECONDS)
            api, self.api = self.api, None
            if self.probing is not None:
                self.probing.close()
            if self.pressure is not None:
                self.pressure.close()
            if self.alerting is not None:
                self.alerting.close()
            await engine.stop()
            if api is not None:
                api.close()
                # Reads that a thread has begun come to their end before their connection is closed.
                await asyncio.sleep(THREAD_US / 1_000_000)
        except SheratanError as error:
            self._story.tell(f"could not stop in order: {error}")
            # The process ends all the same, and nothing of it goes on.
            self.kill()
            return
        self.close()
        self.is_over = True
        self.news.set()
        self.on_end(self.node)

    def close(self) -> None:
        """Give the database back, as the last step of a stop; SQLite moves its log into the database then."""
        if self.archiving is not None:
            self.archiving.close()
        if self._store is not None:
            self._storage.close_in_order(self._store)

    def kill(self) -> None:
        """End it now, from outside."""
        if self._store is not None:
            self._store.is_over = True
        self._die()

    def _die(self) -> None:
        if self.was_killed:
            return
        self._story.tell("is killed")
        self.was_killed = self.is_over = True
        self.api = None
        self._storage.loop.kill(self.node)
        self.news.set()
        self.on_end(self.node)
