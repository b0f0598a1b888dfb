"""A crew: leases jobs of one way of running, runs their handlers, reports how they ended."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Final

from sheratan.contracts import api
from sheratan.contracts.errors import Disconnected, InvalidInput, LimitReached, NotFound, Unavailable
from sheratan.contracts.jobs import JobError
from sheratan.contracts.worker import Assignment, Registration, Report, Signal
from sheratan.sdk.context import Context
from sheratan.sdk.errors import HandlerError
from sheratan.sdk.kind import Kind, Mode
from sheratan.sdk.processes import ProcessDied, ProcessPool

__all__ = ["Crew"]

_AGAIN_SECONDS: Final = 0.2
_GIVE_UP_SECONDS: Final = 3.0
"""How long a crew that stops tries to deliver its last reports."""


class _Attempt:
    """An attempt that runs here."""

    __slots__ = ("assignment", "cancelled", "report", "task")

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.cancelled = False
        self.report = True
        """Whether the engine still wants to hear how it ends."""
        self.task: asyncio.Task[None] | None = None


class Crew:
    """Runs kinds that are all run in one way. It leases no more jobs than it can run at once."""

    def __init__(
        self, transport: api.Transport, kinds: Sequence[Kind[Any, Any]], mode: Mode, *, name: str, slots: int
    ) -> None:
        self._transport = transport
        self._kinds = {kind.name: kind for kind in kinds}
        self._mode = mode
        self._name = name
        self._slots = slots
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix=name) if mode == "thread" else None
        self._processes = ProcessPool(slots) if mode == "process" else None
        self._busy = 0
        self._freed = asyncio.Event()
        self._attempts: dict[tuple[int, int], _Attempt] = {}
        self._reports: list[Report] = []
        self._flushes: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()
        self._session = 0

    async def start(self) -> None:
        """Come on duty and begin to take jobs."""
        registration = Registration(
            name=self._name, kinds=tuple(kind.description for kind in self._kinds.values()), slots=self._slots
        )
        found: api.WorkerSession = await self._transport.call(api.RegisterWorker(registration=registration))
        self._session = found.session
        self._loops = [
            asyncio.create_task(self._lease_loop(), name=f"{self._name}-lease"),
            asyncio.create_task(self._signal_loop(), name=f"{self._name}-signals"),
        ]
        if found.heartbeat_seconds is not None:
            beat = self._heartbeat_loop(found.heartbeat_seconds)
            self._loops.append(asyncio.create_task(beat, name=f"{self._name}-heartbeat"))

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
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

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
            self._busy += len(assignments)
            for assignment in assignments:
                attempt = _Attempt(assignment)
                self._attempts[assignment.number, assignment.fence] = attempt
                attempt.task = create_task(self._run(attempt))

    async def _heartbeat_loop(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._transport.call(api.HeartbeatWorker(session=self._session))

    async def _signal_loop(self) -> None:
        while True:
            signals: list[Signal] = await self._transport.call(api.WaitForSignals(session=self._session))
            for signal in signals:
                attempt = self._attempts.get((signal.number, signal.fence))
                if attempt is not None:
                    self._stop_attempt(attempt, signal)

    def _stop_attempt(self, attempt: _Attempt, signal: Signal) -> None:
        attempt.cancelled = True
        attempt.report = attempt.report and signal.reason == "cancel"
        # A thread cannot be stopped from outside: its handler looks at ctx.cancelled, and its slot stays taken.
        if self._mode != "thread" and attempt.task is not None:
            attempt.task.cancel()

    async def _run(self, attempt: _Attempt) -> None:
        assignment = attempt.assignment
        try:
            report = await self._outcome(attempt)
        except asyncio.CancelledError:
            report = Report(number=assignment.number, fence=assignment.fence, outcome="cancelled")
        del self._attempts[assignment.number, assignment.fence]
        if attempt.report:
            self._add_report(report)
        else:
            self._free(1)
        if not self._attempts:
            self._idle.set()

    async def _outcome(self, attempt: _Attempt) -> Report:
        assignment = attempt.assignment
        number, fence = assignment.number, assignment.fence
        kind = self._kinds[assignment.kind]
        try:
            output = await self._call(kind, self._arguments(kind, attempt))
        except (Exception, SystemExit) as error:
            # A handler that exits, as some libraries do, ends its attempt and not this program.
            return Report(number=number, fence=fence, outcome="failed", error=_describe(error))
        try:
            value = kind.dump_output(output)
        except InvalidInput as error:
            described = JobError(error_class="bug", type="InvalidOutput", message=str(error))
            return Report(number=number, fence=fence, outcome="failed", error=described)
        return Report(number=number, fence=fence, outcome="succeeded", output=value)

    def _arguments(self, kind: Kind[Any, Any], attempt: _Attempt) -> list[Any]:
        arguments: list[Any] = []
        if kind.takes_context:
            arguments.append(Context(attempt.assignment, self._transport.call, lambda: attempt.cancelled))
        if kind.takes_input:
            try:
                arguments.append(kind.read_input(bytes(attempt.assignment.input)))
            except InvalidInput as error:
                raise _UnreadableInput(str(error)) from error
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
            described = JobError(error_class="bug", type="InvalidOutput", message=str(error))
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


class _UnreadableInput(HandlerError):
    """The stored input does not fit the handler: the kind has changed since the job was submitted."""

    error_class = "fatal"


def _describe(error: Exception | SystemExit) -> JobError:
    name = type(error).__qualname__
    message = _writable(str(error))
    trace = _writable("".join(traceback.format_exception(error)))
    if isinstance(error, HandlerError):
        return JobError(
            error_class=error.error_class,
            type=name.lstrip("_"),
            message=message,
            traceback=trace,
            retry_after_seconds=error.retry_after_seconds,
        )
    if isinstance(error, ProcessDied):
        return JobError(error_class="lost_lease", type=name, message=message)
    return JobError(error_class="retryable", type=name, message=message, traceback=trace)


def _writable(text: str) -> str:
    """Text that quotes what is no valid text, such as a file name, is kept, escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
