"""Recorded steps on their way to the engine: those of all attempts together, one call at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sheratan.contracts import api
from sheratan.contracts.approvals import AskApproval
from sheratan.contracts.errors import (
    Conflict,
    Disconnected,
    InvalidInput,
    LimitReached,
    LostLease,
    NotFound,
    SheratanError,
    Unavailable,
)
from sheratan.contracts.jobs import JobError
from sheratan.contracts.worker import StepReport
from sheratan.sdk.errors import (
    ApprovalChanged,
    Fatal,
    InvalidOutput,
    NotRecorded,
    NotSpawned,
    Retryable,
    StepFailed,
    describe,
)
from sheratan.sdk.surroundings import Alone

__all__ = ["StepSender"]

_STEPS_AT_ONCE: Final = 256
_AGAIN_SECONDS: Final = 0.2

_FULL: Final = ("intake", "queue")
"""What may refuse jobs for a while: the attempt that spawns them fails, and is tried again later."""

_Waiting = tuple[StepReport, asyncio.Future[Any]]


class StepSender:
    """Sends the steps of a worker's attempts. What comes while a call is under way shares the next one."""

    def __init__(self, transport: api.Transport) -> None:
        self.session = 0
        self._transport = transport
        self._waiting: deque[tuple[StepReport | Alone, asyncio.Future[Any]]] = deque()
        self._task: asyncio.Task[None] | None = None

    def send(self, step: StepReport | Alone) -> asyncio.Future[Any]:
        """Done once the step is durable, with the ids of the jobs that it has spawned, or of what it asks for.

        LostLease when the attempt was given up, StepFailed when it was refused, and recorded as failed.
        """
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, told))
        if self._task is None:
            # It starts in the next turn of the loop, so the steps that end in this one share a call.
            self._task = asyncio.create_task(self._send_all())
        return told

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                steps: list[_Waiting] = []
                while self._waiting and len(steps) < _STEPS_AT_ONCE:
                    step, told = self._waiting[0]
                    if isinstance(step, Alone):
                        break
                    steps.append((step, told))
                    self._waiting.popleft()
                if steps:
                    await self._send(steps)
                else:
                    step, told = self._waiting.popleft()
                    if isinstance(step, AskApproval):
                        await self._ask(step, told)
                    else:
                        assert not isinstance(step, StepReport)
                        await self._submit(step, told)
        finally:
            self._task = None

    async def _submit(self, asked: api.SpawnJobs | api.ProposeJobs, told: asyncio.Future[Any]) -> None:
        try:
            answer = await self._deliver(msgspec.structs.replace(asked, session=self.session))
        except SheratanError as error:
            if isinstance(error, (Disconnected, LostLease)) or error.field == "session":
                _refuse([(asked, told)], LostLease(str(error), field="session"))
            elif error.field in _FULL:
                # Whoever waits for room here would hold up the steps of every other attempt.
                _refuse([(asked, told)], NotSpawned(str(error)))
            else:
                refused = JobError(error_class="fatal", type=type(error).__name__, message=str(error))
                await self._send_failed(_step_of(asked), told, refused)
        else:
            if not told.done():
                told.set_result(answer)

    async def _ask(self, asks: AskApproval, told: asyncio.Future[Any]) -> None:
        try:
            public_id = await self._deliver(msgspec.structs.replace(asks, session=self.session))
        except SheratanError as error:
            _refuse([(asks, told)], _not_asked(error))
        else:
            if not told.done():
                told.set_result(public_id)

    async def _send(self, waiting: list[_Waiting]) -> None:
        try:
            steps = tuple(step for step, _ in waiting)
            counted = await self._deliver(api.RecordSteps(session=self.session, steps=steps))
        except InvalidInput as error:
            if len(waiting) == 1:
                await self._send_failed(*waiting[0], describe(InvalidOutput(str(error))))
                return
            # One of them is at fault, or together they are too long; and none must suffer for another.
            half = len(waiting) // 2
            await self._send(waiting[:half])
            await self._send(waiting[half:])
        except SheratanError as error:
            # The engine takes this worker for lost and decides about its jobs without it.
            _refuse(waiting, LostLease(str(error), field="session"))
        else:
            for (_, told), is_recorded in zip(waiting, counted, strict=True):
                if told.done():
                    continue
                if is_recorded:
                    told.set_result(None)
                else:
                    told.set_exception(LostLease("this attempt was given up; its step was not recorded"))

    async def _send_failed(self, step: StepReport, told: asyncio.Future[Any], error: JobError) -> None:
        """A step that is not taken has failed: in its place, so that those after it follow on something."""
        failed = msgspec.structs.replace(step, output=msgspec.Raw(b"null"), error=error)
        try:
            [counted] = await self._deliver(api.RecordSteps(session=self.session, steps=(failed,)))
        except InvalidInput as refusal:
            _refuse([(step, told)], NotRecorded(str(refusal)))
        except SheratanError as refusal:
            _refuse([(step, told)], LostLease(str(refusal), field="session"))
        else:
            lost = LostLease("this attempt was given up; its step was not recorded")
            _refuse([(step, told)], StepFailed(step.name, error) if counted else lost)

    async def _deliver(self, request: api.RecordSteps | Alone) -> Any:
        while True:
            try:
                return await self._transport.call(request)
            except (Disconnected, NotFound):
                raise
            except (Unavailable, LimitReached) as error:
                if error.field in (*_FULL, "jobs", "approvals"):
                    raise
                # What was done must not be lost: it is sent until the engine takes it or has gone for good.
                await asyncio.sleep(_AGAIN_SECONDS)


def _not_asked(error: SheratanError) -> Exception:
    """How a handler hears that its request for approval was not taken."""
    if isinstance(error, (Disconnected, LostLease)) or error.field == "session":
        return LostLease(str(error), field="session")
    if isinstance(error, Conflict):
        return ApprovalChanged(str(error))
    return Retryable(str(error)) if isinstance(error, LimitReached) else Fatal(str(error))


def _step_of(asked: api.SpawnJobs | api.ProposeJobs) -> StepReport:
    return StepReport(
        number=asked.number,
        fence=asked.fence,
        step=asked.step,
        name=asked.name,
        occurrence=asked.occurrence,
    )


def _refuse(waiting: Sequence[tuple[object, asyncio.Future[Any]]], error: Exception) -> None:
    for _, told in waiting:
        if not told.done():
            told.set_exception(error)
