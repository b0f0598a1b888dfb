"""An engine whose alerts are looked at when a test says so, in virtual time, with targets that do what it wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.ambient.sending import Guarding
from sheratan.contracts.alert_targets import AlertTarget, TargetKind
from sheratan.contracts.alerts import AlertRecord, AlertSettings, ListAlerts, Notice
from sheratan.contracts.journal import Entry
from sheratan.contracts.limits import Limits
from sheratan.engine.alert_measures import Watched
from sheratan.engine.alert_views import list_alerts
from sheratan.engine.alerting import Alerting
from sheratan.engine.decider import Decider
from sheratan.engine.engine import Engine
from sheratan.engine.outbox import Outbox
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from sheratan.kernel.chain import decode_entry
from sheratan.store.sqlite.store import open_reader, open_store
from tests.engine.running import Running

__all__ = ["OPS", "SECOND", "Alerted", "Posts", "alerted", "alerting_settings", "turns_until"]

SECOND: Final = 1_000_000
OPS: Final = {"ops": AlertTarget(url="https://ops/")}
"""One target, which hears of everything."""


class Posts:
    """Targets that take what they are sent, or do what a test wants instead."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Notice]] = []
        self.tries: list[str] = []
        self.failures: dict[str, BaseException | None] = {}
        """By target, what comes of a try; None: nothing ever does."""
        self.flaky: set[str] = set()
        """Those that fail at every third try."""

    async def send(self, target: str, notice: Notice, guard: Guarding) -> None:
        async with guard():
            self.tries.append(target)
            await asyncio.sleep(0)
            if target in self.flaky and not self.tries.count(target) % 3:
                raise OSError("reset")
            if target in self.failures:
                failure = self.failures[target]
                if failure is None:
                    await asyncio.Event().wait()
                else:
                    raise failure
            self.taken.append((target, notice))

    def kind_of(self, target: str) -> TargetKind:
        return "webhook"

    def close(self) -> None:
        pass

    def told(self, target: str = "ops") -> list[tuple[str, str]]:
        """What a target has heard: what happened, and to which alert."""
        return [(notice.what, notice.subject) for name, notice in self.taken if name == target]


class Alerted(Running):
    """The engine, its targets, and rounds of alerting."""

    def __init__(
        self, engine: Engine, store: Any, clock: VirtualClock, settings: AlertSettings, folder: Path
    ) -> None:
        super().__init__(engine, store)
        self.clock = clock
        self.folder = folder
        self.posts = Posts()
        self.archive_problem: str | None = None
        reader = open_reader(folder / "engine.db", clock=clock.monotonic_us)
        self._reader = reader
        watched = Watched(engine, reader, settings, lambda: self.archive_problem)
        counts, tell = engine.meter.notices, engine.telemetry.emit
        self.outbox = Outbox(self.posts, settings, clock, SeededRandomness(1), counts, tell)
        self.alerting = Alerting(watched, self.outbox, clock, "/data")
        self.alerting.begin()

    def close(self) -> None:
        self.alerting.close()
        self._reader.close()

    def hold_database(self) -> apsw.Connection:
        """Another program writes to the database until this is closed: nothing can be committed meanwhile."""
        other = apsw.Connection(str(self.folder / "engine.db"))
        other.execute("BEGIN IMMEDIATE")
        return other

    async def rounds(self, count: int = 1, *, seconds: float = 5.0) -> list[str]:
        """Look so many times; the alerts that are open then. What was found is written down and told meanwhile."""
        for _ in range(count):
            self.clock.advance(round(seconds * SECOND))
            self.alerting.look()
            await self.settled()
        return [one.subject for one in self.alerts()]

    async def settled(self) -> None:
        """Wait until what was found is written down, or was refused, and told to who takes it."""
        for _ in range(2):
            writing = self.alerting._writing
            if writing is not None:
                await writing
            await turns_until(lambda: not any(self.alerting._under_way.values()) or bool(self.posts.failures))

    def alerts(self, *, cleared: bool = False) -> list[AlertRecord]:
        return list_alerts(self.store, ListAlerts(all=cleared), self.engine.unwritten_alerts)

    def entries(self, subject: str | None = None) -> list[Entry]:
        """The entries about alerts, or about one."""
        lines = [line for _, _, body in self.store.pages(0) for line in body.split(b"\n")]
        found = [decode_entry(line) for line in lines]
        return [one for one in found if one.type.startswith("alert.") and subject in (None, one.subject)]

    def types(self, subject: str | None = None) -> list[str]:
        return [entry.type for entry in self.entries(subject)]


def alerting_settings(targets: dict[str, AlertTarget] | None = None, **changes: Any) -> AlertSettings:
    """The defaults, but for these; tables of rules as they stand in a file."""
    rules = changes.pop("rules", {})
    made = msgspec.convert({"rules": rules, **changes}, AlertSettings)
    return msgspec.structs.replace(made, targets=OPS if targets is None else targets)


async def turns_until(is_so: Callable[[], bool]) -> None:
    """Let others go on until something is so."""
    loop = asyncio.get_running_loop()
    while not is_so():
        turn = asyncio.Event()
        loop.call_soon(turn.set)
        await turn.wait()


@asynccontextmanager
async def alerted(
    folder: Path, settings: AlertSettings | None = None, *, clock: VirtualClock | None = None
) -> AsyncGenerator[Alerted]:
    """Run an engine on a folder's database until the block ends; then everything agrees."""
    clock = clock or VirtualClock()
    store = open_store(folder / "engine.db", clock.now_us())
    reader = open_reader(folder / "engine.db", clock=clock.monotonic_us)
    engine = Engine(Decider(store, clock, SeededRandomness(1), Limits()), reader, version="test")
    await engine.start()
    running = Alerted(engine, store, clock, settings or alerting_settings(), folder)
    try:
        yield running
        assert verify(store).problems == []
        assert replay(store).ok
    finally:
        running.close()
        await engine.stop()
        reader.close()
        store.close()
