"""Recorded steps on their way to the engine: those of all attempts together, one call at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import msgspec

from sheratan.contracts import api
from sheratan.contracts.errors import (
    Disconnected,
    InvalidInput,
    LimitReached,
    LostLease,
    NotFound,
    SheratanError,
    Unavailable,
)
from sheratan.contracts.worker import StepReport
from sheratan.sdk.errors import InvalidOutput, NotRecorded, describe

__all__ = ["StepSender"]

_STEPS_AT_ONCE: Final = 256
_AGAIN_SECONDS: Final = 0.2

_Waiting = tuple[StepReport, asyncio.Future[None]]


class StepSender:
    """Sends the steps of a worker's attempts. What comes while a call is under way shares the next one."""

    def __init__(self, transport: api.Transport) -> None:
        self.session = 0
        self._transport = transport
        self._waiting: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None

    def send(self, step: StepReport) -> asyncio.Future[None]:
        """Done once the step is durable. LostLease when the attempt was given up, InvalidInput when it is refused."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, told))
        if self._task is None:
            # It starts in the next turn of the loop, so the steps that end in this one share a call.
            self._task = asyncio.create_task(self._send_all())
        return told

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), _STEPS_AT_ONCE)
                await self._send([self._waiting.popleft() for _ in range(count)])
        finally:
            self._task = None

    async def _send(self, waiting: list[_Waiting]) -> None:
        try:
            counted = await self._deliver(tuple(step for step, _ in waiting))
        except InvalidInput as error:
            if len(waiting) == 1:
                await self._send_refused(*waiting[0], error)
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

    async def _send_refused(
        self, step: StepReport, told: asyncio.Future[None], refusal: InvalidInput
    ) -> None:
        """A step whose output is not taken has failed: in its place, so that those after it follow on something."""
        failed = msgspec.structs.replace(
            step, output=msgspec.Raw(b"null"), error=describe(InvalidOutput(str(refusal)))
        )
        try:
            [counted] = await self._deliver((failed,))
        except InvalidInput as error:
            _refuse([(step, told)], NotRecorded(str(error)))
        except SheratanError as error:
            _refuse([(step, told)], LostLease(str(error), field="session"))
        else:
            lost = LostLease("this attempt was given up; its step was not recorded")
            _refuse([(step, told)], refusal if counted else lost)

    async def _deliver(self, steps: tuple[StepReport, ...]) -> list[bool]:
        while True:
            try:
                counted: list[bool] = await self._transport.call(
                    api.RecordSteps(session=self.session, steps=steps)
                )
            except (Disconnected, NotFound):
                raise
            except (Unavailable, LimitReached):
                # What was done must not be lost: it is sent until the engine takes it or has gone for good.
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return counted


def _refuse(waiting: list[_Waiting], error: Exception) -> None:
    for _, told in waiting:
        if not told.done():
            told.set_exception(error)
