"""A real engine on a real store, and a script of calls whose answers are noted: what was promised can be looked for.

Time stands still and randomness is seeded, so the same script does the same input and output, operation by operation.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import msgspec

from crash.history import History, Verb
from crash.storage_kill import KillAtOperation
from sheratan.ambient.clock import VirtualClock
from sheratan.ambient.randomness import SeededRandomness
from sheratan.contracts.bulk import BulkAction
from sheratan.contracts.errors import (
    Conflict,
    CorruptData,
    InvalidInput,
    LimitReached,
    NotFound,
    SheratanError,
)
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.flow import FlowLimits, Rate
from sheratan.contracts.jobs import ErrorClass, JobError, KindDescription, Options, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.contracts.worker import Assignment, Registration, Report, StepReport, Wait
from sheratan.engine import commands
from sheratan.engine.decider import Decider
from sheratan.engine.engine import Engine
from sheratan.engine.prepare import prepare, prepare_reports, prepare_signal, prepare_steps
from sheratan.kernel.chain import Head
from sheratan.store.sqlite.store import SqliteStore, connect_owner

__all__ = ["Notes", "Workshop", "fill", "work", "workshop"]

_BY = Principal(actor="local:battery", auth="embedded", on_behalf_of="local:battery")
_KIND = KindDescription(name="work")
_REFUSALS = (Conflict, NotFound, InvalidInput, LimitReached)
_SECOND_US = 1_000_000
_TURNS_MAX = 20
"""Turns of the loop within which an answer comes that comes at all: commits are made on the loop here."""


class Notes:
    """What callers asked and were told. With a `log` it is kept in files, for whoever outlives the one who notes."""

    def __init__(self, log: Path | None = None, *, before: Notes | None = None) -> None:
        self.history = History(log)
        self.jobs: list[str] = list(before.jobs) if before else []
        """The ids that were given, in the order of the answers."""
        self.seq = before.seq if before else 0
        self.head = before.head if before else ""
        """The journal's end after the last answer: the next number, and the hash of the last entry."""
        self.step = before.step if before else 0
        """The step of the script that was begun last."""
        self._ends = (
            None if log is None else os.open(_ends_of(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        )

    @property
    def known(self) -> Head | None:
        """The head that a caller knows, as the verification takes it."""
        return Head(self.seq, self.head) if self.seq else None

    def note_end(self, seq: int, head: str) -> None:
        """Note the end of the journal that an answer stands on."""
        self.seq, self.head = seq, head
        self._write()

    def begin(self, step: int) -> None:
        """Note that a step of the script begins."""
        self.step = step
        self._write()

    def close(self) -> None:
        """Give the files back."""
        self.history.close()
        if self._ends is not None:
            os.close(self._ends)

    @classmethod
    def read(cls, *logs: Path) -> Notes:
        """The notes that several have written, one after the other."""
        notes = cls()
        notes.history = History.read(*logs)
        notes.jobs = [call.answer for call in notes.history.acknowledged("submit")]
        for log in logs:
            for line in _ends_of(log).read_text("ascii").splitlines(keepends=True):
                if line.endswith("\n"):
                    notes.seq, notes.head, notes.step = json.loads(line)
        return notes

    def _write(self) -> None:
        if self._ends is not None:
            os.write(self._ends, json.dumps([self.seq, self.head, self.step]).encode() + b"\n")


def _ends_of(log: Path) -> Path:
    return log.with_name(f"{log.name}.ends")


class Workshop:
    """An engine, and short ways to ask it."""

    def __init__(self, engine: Engine, store: SqliteStore, clock: VirtualClock, notes: Notes) -> None:
        self.engine = engine
        self.store = store
        self.clock = clock
        self.notes = notes
        self.session = 0
        self.settled: Assignment | None = None
        engine.kinds.declare(_KIND, None)

    async def ask(self, command: commands.Command) -> Any:
        """Have a command decided, and note the journal's end that its answer stands on."""
        answer = await self.engine.ask(command, _BY)
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
        registration = Registration(name="hands", kinds=(_KIND,), slots=64)
        self.session = await self.ask(commands.RegisterWorker(registration=registration, local=True))
        self.engine.open_stops(self.session)

    async def submit(self, key: str, value: Any, **options: Any) -> str:
        """Submit a job under a key."""
        settings = msgspec.convert({"key": key, **options}, Options)
        wanted = Submission(kind=_KIND.name, input=value, options=settings)
        command = commands.Submit(jobs=prepare((wanted,), self.engine.kinds, self.engine.limits))
        given = {"kind": _KIND.name, "input": value}
        job, _ = await self.tell("submit", given, command, key=key)
        self.notes.jobs.append(job)
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
        report = Report(number=given.number, fence=given.fence, outcome=outcome, output=output, error=error)
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
        jobs = prepare((Submission(kind=_KIND.name, input=value),), self.engine.kinds, self.engine.limits)
        asked = commands.Spawn(
            number=given.number, fence=given.fence, step=step, name="spawn:work", occurrence=step, jobs=jobs
        )
        [child] = await self.ask(asked)
        self.notes.jobs.append(child)
        return str(child)

    async def park(self, given: Assignment, seconds: float, child: str | None = None) -> None:
        """An attempt gives its slot back, and waits for a signal or for the end of a job, or for so long."""
        occurrence = given.steps + 1
        wait = Wait(name="wait:signal:go", occurrence=occurrence, what="signal", key="go", seconds=seconds)
        if child is not None:
            wait = Wait(name="wait:jobs", occurrence=occurrence, what="jobs", jobs=(child,), seconds=seconds)
        report = Report(number=given.number, fence=given.fence, outcome="waiting", waits=(wait,))
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


async def work(shop: Workshop, seed: int, first: int, last: int) -> None:
    """The script, from one step to another. What a step does depends on its number and on the notes alone."""
    await shop.register()
    for number in range(first, last):
        draw = random.Random(f"{seed}/{number}")  # noqa: S311 - a run must repeat, not surprise
        shop.notes.begin(number)
        try:
            await _STEPS[draw.randrange(len(_STEPS))](shop, number, draw)
        except _REFUSALS:
            # A cancellation of a job that has ended, say: a refusal is an answer, too.
            continue
        finally:
            shop.clock.advance(draw.randrange(2 * _SECOND_US))


async def _submit(shop: Workshop, number: int, draw: random.Random) -> None:
    value = {"step": number, "text": "x" * draw.choice((0, 10, 500, 3_000, 9_000))}
    tags = draw.choice(((), ("eu",), ("eu", "us")))
    await shop.submit(
        f"step {number}", value, priority=draw.randrange(10), tags=tags, cost=draw.randint(1, 3)
    )


async def _submit_for_later(shop: Workshop, number: int, draw: random.Random) -> None:
    await shop.submit(f"step {number}", number, delay_seconds=draw.randrange(1, 20))


async def _submit_with_limit(shop: Workshop, number: int, draw: random.Random) -> None:
    await shop.submit(f"step {number}", number, queue_timeout_seconds=draw.randrange(1, 40))


async def _submit_after(shop: Workshop, number: int, draw: random.Random) -> None:
    known = shop.notes.jobs
    after = draw.sample(known, min(len(known), 2))
    await shop.submit(f"step {number}", number, after=after, queue=f"queue-{draw.randrange(3)}")


async def _work_off(shop: Workshop, number: int, draw: random.Random) -> None:
    leased = await shop.lease(draw.randrange(1, 5))
    for given in leased:
        if draw.random() < 0.15:
            child = await shop.spawn(given, given.steps + 1, number)
            await shop.park(given, draw.randrange(1, 60), child)
            continue
        if draw.random() < 0.3:
            await shop.step(given, f"step-{number}", "z" * draw.choice((0, 20, 4_000)))
        if draw.random() < 0.15:
            await shop.park(given, draw.randrange(1, 60))
        elif draw.random() < 0.25:
            error_class: ErrorClass = draw.choice(("retryable", "fatal"))
            error = JobError(error_class=error_class, type="Boom", message=f"step {number}")
            await shop.settle(given, None, error=error)
        elif draw.random() < 0.9:
            await shop.settle(given, {"done": number, "text": "y" * draw.choice((0, 20, 4_000))})


async def _report_again(shop: Workshop, number: int, draw: random.Random) -> None:
    """A worker that is too late: its report must change nothing, and be told of."""
    if shop.settled is not None:
        await shop.settle(shop.settled, f"too late in step {number}")


async def _signal(shop: Workshop, number: int, draw: random.Random) -> None:
    """To a job that waits, to one that will, or to one that never does."""
    if shop.notes.jobs:
        value = {"step": number, "text": "v" * draw.choice((0, 20, 4_000))}
        await shop.signal(draw.choice(shop.notes.jobs), draw.choice(("go", "other")), value)


async def _cancel(shop: Workshop, number: int, draw: random.Random) -> None:
    if shop.notes.jobs:
        await shop.cancel(draw.choice(shop.notes.jobs))


async def _pause(shop: Workshop, number: int, draw: random.Random) -> None:
    await shop.ask(commands.Pause(subject="queue:queue-1", reason=f"step {number}"))


async def _resume(shop: Workshop, number: int, draw: random.Random) -> None:
    await shop.ask(commands.Resume(subject="queue:queue-1"))


async def _limit(shop: Workshop, number: int, draw: random.Random) -> None:
    """A queue may start so many jobs in a while."""
    rate = Rate(count=draw.randint(1, 5), period_seconds=1.0, burst=draw.randint(1, 5))
    limits = FlowLimits(rate=rate, concurrency=draw.choice((None, 4)))
    queue = draw.choice(("default", "queue-2"))
    await shop.ask(commands.LimitStarts(subject=f"queue:{queue}", limits=limits, reason=f"step {number}"))


async def _bulk(shop: Workshop, number: int, draw: random.Random) -> None:
    """Some dead letters are discarded, or run again."""
    action: BulkAction = draw.choice(("discard", "replay"))
    await shop.ask(commands.StartBulk(action=action, filter=JobFilter(), limit=1, reason=f"step {number}"))


_STEPS = (
    _submit, _submit, _submit, _submit_for_later, _submit_with_limit, _submit_after,
    _work_off, _work_off, _work_off, _work_off, _report_again, _signal, _signal, _cancel, _pause,
    _resume, _limit, _bulk,
)  # fmt: skip


def fill(path: Path, seed: int, steps: int, *, keep_log: bool = False, log_pages: int = 64) -> Notes:
    """Make a database by the script, and return what its callers were told.

    With `keep_log` it is left as a crash leaves it: with commits in the log that are not in the database yet.
    """
    notes, vfs = Notes(), KillAtOperation(0)

    async def run() -> None:
        async with workshop(path, notes, vfs=vfs.name, log_pages=log_pages) as shop:
            await work(shop, seed, 0, steps)
            notes.note_end(shop.engine.state.head.seq, shop.engine.state.head.hash)
            if keep_log:
                _copy_with_log(path, shop.store)

    asyncio.run(run())
    if keep_log:
        for kept in path.parent.glob(f"{path.name}*.kept"):
            kept.replace(kept.with_suffix(""))
    else:
        notes.seq, notes.head = read_head(path)
    return notes


def _copy_with_log(path: Path, store: SqliteStore) -> None:
    """The files as a crash at this moment leaves them: a log with commits that are not in the database yet."""
    for file in (path, path.with_name(f"{path.name}-wal")):
        file.with_name(f"{file.name}.kept").write_bytes(file.read_bytes())
    if store._connection.in_transaction:
        raise CorruptData("a copy of a database must be taken between two commits")


def read_head(path: Path) -> tuple[int, str]:
    """The journal's end as the database has it now."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        [(seq, head)] = connection.execute("SELECT seq, head FROM shard").fetchall()
        return int(seq), str(head)
    finally:
        connection.close()
