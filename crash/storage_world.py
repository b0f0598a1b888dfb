"""A real engine on a real store, and a script of calls whose answers are noted: what was promised can be looked for.

Time stands still and randomness is seeded, so the same script does the same input and output, operation by operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import msgspec

from crash.history import Verb
from crash.storage_notes import SHORT, Notes
from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts.code import Difference
from sheratan.contracts.errors import (
    SheratanError,
)
from sheratan.contracts.gates import Gate, SubmitGated
from sheratan.contracts.jobs import JobError, KindDescription, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import Assignment, Registration, Report, StepReport, Wait
from sheratan.engine import commands
from sheratan.engine.decider import Decider
from sheratan.engine.engine import Engine
from sheratan.engine.prepare import prepare, prepare_reports, prepare_signal, prepare_steps
from sheratan.engine.prepare_gates import prepare_gated
from sheratan.store.sqlite.store import SqliteStore, connect_owner

__all__ = ["KIND", "WORKER", "Workshop", "workshop"]

_BY = Principal(actor="local:battery", auth="embedded", on_behalf_of="local:battery")
KIND = KindDescription(name="work")
WORKER = "hands"
_SHORT = KindDescription(name=SHORT)

_TURNS_MAX = 20
"""Turns of the loop within which an answer comes that comes at all: commits are made on the loop here."""


class Workshop:
    """An engine, and short ways to ask it."""

    def __init__(self, engine: Engine, store: SqliteStore, clock: VirtualClock, notes: Notes) -> None:
        self.engine = engine
        self.store = store
        self.clock = clock
        self.notes = notes
        self.session = 0
        self.settled: Assignment | None = None
        for kind in (KIND, _SHORT):
            engine.kinds.declare(kind, None)

    async def ask(self, command: commands.Command, by: Principal = _BY) -> Any:
        """Have a command decided, and note the journal's end that its answer stands on."""
        answer = await self.engine.ask(command, by)
        self.notes.note_end(self.engine.state.head.seq, self.engine.state.head.hash)
        return answer

    async def tell(self, verb: Verb, given: Any, command: commands.Command, *, key: str | None = None) -> Any:
        """Ask, and keep a history of it: what was asked first, and what came back."""
        call = self.notes.history.send("script", verb, given, key=key)
        try:
            answer = await self.ask(command)
        except SheratanError as error:
            self.notes.history.fail(call, error.code)
            raise
        if verb != "cancel":
            [answer] = answer
        self.notes.history.acknowledge(call, answer[0] if verb == "submit" else answer)
        return answer

    async def register(self) -> None:
        """A worker comes on duty."""
        registration = Registration(name=WORKER, kinds=(KIND,), slots=64)
        self.session = await self.ask(commands.RegisterWorker(registration=registration, local=True))
        self.engine.open_stops(self.session)

    async def submit(self, key: str, value: Any, **options: Any) -> str:
        """Submit a job under a key."""
        job = await self._submit(KIND, key, value, **options)
        self.notes.jobs.append(job)
        self.notes.submitted.append(job)
        return job

    async def submit_shortly(self, key: str, value: Any) -> None:
        """Submit a job that is not kept for long, and cancel it; nobody asks for it again."""
        job = await self._submit(_SHORT, key, value)
        await self.tell("cancel", job, commands.Cancel(id=job, reason="not wanted"))

    async def _submit(self, kind: KindDescription, key: str, value: Any, **options: Any) -> str:
        settings = msgspec.convert({"key": key, **options}, Options)
        wanted = Submission(kind=kind.name, input=value, options=settings)
        command = commands.Submit(jobs=prepare((wanted,), self.engine.kinds, self.engine.limits))
        job, _ = await self.tell("submit", {"kind": kind.name, "input": value}, command, key=key)
        return str(job)

    async def lease(self, slots: int) -> list[Assignment]:
        """Take what there is to do, if anything."""
        asked = asyncio.create_task(self.ask(commands.LeaseJobs(session=self.session, slots=slots)))
        for _ in range(_TURNS_MAX):
            await asyncio.sleep(0)
            if asked.done():
                leased: list[Assignment] = asked.result()
                return leased
        # Nothing is ready, or its queue is paused: a call without an answer would wait for the next submission.
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        return []

    async def settle(self, given: Assignment, output: Any, *, error: JobError | None = None) -> None:
        """Report the end of an attempt."""
        outcome = "failed" if error else "succeeded"
        report = Report(
            number=given.number,
            fence=given.fence,
            outcome=outcome,
            output=output,
            error=error,
            charge=given.charge_max,
        )
        reports = prepare_reports([report], self.engine.limits)
        told = {"number": given.number, "fence": given.fence, "outcome": outcome}
        self.settled = given
        await self.tell("settle", told, commands.Settle(session=self.session, reports=reports))

    async def step(self, given: Assignment, name: str, output: Any) -> None:
        """Record a step of an attempt, the next one that its job has."""
        report = StepReport(
            number=given.number,
            fence=given.fence,
            step=given.steps + 1,
            name=name,
            output=msgspec.Raw(msgspec.json.encode(output)),
        )
        await self.ask(commands.RecordSteps(steps=prepare_steps([report], self.engine.limits)))

    async def spawn(self, given: Assignment, step: int, value: Any) -> str:
        """A running job submits another as its step of this number."""
        jobs = prepare((Submission(kind=KIND.name, input=value),), self.engine.kinds, self.engine.limits)
        asked = commands.Spawn(
            number=given.number, fence=given.fence, step=step, name="spawn:work", occurrence=step, jobs=jobs
        )
        [child] = await self.ask(asked)
        self.notes.jobs.append(child)
        return str(child)

    async def submit_gated(self, gate: Gate, value: Any) -> None:
        """Submit a job through a gate; a throttle that drops it has refused it."""
        wanted = SubmitGated(job=Submission(kind=KIND.name, input=value), gate=gate)
        command = prepare_gated(wanted, self.engine.kinds, self.engine.limits)
        call = self.notes.history.send("script", "submit", {"kind": KIND.name, "input": value})
        try:
            receipt = await self.ask(command)
        except SheratanError as error:
            self.notes.history.fail(call, error.code)
            raise
        if receipt.throttled:
            self.notes.history.fail(call, "throttled")
            return
        self.notes.history.acknowledge(call, receipt.id)
        self.notes.jobs.append(receipt.id)
        self.notes.submitted.append(receipt.id)

    async def park(self, given: Assignment, seconds: float, child: str | None = None) -> None:
        """An attempt gives its slot back, and waits for a signal or for the end of a job, or for so long."""
        occurrence = given.steps + 1
        wait = Wait(name="wait:signal:go", occurrence=occurrence, what="signal", key="go", seconds=seconds)
        if child is not None:
            wait = Wait(name="wait:jobs", occurrence=occurrence, what="jobs", jobs=(child,), seconds=seconds)
        report = Report(number=given.number, fence=given.fence, outcome="waiting", waits=(wait,))
        reports = prepare_reports([report], self.engine.limits)
        await self.ask(commands.Settle(session=self.session, reports=reports))

    async def block(self, given: Assignment) -> None:
        """An attempt has found that its code is not the one that recorded the first step of its job."""
        difference = Difference(what="missing", step=1, recorded="step")
        report = Report(number=given.number, fence=given.fence, outcome="code_changed", difference=difference)
        reports = prepare_reports([report], self.engine.limits)
        await self.ask(commands.Settle(session=self.session, reports=reports))

    async def signal(self, job: str, name: str, value: Any) -> None:
        """Send a signal to a job."""
        data = prepare_signal(value, self.engine.limits)
        await self.ask(commands.SendSignal(id=job, name=name, value=data))

    async def cancel(self, job: str) -> None:
        """Cancel a job."""
        await self.tell("cancel", job, commands.Cancel(id=job, reason="not wanted"))


@asynccontextmanager
async def workshop(
    path: Path, notes: Notes, *, vfs: str | None = None, log_pages: int = 64, seed: int = 1
) -> AsyncGenerator[Workshop]:
    """Run an engine on a database until the block ends. Small logs make it checkpoint often."""
    clock = VirtualClock(_instant_after(path))
    store = SqliteStore(connect_owner(path, clock.now_us(), vfs=vfs, log_pages=log_pages))
    try:
        # With a clock that stands still every commit is made on the loop, so one connection serves both sides.
        engine = Engine(Decider(store, clock, SeededRandomness(seed), Limits()), store, version="battery")
        await engine.start()
        try:
            yield Workshop(engine, store, clock, notes)
        finally:
            with suppress(SheratanError):
                await engine.stop()
    finally:
        with suppress(apsw.Error):
            store.close()


def _instant_after(path: Path) -> int:
    """Time goes on where the database has left it."""
    start = VirtualClock().now_us()
    if not path.exists():
        return start
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return max(start, *(row[0] for row in connection.execute("SELECT at_us FROM shard")))
    except apsw.Error:
        return start
    finally:
        connection.close()
