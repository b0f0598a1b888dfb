"""What a running handler knows and may do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from sheratan.contracts import api
from sheratan.contracts.errors import Unavailable
from sheratan.contracts.jobs import Submission
from sheratan.contracts.worker import Assignment

__all__ = ["Context", "Ended"]

_RESULTS_AT_ONCE = 500


class Ended(NamedTuple):
    """How a job ended that this one ran after: its id, kind, state and, if it succeeded, its output."""

    id: str
    kind: str
    state: str
    output: Any


class Context:
    """One attempt at a job. Durations in seconds, instants in microseconds since the epoch."""

    __slots__ = ("_assignment", "_call", "_cancelled")

    def __init__(
        self,
        assignment: Assignment,
        call: Callable[[api.Request], Awaitable[Any]],
        cancelled: Callable[[], bool],
    ) -> None:
        self._assignment = assignment
        self._call = call
        self._cancelled = cancelled

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self._assignment.id

    @property
    def attempt(self) -> int:
        """Which attempt this is; 1 is the first."""
        return self._assignment.attempt

    @property
    def attempts_max(self) -> int:
        """After how many failures the job fails for good."""
        return self._assignment.attempts_max

    @property
    def worker_losses(self) -> int:
        """How many attempts before this one were lost with their worker; they do not count as failures."""
        return self._assignment.worker_losses

    @property
    def queue(self) -> str:
        """The queue the job came from."""
        return self._assignment.queue

    @property
    def fence(self) -> int:
        """The fencing token of this attempt: pass it to systems that can refuse an older one."""
        return self._assignment.fence

    @property
    def created_us(self) -> int:
        """When the job was submitted."""
        return self._assignment.created_us

    @property
    def cancelled(self) -> bool:
        """Whether this attempt is to stop. A handler in a thread looks now and then; an async one is cancelled."""
        return self._cancelled()

    def __reduce__(self) -> tuple[Any, ...]:
        """What goes to a process of its own: what the handler may know, without the way to the engine."""
        known = msgspec.structs.replace(self._assignment, input=msgspec.Raw(b"null"))
        return _detached, (msgspec.json.encode(known),)

    async def submit(self, jobs: Sequence[Submission]) -> list[str]:
        """Submit jobs on behalf of this one, all or none, and return their ids.

        An attempt may run more than once, so give each job a `key`: then it is submitted once however often.
        Refused with LostLease when this attempt has been given up.
        """
        request = api.SubmitJobs(
            jobs=tuple(jobs), by_job=self._assignment.number, fence=self._assignment.fence
        )
        return [receipt.id for receipt in await self._call(request)]

    async def after_results(self, job_id: str | None = None) -> AsyncIterator[Ended]:
        """How the jobs ended that this one, or the one with `job_id`, was named to run after, in that order."""
        start = 0
        while True:
            request = api.AfterResults(id=job_id or self.job_id, start=start, limit=_RESULTS_AT_ONCE)
            found = await self._call(request)
            for item in found:
                yield Ended(item.id, item.kind, item.state, msgspec.json.decode(item.output))
            if len(found) < _RESULTS_AT_ONCE:
                return
            start += len(found)


def _detached(data: bytes) -> Context:
    return Context(msgspec.json.decode(data, type=Assignment), _no_engine, lambda: False)


async def _no_engine(request: api.Request) -> Any:
    raise Unavailable(
        "a handler in a process of its own has no way to the engine; use an async handler for that"
    )
