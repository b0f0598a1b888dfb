"""A step with tries of its own: each that fails is recorded, and the job waits without a slot for the next."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from typing import Annotated, Any, Final

import msgspec

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Seconds
from sheratan.contracts.values import convert
from sheratan.sdk.errors import FINAL_CLASSES, Fatal, StepFailed
from sheratan.sdk.steps import OnFailure, Steps

__all__ = ["IS_LATER_TRY", "TRIES_MAX", "StepRetry", "run_with_tries"]

TRIES_MAX = 100
"""Each try that fails leaves two steps with its job: itself, and the wait for the next one."""

IS_LATER_TRY: Final[ContextVar[bool]] = ContextVar("sheratan_is_later_try", default=False)
"""Whether the running code is a step that an earlier try has failed at."""


class StepRetry(msgspec.Struct, frozen=True, kw_only=True):
    """How often a step is tried, and how long its job waits in between.

    After so many tries it waits between 0 and min(`backoff_max_seconds`, `backoff_base_seconds` * 2^(tries - 1)), or
    as long as the step asked for (`RateLimited`).
    """

    tries_max: Annotated[int, msgspec.Meta(ge=1, le=TRIES_MAX)] = 3
    backoff_base_seconds: Seconds = 1.0
    backoff_max_seconds: Seconds = 60.0

    def delay_seconds(self, job: str, step: str, tries: int) -> float:
        """How long a job waits after so many tries have failed: the same in every attempt."""
        ceiling = min(self.backoff_max_seconds, self.backoff_base_seconds * 2 ** (tries - 1))
        drawn = hashlib.sha256(f"{job}/{step}/{tries}".encode()).digest()
        return ceiling * int.from_bytes(drawn[:6], "big") / 2**48


async def run_with_tries(
    steps: Steps, job: str, step: tuple[str, Callable[..., Any], tuple[Any, ...]], retry: StepRetry
) -> Any:
    """The output of the first try that gives one; a try is a step, and so is the wait for the next.

    Raises StepFailed when the last one has failed, or one with an error that another try does not mend.
    """
    name, *_ = step
    try:
        convert(msgspec.to_builtins(retry), StepRetry)
    except InvalidInput as error:
        raise Fatal(f"retry of step {name!r}: {error}") from error
    for tries in range(1, retry.tries_max):
        try:
            return await _try(steps, step, tries, "recorded")
        except StepFailed as failure:
            if failure.error_class in FINAL_CLASSES:
                raise
            delay = failure.retry_after_seconds
            if delay is None:
                delay = retry.delay_seconds(job, f"{name}/{steps.occurrence_of(name)}", tries)
            await steps.wait("sleep", f"wait:retry:{name}", {"seconds": delay})
    return await _try(steps, step, retry.tries_max, "final")


async def _try(
    steps: Steps, step: tuple[str, Callable[..., Any], tuple[Any, ...]], tries: int, on_failure: OnFailure
) -> Any:
    name, function, arguments = step
    before = IS_LATER_TRY.set(tries > 1)
    try:
        return await steps.run(name, function, arguments, on_failure)
    finally:
        IS_LATER_TRY.reset(before)
