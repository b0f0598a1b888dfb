"""A world: an engine, its store and a worker on a virtual loop, and what a test may do to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, Final

import msgspec

from sheratan.contracts.api import ListJobs
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import JobRecord, JobState
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import Assignment
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify
from sheratan.sdk.client import Client
from sheratan.sdk.kind import Kind, find_kinds
from sheratan.store.rows import NEVER_US
from sheratan.testing.blocking import Blocking
from sheratan.testing.crashes import Crashes, When
from sheratan.testing.errors import CrashNotReached, ProofFailed, WorldError
from sheratan.testing.host import Host, HostTransport, WorldClock
from sheratan.testing.loop import VirtualLoop
from sheratan.testing.mortal import MortalWorker

__all__ = ["START", "StepRun", "World", "world"]

START: Final = datetime(2030, 1, 1, tzinfo=UTC)
"""Where the clock of a world stands at first, unless it is told otherwise: a Tuesday, midnight in UTC."""

_ZERO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_JOBS_AT_ONCE: Final = 500


class StepRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a step's function: of which job, its kind, in which attempt."""

    kind: str
    job: str
    step: str
    attempt: int


class World:
    """What `world` gives. Time goes on by itself when everybody waits, and never otherwise."""

    def __init__(
        self, loop: VirtualLoop, kinds: Sequence[Kind[Any, Any]], limits: Limits, start_us: int
    ) -> None:
        self.step_runs: list[StepRun] = []
        """Every run of a step's function, in order; one that is given back from the journal is none."""
        self._loop = loop
        self._kinds = kinds
        self._clock = WorldClock(loop, start_us)
        # A float that counts centuries is a microsecond off.
        loop.end_us = loop.now_us + NEVER_US - start_us - 1_000_000
        self._crashes = Crashes()
        self._host = Host(loop, self._clock, limits, kinds)
        self._workers: list[MortalWorker] = []
        self._replacements: list[asyncio.Task[None]] = []
        self.client = self.client_of("tester")
        """A client of `local:tester`."""

    # ------------------------------------------------------------------------------------------------------------------
    # Time

    @property
    def now_us(self) -> int:
        """The virtual instant, in microseconds since the epoch."""
        return self._clock.now_us()

    @property
    def now(self) -> datetime:
        """The virtual instant, in UTC."""
        return _ZERO + self.now_us * _MICROSECOND

    async def skip(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Let so much time go by, with everything that is due meanwhile, in order and each at its instant."""
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if span < timedelta(0):
            raise InvalidInput("time does not run backwards", field="skip")
        await self._until(self.now_us + span // _MICROSECOND)

    async def at(self, instant: datetime | str) -> None:
        """Let time go by until an instant, as a datetime or text with an offset (`2030-02-01T09:00+01:00`)."""
        until_us = _instant_us(instant, "instant")
        if until_us < self.now_us:
            text = f"{instant} has gone by: it is {self.now.isoformat()}"
            raise InvalidInput(text, field="instant")
        await self._until(until_us)

    async def settle(self) -> None:
        """Wait until all that happens without time going by has happened."""
        await self._loop.settle()

    async def _until(self, instant_us: int) -> None:
        await asyncio.sleep((instant_us - self.now_us) / 1_000_000)
        await self._loop.settle()

    # ------------------------------------------------------------------------------------------------------------------
    # People and crashes

    def client_of(self, person: str) -> Client:
        """A client of another person, as for an approval: `local:PERSON` in the journal."""
        return Client(HostTransport(self._host, _principal(person)))

    def crash_at(self, step: str, *, when: When = "before", kind: str | None = None, times: int = 1) -> None:
        """Have the worker die where a step is recorded: `before` (its function has run), or `after`.

        `step` is a step's name, as `client.steps` shows it (`charge`, `wait:sleep`, `spawn:mail`), or `job:start` (a
        worker has got the job) or `job:end` (its end is reported). Of any kind, or one; at the next so many `times`.
        The leases are lost, and another worker comes on duty at once. A world whose crashes were not all reached ends
        with CrashNotReached.
        """
        self._crashes.add(step, when, kind, times)

    async def restart(self) -> None:
        """Kill the engine and the worker, and start both anew from the database.

        Who waits for an answer at this moment gets Disconnected; clients and handles go on to work.
        """
        await self._settle_workers()
        worker = self._workers[-1]
        worker.on_death = lambda _: None
        worker.die()
        self._host.kill()
        await self._host.start()
        await self._hire()

    # ------------------------------------------------------------------------------------------------------------------
    # What has happened

    def runs_of(self, step: str, *, kind: str | None = None) -> int:
        """How often the function of a step was run."""
        return sum(run.step == step and kind in (None, run.kind) for run in self.step_runs)

    async def jobs(self, *, kind: str | None = None, state: JobState | None = None) -> list[JobRecord]:
        """The jobs there are, oldest first: all, or those of a kind, or in a state."""
        found: list[JobRecord] = []
        cursor: str | None = None
        while True:
            wanted = ListJobs(kind=kind, state=state, limit=_JOBS_AT_ONCE, cursor=cursor)
            page = await self.client.jobs(wanted)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found[::-1]

    async def why(self, subject: str) -> str:
        """The story of a job, run, schedule or queue as text, one sentence a line."""
        story = await self.client.why(subject)
        return "\n".join(f"[{line.entry}] {line.text}" for line in story.lines)

    # ------------------------------------------------------------------------------------------------------------------
    # Life and end

    async def _begin(self) -> None:
        await self._host.start()
        await self._hire()

    async def _tell_open(self, verdict: WorldError) -> None:
        """Say in an error what the jobs wait for that have not ended."""
        for job in await self.jobs():
            if job.finished_us is None:
                waits = f"; it waits for {job.waiting_for}" if job.waiting_for else ""
                verdict.add_note(f"{job.id} of kind {job.kind} is {job.state}{waits}")

    def _assignment_of(self, task: asyncio.Task[Any]) -> Assignment | None:
        """What a task of a handler works at. From any thread."""
        return next(filter(None, (one.assignment_of(task) for one in list(self._workers))), None)

    async def _end(self) -> None:
        """Stop everything in order."""
        await self._settle_workers()
        await self._workers[-1].stop()
        await self._host.stop()
        for worker in self._workers[:-1]:
            await worker.stop()
        await self._host.bury()

    def _prove(self) -> None:
        """Raise what is wrong with what the test has left behind."""
        checked = verify(self._host.store, integrity=False)
        if not checked.ok:
            raise ProofFailed("; ".join(f"{one.invariant}: {one.text}" for one in checked.problems))
        derived = replay(self._host.store)
        if not derived.ok:
            raise ProofFailed(f"{derived.different} decisions come out otherwise: {derived.differences}")
        missed = self._crashes.missed()
        if missed:
            passed = ", ".join(dict.fromkeys(point.name for point in self._crashes.seen))
            raise CrashNotReached(f"nobody came by {', '.join(missed)}; there were {passed or 'no points'}")

    async def _hire(self) -> None:
        worker = MortalWorker(
            len(self._workers) + 1, self._loop, self._host, _principal("tester"), self._crashes
        )
        worker.on_death = self._replace
        self._workers.append(worker)
        await worker.start(self._kinds, self._note)

    def _replace(self, dead: MortalWorker) -> None:
        self._replacements.append(self._loop.spawn("", self._relieve(dead)))

    async def _relieve(self, dead: MortalWorker) -> None:
        await dead.report_lost()
        await self._hire()

    async def _settle_workers(self) -> None:
        while self._replacements:
            await self._replacements.pop()

    def _note(self, assignment: Assignment, step: str) -> None:
        self.step_runs.append(
            StepRun(kind=assignment.kind, job=assignment.id, step=step, attempt=assignment.attempt)
        )


@asynccontextmanager
async def world(
    kinds: Sequence[Kind[Any, Any] | ModuleType] = (),
    *,
    limits: Limits | None = None,
    start: datetime | str = START,
    blocked_seconds: float | None = None,
) -> AsyncGenerator[World]:
    """An engine, a store in memory and a worker for these kinds, in virtual time. It runs on a `VirtualLoop` only.

    `kinds` are kinds, or modules that define some. At the end everything is stopped, and the journal verified and
    its decisions derived again: ProofFailed when anything is wrong. With `blocked_seconds` an async handler that keeps
    the loop from everything else for twice as much real time is HandlerBlocked, at the end.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise WorldError(
            "this event loop runs in real time: run the test with sheratan.testing.run or in_world, or on a loop that "
            "asyncio.Runner(loop_factory=sheratan.testing.VirtualLoop) makes"
        )
    found: list[Kind[Any, Any]] = []
    for item in kinds:
        found.extend(find_kinds(item) if isinstance(item, ModuleType) else [item])
    made = World(loop, found, limits or Limits(), _instant_us(start, "start"))
    loop.main = asyncio.current_task()
    try:
        await made._begin()
        blocking = Blocking(blocked_seconds, made._assignment_of)
        try:
            blocking.start()
            yield made
        except asyncio.CancelledError:
            if loop.verdict is not None:
                await made._tell_open(loop.verdict)
            raise
        finally:
            await blocking.stop()
            await made._end()
        made._prove()
        blocking.check()
    except BaseException as error:
        where = f"(in a world of sheratan.testing, at {made.now.isoformat()} of its time)"
        if isinstance(error, asyncio.CancelledError) and loop.verdict is not None:
            loop.verdict.add_note(where)
            raise loop.verdict from error
        error.add_note(where)
        raise
    finally:
        loop.main = None
        made._host.store.close()


def _principal(person: str) -> Principal:
    return Principal(actor=f"local:{person}", auth="embedded", on_behalf_of=f"local:{person}")


def _instant_us(instant: datetime | str, field: str) -> int:
    try:
        found = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    except ValueError:
        raise InvalidInput(f"{instant!r} is no instant like 2030-02-01T09:00+01:00", field=field) from None
    if found.tzinfo is None:
        raise InvalidInput(f"{instant} has no offset, as in 2030-02-01T09:00+01:00", field=field)
    return (found - _ZERO) // _MICROSECOND
