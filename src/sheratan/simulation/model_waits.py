"""The part of the model that knows handlers which wait, and the signals that they wait for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from sheratan.contracts.worker import Wait
from sheratan.engine.commands import Pending, SendSignal
from sheratan.simulation.model_state import TERMINAL, ModelJob, ModelWait

__all__ = ["ModelWaits", "Refused"]

_NEVER_US: Final = 2**53 - 1
_SIGNALS_MAX: Final = 1_000


class Refused(Exception):
    """The model's refusal: the code that the caller must hear."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ModelWaits:
    """What jobs wait for."""

    at_us: int
    by_id: dict[str, ModelJob]
    noted: Counter[str]
    hit: Callable[[str], None]

    def _move(self, job: ModelJob, state: str) -> None:
        raise NotImplementedError

    def _actual_value(self, pending: Pending) -> Any:
        raise NotImplementedError

    def _SendSignal(self, pending: Pending, command: SendSignal) -> Any:  # noqa: N802 - the command's name
        job = self.by_id.get(command.id)
        if job is None:
            raise Refused("not_found")
        if job.state in TERMINAL:
            raise Refused("already_ended")
        if len(job.signals) >= _SIGNALS_MAX:
            raise Refused("limit_reached")
        self.noted["signal.sent"] += 1
        job.signals.append((command.name, command.value))
        if job.state == "waiting":
            self._wake(job)
        entry = self._actual_value(pending)
        if not isinstance(entry, int):
            raise Refused("the number of an entry")
        return entry

    def _park(self, job: ModelJob, waits: tuple[Wait, ...]) -> None:
        """A handler gives its slot back. A wait that it has begun before keeps its instant."""
        self.hit("wait.parked")
        begun = {(one.name, one.occurrence): one for one in job.waits}
        for wait in waits:
            if (wait.name, wait.occurrence) in begun:
                self.hit("wait.goes_on")
                continue
            due_us = _NEVER_US if wait.until_us is None else wait.until_us
            if wait.seconds is not None:
                due_us = self.at_us + int(wait.seconds * 1_000_000)
            known = ModelWait(wait.name, wait.occurrence, wait.what, wait.key, due_us)
            begun[wait.name, wait.occurrence] = known
            job.waits.append(known)
        job.due_us = min(begun[wait.name, wait.occurrence].due_us for wait in waits)
        job.since_us = self.at_us
        self._move(job, "waiting")
        if self._wake(job):
            self.hit("wait.over_at_once")

    def _wake(self, job: ModelJob) -> bool:
        """Give a handler that waits what has come for it, and let it go on if that is anything."""
        over = [wait for wait in job.waits if self._is_over(job, wait)]
        if not over:
            return False
        job.waits = [wait for wait in job.waits if wait not in over]
        job.since_us = self.at_us
        self._move(job, "queued")
        return True

    def _is_over(self, job: ModelJob, wait: ModelWait) -> bool:
        came = next((one for one in job.signals if wait.what == "signal" and one[0] == wait.key), None)
        output: bytes | None
        if came is not None:
            self.hit("wait.signalled")
            job.signals.remove(came)
            output = came[1]
        elif wait.due_us > self.at_us:
            return False
        elif wait.what == "sleep":
            self.hit("wait.slept")
            output = b"null"
        else:
            self.hit("wait.timed_out")
            output = None
        self.noted["step.failed" if output is None else "step.succeeded"] += 1
        job.steps.append((wait.name, wait.occurrence, output))
        return True
