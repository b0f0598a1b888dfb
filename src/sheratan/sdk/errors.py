"""What a handler may raise to say how its attempt failed."""

from __future__ import annotations

from functools import partial
from typing import Any

from sheratan.contracts.jobs import ErrorClass

__all__ = ["Fatal", "HandlerError", "RateLimited", "Retryable"]


class HandlerError(Exception):
    """An attempt has failed in a way that its handler can name."""

    error_class: ErrorClass = "retryable"
    retry_after_seconds: float | None = None


class Retryable(HandlerError):
    """Try again later; what every other exception means, too."""


class Fatal(HandlerError):
    """Trying again would not help; the job fails at once."""

    error_class = "fatal"


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
