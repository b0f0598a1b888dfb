"""A crew: leases jobs of one way of running, runs their handlers, reports how they ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, Final

import msgspec

from sheratan.contracts import api
from sheratan.contracts.errors import (
    CorruptData,
    Disconnected,
    InvalidInput,
    LimitReached,
    NotFound,
    Unavailable,
)
from sheratan.contracts.guards import open_breakers
from sheratan.contracts.worker import Assignment, Registration, Report, StepRecord, StopRequest
from sheratan.guards.guards import Guards
from sheratan.guards.time_left import TimeLeft
from sheratan.sdk.context import Context
from sheratan.sdk.ending import Ending
from sheratan.sdk.errors import InvalidOutput, describe
from sheratan.sdk.groups import run_together
from sheratan.sdk.kind import Kind, Mode
from sheratan.sdk.processes import ProcessPool
from sheratan.sdk.reports import cancelled, dump_output, failed, read_input
from sheratan.sdk.step_sender import StepSender
from sheratan.sdk.steps import Steps
from sheratan.sdk.surroundings import Surroundings

__all__ = ["Crew"]

_AGAIN_SECONDS: Final = 0.2
_STEP_THREADS: Final = 32
"""Threads for the steps that are plain functions. They are started when they are needed."""

_GIVE_UP_SECONDS: Final = 3.0
"""How long a crew that stops tries to deliver its last reports."""


class _Attempt:
    """An attempt that runs here."""

    __slots__ = ("assignment", "cancelled", "context", "due_us", "group", "report", "steps", "task")

    def __init__(self, assignment: Assignment, came_us: int) -> None:
        self.assignment = assignment
        self.due_us = came_us + assignment.run_timeout_us
        """When its time is over, by the monotonic clock: nobody else's clock is asked."""
        self.group: Sequence[_Attempt] = ()
        """The attempts that run in the same call, this one among them, if others do."""
        self.cancelled = False
        self.report = True
        """Whether the engine still wants to hear how it ends."""
        self.task: asyncio.Task[None] | None = None
        self.steps: Steps | None = None
        self.context: Context | None = None


class Crew:
    """Runs kinds that are all run in one way. It leases no more jobs than it can run at once."""

    def __init__(
        self, transport: api.Transport, kinds: Sequence[Kind[Any, Any]], mode: Mode, *, name: str, slots: int
    ) -> None:
        self._transport = transport
        self._kinds = {(kind.name, kind.version): kind for kind in kinds}
        self._mode = mode
        self._name = name
        self._slots = slots
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix=name) if mode == "thread" else None
        self._step_threads = ThreadPoolExecutor(_STEP_THREADS, thread_name_prefix=f"{name}-step")
        self._processes = ProcessPool(slots) if mode == "process" else None
        self._busy = 0
        self._freed = asyncio.Event()
        self._attempts: dict[tuple[int, int], _Attempt] = {}
        self._reports: list[Report] = []
        self._flushes: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()
        self._session = 0
        self._sender = StepSender(transport)
        self._guards: Guards

    async def start(self, guards: Guards) -> None:
        """Come on duty and begin to take jobs; what handlers call is guarded by these."""
        self._guards = guards
        registration = Registration(
            name=self._name, kinds=tuple(kind.description for kind in self._kinds.values()), slots=self._slots
        )
        found: api.WorkerSession = await self._transport.call(api.RegisterWorker(registration=registration))
        self._session = self._sender.session = found.session
        self._loops = [
            asyncio.create_task(self._lease_loop(), name=f"{self._name}-lease"),
            asyncio.create_task(self._stop_loop(), name=f"{self._name}-stops"),
        ]
        if found.heartbeat_seconds is not None:
            beat = self._heartbeat_loop(found.heartbeat_seconds, guards)
            self._loops.append(asyncio.create_task(beat, name=f"{self._name}-heartbeat"))

    def assignment_of(self, task: asyncio.Task[Any]) -> Assignment | None:
        """What an attempt's task works at; None for other tasks. From any thread."""
        return next((one.assignment for one in list(self._attempts.values()) if one.task is task), None)

    async def wait_gone(self) -> None:
        """Wait until the engine is out of reach; raises what said so."""
        await asyncio.gather(*self._loops)

    async def stop(self, drain_seconds: float = 0.0) -> None:
        """Take no more jobs, let what runs end for a while, hand back the rest, and go off duty."""
        for loop_task in self._loops:
            loop_task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._drain(drain_seconds)
        for attempt in list(self._attempts.values()):
            self._release(attempt)
        await asyncio.gather(
            *(a.task for a in list(self._attempts.values()) if a.task), return_exceptions=True
        )
        with suppress(TimeoutError):
            # An engine that has halted takes no report; it decides about these jobs when it starts again.
            async with asyncio.timeout(_GIVE_UP_SECONDS):
                await asyncio.gather(*self._flushes, return_exceptions=True)
        with suppress(Unavailable):
            await self._transport.call(api.EndWorker(session=self._session))
        if self._processes is not None:
            self._processes.close()
        for threads in (self._threads, self._step_threads):
            if threads is not None:
                threads.shutdown(wait=False, cancel_futures=True)

    async def _drain(self, seconds: float) -> None:
        self._idle.clear()
        if not self._attempts or seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return

    def _release(self, attempt: _Attempt) -> None:
        """Hand an unfinished attempt back."""
        if attempt.report:
            attempt.report = False
            assignment = attempt.assignment
            self._add_report(Report(number=assignment.number, fence=assignment.fence, outcome="released"))
        attempt.cancelled = True
        if attempt.task is not None:
            attempt.task.cancel()

    async def _lease_loop(self) -> None:
        create_task = asyncio.get_running_loop().create_task
        while True:
            while self._busy >= self._slots:
                self._freed.clear()
                await self._freed.wait()
            request = api.LeaseJobs(session=self._session, slots=self._slots - self._busy)
            try:
                assignments: list[Assignment] = await self._transport.call(request)
            except Disconnected:
                raise
            except (Unavailable, LimitReached):
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            came_us = self._guards.clock.monotonic_us()
            self._busy += len(assignments)
            groups: dict[int, list[_Attempt]] = {}
            for assignment in assignments:
                attempt = _Attempt(assignment, came_us)
                self._attempts[assignment.number, assignment.fence] = attempt
                if assignment.group:
                    groups.setdefault(assignment.group, []).append(attempt)
                else:
                    attempt.task = create_task(self._run(attempt))
            for group in groups.values():
                task = create_task(self._run_group(group))
                for attempt in group:
                    attempt.task, attempt.group = task, group

    async def _heartbeat_loop(self, seconds: float, guards: Guards) -> None:
        while True:
            await asyncio.sleep(seconds)
            breakers = open_breakers(guards.records)
            await self._transport.call(api.HeartbeatWorker(session=self._session, breakers=breakers))

    async def _stop_loop(self) -> None:
        while True:
            requests: list[StopRequest] = await self._transport.call(api.WaitForStops(session=self._session))
            for request in requests:
                attempt = self._attempts.get((request.number, request.fence))
                if attempt is not None:
                    self._stop_attempt(attempt, request)

    def _stop_attempt(self, attempt: _Attempt, request: StopRequest) -> None:
        attempt.cancelled = True
        attempt.report = attempt.report and request.reason == "cancel"
        # A thread cannot be stopped from outside: its handler looks at ctx.cancelled, and its slot stays taken.
        if (
            self._mode != "thread"
            and attempt.task is not None
            and all(one.cancelled for one in attempt.group)
        ):
            attempt.task.cancel()

    async def _run_group(self, group: list[_Attempt]) -> None:
        members = [attempt.assignment for attempt in group]
        kind = self._kinds[members[0].kind, members[0].version]
        try:
            reports = await run_together(kind, members, partial(self._call, kind))
        except asyncio.CancelledError:
            reports = [cancelled(member) for member in members]
        for attempt, report in zip(group, reports, strict=True):
            attempt.group = ()
            self._end(attempt, report)

    async def _run(self, attempt: _Attempt) -> None:
        assignment = attempt.assignment
        try:
            report = await self._outcome(attempt)
            if attempt.steps is not None:
                await attempt.steps.wait_ended()
        except asyncio.CancelledError:
            report = cancelled(assignment)
        self._end(attempt, report)

    def _end(self, attempt: _Attempt, report: Report) -> None:
        del self._attempts[report.number, report.fence]
        if attempt.context is not None and attempt.context.charged is not None:
            report = msgspec.structs.replace(report, charge=attempt.context.charged)
        if attempt.report:
            self._add_report(report)
        else:
            self._free(1)
        if not self._attempts:
            self._idle.set()

    async def _outcome(self, attempt: _Attempt) -> Report:
        assignment = attempt.assignment
        kind = self._kinds[assignment.kind, assignment.version]
        steps = None
        try:
            if self._mode == "async" and kind.takes_context:
                steps = attempt.steps = await self._steps(attempt)
            output = await self._call(kind, self._arguments(kind, attempt, steps))
            if steps is not None:
                steps.finish()
            value = dump_output(kind, output)
        except asyncio.CancelledError:
            if steps is None or attempt.cancelled:
                raise
            return _stopped(assignment, steps)
        except (Exception, SystemExit) as error:
            # A handler that exits, as some libraries do, ends its attempt and not this program.
            return _ended_by(error, assignment, steps)
        finally:
            if steps is not None:
                steps.close()
        return Report(number=assignment.number, fence=assignment.fence, outcome="succeeded", output=value)

    async def _steps(self, attempt: _Attempt) -> Steps:
        """The steps of an attempt, with those that earlier ones have recorded."""
        task = asyncio.current_task()
        assert task is not None
        recorded = await self._recorded(attempt.assignment)
        around = Surroundings(self._sender.send, task.cancel, lambda: attempt.cancelled, self._step_threads)
        return Steps(attempt.assignment, recorded, around)

    async def _recorded(self, assignment: Assignment) -> list[StepRecord]:
        """What earlier attempts have recorded; it takes as many calls as it is long."""
        recorded: list[StepRecord] = []
        while len(recorded) < assignment.steps:
            try:
                page = await self._transport.call(api.ListSteps(id=assignment.id, after=len(recorded)))
            except Disconnected:
                raise
            except (Unavailable, LimitReached):
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            if not page:
                text = f"{assignment.steps} steps are recorded, and only {len(recorded)} are there"
                raise CorruptData(text, field="steps")
            recorded += page
        return recorded

    def _arguments(self, kind: Kind[Any, Any], attempt: _Attempt, steps: Steps | None) -> list[Any]:
        arguments: list[Any] = []
        if kind.takes_context:
            attempt.context = Context(
                attempt.assignment,
                self._transport.call,
                Ending(lambda: attempt.cancelled, TimeLeft(self._guards.clock, attempt.due_us)),
                steps,
                kind.description.proposals,
                self._guards,
            )
            arguments.append(attempt.context)
        if kind.takes_input:
            arguments.append(read_input(kind, attempt.assignment))
        return arguments

    def _call(self, kind: Kind[Any, Any], arguments: list[Any]) -> Awaitable[Any]:
        """The handler's call, in the crew's way."""
        if self._processes is not None:
            return self._processes.run(kind.handler, arguments)
        if self._threads is not None:
            run = copy_context().run
            return asyncio.get_running_loop().run_in_executor(self._threads, run, kind.handler, *arguments)
        found: Awaitable[Any] = kind.handler(*arguments)
        return found

    def _add_report(self, report: Report) -> None:
        self._reports.append(report)
        if len(self._reports) == 1:
            # The task starts in the next turn of the loop, so all attempts that end in this one share a call.
            task = asyncio.create_task(self._settle())
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)

    async def _settle(self) -> None:
        reports = tuple(self._reports)
        self._reports.clear()
        waiting = self._transport.call(api.SettleJobs(session=self._session, reports=reports))
        self._free(len(reports))
        try:
            await self._deliver(reports, waiting)
        except InvalidInput:
            # One of them cannot be carried over: its attempt has failed, and the others must not suffer.
            for report in reports:
                await self._settle_alone(report)

    async def _settle_alone(self, report: Report) -> None:
        request = api.SettleJobs(session=self._session, reports=(report,))
        try:
            await self._deliver(request.reports, self._transport.call(request))
        except InvalidInput as error:
            described = describe(InvalidOutput(str(error)))
            failed = Report(number=report.number, fence=report.fence, outcome="failed", error=described)
            request = api.SettleJobs(session=self._session, reports=(failed,))
            await self._deliver(request.reports, self._transport.call(request))

    async def _deliver(self, reports: tuple[Report, ...], waiting: Awaitable[Any]) -> None:
        while True:
            try:
                await waiting
            except (Disconnected, NotFound):
                # The engine takes this worker for lost and decides about its jobs without it.
                return
            except (Unavailable, LimitReached):
                # What was done must not be lost: deliver it until the engine takes it or has gone for good.
                await asyncio.sleep(_AGAIN_SECONDS)
                waiting = self._transport.call(api.SettleJobs(session=self._session, reports=reports))
            else:
                return

    def _free(self, count: int) -> None:
        self._busy -= count
        self._freed.set()


def _ended_by(error: Exception | SystemExit, assignment: Assignment, steps: Steps | None) -> Report:
    """The report of an attempt that an error has ended; what its steps have come to counts more."""
    if steps is not None and (steps.failure or steps.is_parked):
        return _stopped(assignment, steps)
    return failed(assignment, error)


def _stopped(assignment: Assignment, steps: Steps) -> Report:
    """The report of an attempt that its steps have ended: one has failed, or it does nothing but wait."""
    if steps.failure is not None:
        return failed(assignment, steps.failure)
    if not steps.is_parked:
        raise asyncio.CancelledError
    waits = tuple(steps.waits.values())
    return Report(number=assignment.number, fence=assignment.fence, outcome="waiting", waits=waits)
