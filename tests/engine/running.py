"""A real engine on its loop, over a database file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from sheratan.ambient.clock import SystemClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts.jobs import KindDescription, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.worker import Assignment, Registration, Report
from sheratan.engine import commands
from sheratan.engine.decider import Decider
from sheratan.engine.engine import Engine
from sheratan.engine.prepare import prepare, prepare_reports
from sheratan.store.sqlite.store import SqliteStore, open_reader, open_store
from tests.engine.world import KINDS, PERSON, OnDisk

__all__ = ["Running", "running_engine"]


async def _turns_until(is_so: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    while not is_so():
        turn = asyncio.Event()
        loop.call_soon(turn.set)
        await turn.wait()


class Running(OnDisk):
    """An engine that runs, and short ways to ask it."""

    def __init__(self, engine: Engine, store: SqliteStore) -> None:
        self.engine = engine
        self.store = store
        for name in KINDS:
            engine.kinds.declare(KindDescription(name=name), None)

    def submission(self, kind: str = "work", value: Any = None, **options: Any) -> commands.Submit:
        """A checked submission of one job."""
        wanted = Submission(kind=kind, input=value, options=msgspec.convert(options, Options))
        return commands.Submit(jobs=prepare((wanted,), self.engine.kinds, self.engine.limits))

    async def ask(self, command: commands.Command) -> Any:
        """Have a command decided."""
        return await self.engine.ask(command, PERSON)

    async def submit(self, kind: str = "work", value: Any = None, **options: Any) -> str:
        """Submit a job and return its id."""
        [(public_id, _)] = await self.ask(self.submission(kind, value, **options))
        return str(public_id)

    async def register(self, *, local: bool = True) -> int:
        """A worker comes on duty."""
        kinds = tuple(KindDescription(name=kind) for kind in KINDS)
        registration = Registration(name="w", kinds=kinds, slots=10)
        session: int = await self.ask(commands.RegisterWorker(registration=registration, local=local))
        self.engine.open_stops(session)
        return session

    async def lease(self, session: int, slots: int = 1) -> list[Assignment]:
        """Wait for work."""
        found: list[Assignment] = await self.ask(commands.LeaseJobs(session=session, slots=slots))
        return found

    async def until_halted(self) -> None:
        """Wait until the engine has given up."""
        await _turns_until(lambda: self.engine.state.system.state == "halted")

    async def until_it_can_commit(self) -> None:
        """Wait until the engine has found out that it can commit again."""
        await _turns_until(lambda: self.engine.outage is None)

    async def settle(self, given: Assignment, output: Any = None) -> bool:
        """An attempt has succeeded."""
        report = Report(number=given.number, fence=given.fence, outcome="succeeded", output=output)
        reports = prepare_reports([report], self.engine.limits)
        [counted] = await self.ask(commands.Settle(session=0, reports=reports))
        return bool(counted)


@asynccontextmanager
async def running_engine(folder: Path, limits: Limits | None = None) -> AsyncGenerator[Running]:
    """Run an engine on a folder's database until the block ends."""
    clock = SystemClock()
    store = open_store(folder / "engine.db", clock.now_us())
    reader = open_reader(folder / "engine.db", clock=clock.monotonic_us)
    decider = Decider(store, clock, SeededRandomness(1), limits or Limits())
    engine = Engine(decider, reader, version="test")
    await engine.start()
    try:
        yield Running(engine, store)
    finally:
        await engine.stop()
        reader.close()
        store.close()
