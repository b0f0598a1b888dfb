"""The part of the model that knows handlers which wait, and the signals that they wait for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec

from sheratan.contracts.proposals import PROPOSED
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
    monotonic_us: int
    jobs: dict[int, ModelJob]
    by_id: dict[str, ModelJob]
    ended: list[int]
    noted: Counter[str]
    hit: Callable[[str], None]

    def _cancel(self, job: ModelJob) -> str:
        raise NotImplementedError

    def _move(self, job: ModelJob, state: str) -> None:
        raise NotImplementedError

    def due_of(self, public_id: str) -> int:
        """Until when a request for approval is open."""
        raise NotImplementedError

    def approval_over(self, public_id: str) -> tuple[bool, bytes | None]:
        """Whether a request for approval is over by now, and what it gives; None when it was not approved."""
        raise NotImplementedError

    def _actual_value(self, pending: Pending) -> Any:
        raise NotImplementedError

    def _job(self, job_id: str) -> ModelJob:
        job = self.by_id.get(job_id)
        if job is None:
            raise Refused("not_found")
        if job.is_pruned:
            self.hit("retention.asked_for")
            raise Refused("pruned")
        return job

    def _SendSignal(self, pending: Pending, command: SendSignal) -> Any:  # noqa: N802 - the command's name
        job = self._job(command.id)
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
            if wait.what == "approval":
                due_us = self.due_of(wait.key)
            known = ModelWait(wait.name, wait.occurrence, wait.what, wait.key, due_us)
            begun[wait.name, wait.occurrence] = known
            job.waits.append(known)
            if wait.what == "jobs":
                self._await_jobs(job, wait)
        job.due_us = min(begun[wait.name, wait.occurrence].due_us for wait in waits)
        job.since_us = self.at_us
        self._move(job, "waiting")
        if self._wake(job):
            self.hit("wait.over_at_once")

    def _cancel_children(self, job: ModelJob) -> None:
        """The jobs that one has spawned are not wanted any more when it has ended without success."""
        if job.state == "succeeded":
            return
        for name, _, output in job.steps:
            if name.startswith("spawn:") and name != PROPOSED and output is not None:
                for text in msgspec.json.decode(output, type=list[str]):
                    if self.by_id[text].state not in TERMINAL:
                        self.hit("spawn.cancelled")
                        self._cancel(self.by_id[text])

    def _await_jobs(self, job: ModelJob, wait: Wait) -> None:
        named = [self.by_id[text] for text in wait.jobs]
        left = [one for one in named if one.state not in TERMINAL]
        job.awaits[wait.name, wait.occurrence] = {one.number for one in left}
        for one in left:
            one.awaited_by.append(job.number)

    def follow(self) -> None:
        """Handlers go on that have waited for the jobs which ended last."""
        touched: set[int] = set()
        # Those that are cancelled with the job that spawned them are looked at in turn.
        for number in self.ended:
            self._cancel_children(self.jobs[number])
            for waiter in self.jobs[number].awaited_by:
                for left in self.jobs[waiter].awaits.values():
                    left.discard(number)
                touched.add(waiter)
        self.ended.clear()
        for waiter in sorted(touched):
            job = self.jobs[waiter]
            if job.state == "waiting" and set() in job.awaits.values():
                self._wake(job)

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
        if wait.what == "approval":
            is_over, output = self.approval_over(wait.key)
        else:
            is_over, output = self._came(job, wait)
        if is_over:
            job.awaits.pop((wait.name, wait.occurrence), None)
            self.noted["step.failed" if output is None else "step.succeeded"] += 1
            job.steps.append((wait.name, wait.occurrence, output))
        return is_over

    def _came(self, job: ModelJob, wait: ModelWait) -> tuple[bool, bytes | None]:
        came = next((one for one in job.signals if wait.what == "signal" and one[0] == wait.key), None)
        output: bytes | None
        if came is not None:
            self.hit("wait.signalled")
            job.signals.remove(came)
            output = came[1]
        elif job.awaits.get((wait.name, wait.occurrence)) == set():
            self.hit("wait.jobs_ended")
            output = b"null"
        elif wait.due_us > self.at_us:
            return False, None
        elif wait.what == "sleep":
            self.hit("wait.slept")
            output = b"null"
        else:
            self.hit("wait.timed_out")
            output = None
        return True, output
