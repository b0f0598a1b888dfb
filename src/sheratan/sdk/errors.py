"""What a handler may raise to say how its attempt failed."""

from __future__ import annotations

import traceback
from functools import partial
from typing import Any, Final

import msgspec

from sheratan.contracts.code import Difference
from sheratan.contracts.errors import DependencyUnavailable
from sheratan.contracts.jobs import ErrorClass, JobError

__all__ = [
    "FINAL_CLASSES",
    "ApprovalChanged",
    "ApprovalDenied",
    "ApprovalExpired",
    "ChildFailed",
    "CodeChanged",
    "Fatal",
    "HandlerError",
    "InvalidOutput",
    "NotRecorded",
    "NotSpawned",
    "Overcharged",
    "ProcessDied",
    "RateLimited",
    "Retryable",
    "Stalled",
    "StepFailed",
    "WaitTimedOut",
    "describe",
]

FINAL_CLASSES: Final = ("fatal", "bug")
"""The classes of errors after which nothing is tried again."""


class HandlerError(Exception):
    """An attempt has failed in a way that its handler can name."""

    error_class: ErrorClass = "retryable"
    retry_after_seconds: float | None = None


class Retryable(HandlerError):
    """Try again later; what every other exception means, too."""


class Fatal(HandlerError):
    """Trying again would not help; the job fails at once."""

    error_class = "fatal"


class Overcharged(Fatal):
    """An attempt says that it has cost more than is reserved for it. Another one would be charged all of it, too."""


class ChildFailed(HandlerError):
    """A job that the handler waited for has not succeeded; a handler that lets this through has failed for good."""

    error_class = "fatal"

    def __init__(self, job_id: str, state: str, error: JobError | None) -> None:
        super().__init__(f"{job_id} is {state}{f': {error.type}: {error.message}' if error else ''}")
        self.job_id = job_id
        self.state = state
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        """The way back from another process: exceptions are otherwise made anew from their text alone."""
        return type(self), (self.job_id, self.state, self.error)


class RateLimited(HandlerError):
    """The other side asks for a pause of `retry_after_seconds`; the attempt counts like any failed one."""

    error_class = "rate_limited"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        if not 0 <= retry_after_seconds < 34_560_000:
            raise ValueError(f"retry_after_seconds: {retry_after_seconds!r} is not between 0 and 400 days")
        self.retry_after_seconds = retry_after_seconds

    def __reduce__(self) -> tuple[Any, ...]:
        """The way back from another process: exceptions are otherwise made anew from their text alone."""
        return partial(type(self), retry_after_seconds=self.retry_after_seconds), self.args


class StepFailed(HandlerError):
    """A step of the handler has failed for good, now or in an earlier attempt; `error` says how.

    Every later attempt gets the same failure. A handler that lets it through fails as the step did.
    """

    def __init__(self, name: str, error: JobError) -> None:
        super().__init__(f"step {name!r} failed with {error.type}: {error.message}")
        self.name = name
        self.error = error
        self.error_class = error.error_class
        self.retry_after_seconds = error.retry_after_seconds


class WaitTimedOut(StepFailed):
    """What the handler waits for has not come in time."""


class ApprovalDenied(StepFailed):
    """Somebody has denied what the handler asked for; the message says who, and why."""


class ApprovalExpired(WaitTimedOut):
    """Nobody has decided in time about what the handler asked for."""


class ApprovalChanged(HandlerError):
    """The handler asks for something else than an earlier attempt has under this name; nobody has approved that."""

    error_class = "fatal"


class CodeChanged(HandlerError):
    """The handler asks for other steps than those that earlier attempts at the job have recorded.

    The attempt does not count; its job is blocked until workers with other code are on duty, or a person says so.
    """

    error_class = "fatal"

    def __init__(self, message: str, difference: Difference) -> None:
        super().__init__(message)
        self.difference = difference


class InvalidOutput(HandlerError):
    """What a handler or a step gave cannot be recorded."""

    error_class = "bug"


class NotRecorded(HandlerError):
    """A step could not be recorded, not even as failed, as when its job has as many as it may have."""

    error_class = "fatal"


class NotSpawned(NotRecorded):
    """Jobs could not be taken in for now: their queue is full, or the engine drains."""

    error_class = "retryable"


class Stalled(HandlerError):
    """The job has proposed nothing that was accepted for as many calls as its budget allows; it fails for good."""

    error_class = "fatal"


class ProcessDied(Exception):
    """The process that ran the handler ended before it answered."""


def describe(error: Exception | SystemExit) -> JobError:
    """An exception as it is reported: its class decides whether the job is tried again."""
    if isinstance(error, StepFailed):
        return msgspec.structs.replace(error.error, message=f"in step {error.name!r}: {error.error.message}")
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
    if isinstance(error, DependencyUnavailable):
        return JobError(
            error_class="retryable",
            type=name,
            message=message,
            retry_after_seconds=error.retry_after_seconds,
        )
    if isinstance(error, ProcessDied):
        return JobError(error_class="lost_lease", type=name, message=message)
    return JobError(error_class="retryable", type=name, message=message, traceback=trace)


def _writable(text: str) -> str:
    """Text that quotes what is no valid text, such as a file name, is kept, escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
