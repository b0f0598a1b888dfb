"""What a running handler knows and may do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from sheratan.contracts import api
from sheratan.contracts.errors import Unavailable
from sheratan.contracts.jobs import Submission
from sheratan.contracts.worker import Assignment, What
from sheratan.sdk.errors import Fatal
from sheratan.sdk.steps import Steps

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

    __slots__ = ("_assignment", "_call", "_cancelled", "_steps")

    def __init__(
        self,
        assignment: Assignment,
        call: Callable[[api.Request], Awaitable[Any]],
        cancelled: Callable[[], bool],
        steps: Steps | None = None,
    ) -> None:
        self._assignment = assignment
        self._call = call
        self._cancelled = cancelled
        self._steps = steps

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

    async def step(self, name: str, function: Callable[..., Any], *arguments: Any, retry: bool = True) -> Any:
        """Run a function once and remember what it gave: a later attempt at this job gets that and does not run it.

        It is remembered by its name and how often that name was used before, so a loop may use the same name. The
        output is JSON, checked and made anew by the type that the function says it returns; a plain function runs in
        a thread. It is durable when this returns. A crash between its end and then runs it again: effects elsewhere
        want an idempotency key, as `f"{ctx.job_id}/{name}"`.

        When the function raises, the attempt fails as if the handler had raised it, and the next attempt runs the step
        again; the handler is cancelled once the steps beside this one have ended. A failure that is for good is
        recorded, and raised here as StepFailed, now and in every later attempt: one that is Fatal, one in the last
        attempt that the job has, and any with `retry=False`.

        Raises LostLease when this attempt has been given up, and CodeChanged when earlier attempts have recorded other
        steps. Only async handlers have steps.
        """
        if self._steps is None:
            raise Fatal("only an async handler has steps; a plain function that blocks can be a step of one")
        return await self._steps.run(name, function, arguments, retry=retry)

    async def sleep(self, seconds: float) -> None:
        """Wait for so long. The job gives its slot back, and no restart makes it wait anew."""
        await self._wait("sleep", "wait:sleep", seconds=seconds)

    async def sleep_until(self, instant_us: int) -> None:
        """Wait for an instant, in microseconds since the epoch; the job gives its slot back."""
        await self._wait("sleep", "wait:sleep", until_us=instant_us)

    async def wait_signal(self, name: str, *, timeout_seconds: float | None = None) -> Any:
        """The value of the next signal of this name (`client.signal`), sent before or after; the slot is given back.

        Raises WaitTimedOut when none has come in time, now and in every later attempt.
        """
        return await self._wait("signal", f"wait:signal:{name}", key=name, seconds=timeout_seconds)

    async def _wait(self, what: What, name: str, **given: Any) -> Any:
        if self._steps is None:
            raise Fatal("only an async handler can give its slot back; a plain function sleeps in its thread")
        return await self._steps.wait(what, name, given)

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
