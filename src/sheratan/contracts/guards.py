"""Guards: what stands between handlers and what they call outside, how it is set, and how it is seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec

__all__ = [
    "CALL_OUTCOMES",
    "GUARDS_MAX",
    "GUARD_REASONS",
    "BreakerState",
    "GuardRecord",
    "GuardSettings",
    "OpenBreaker",
    "Outcome",
    "open_breakers",
]

GUARDS_MAX: Final = 256
"""Dependencies that one worker guards: each has metrics of its own, so their names must not be made of data."""

_BECAUSE_LENGTH_MAX: Final = 200
"""Characters that are told of why a breaker is not closed: how many calls have failed, and how the last one did."""

BreakerState = Literal["closed", "half_open", "open"]

Outcome = Literal["succeeded", "failed", "declined", "abandoned"]
"""How a call ended, as far as the dependency is concerned.

`failed`: it did not answer, or said itself that it cannot. `declined`: it did answer, and what was asked was wrong.
`abandoned`: the caller has given up, or failed by itself, which says nothing about the dependency.
"""

CALL_OUTCOMES: Final[tuple[str, ...]] = ("succeeded", "failed", "declined", "abandoned", "refused")
"""How calls are counted; one that a guard has `refused` has never begun."""

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3_600)]
Permille = Annotated[int, msgspec.Meta(ge=0, le=1_000)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class GuardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How calls of one dependency are guarded, by each worker for itself."""

    concurrency: Count = 20
    adaptive: bool = True
    waiting_max: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 100
    wait_seconds: Seconds = 1.0
    timeout_seconds: Seconds = 10.0
    failures_max: Count = 5
    failing_permille: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 500
    calls_min: Count = 20
    window_seconds: Seconds = 10.0
    open_seconds: Seconds = 5.0
    open_seconds_max: Seconds = 20.0
    trials: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    retry_permille: Permille = 100


GUARD_REASONS: Final[dict[str, str]] = {
    "concurrency": "calls under way at once, of one worker: a dependency that hangs must not hold all of its slots",
    "adaptive": "whether fewer may be under way while calls take longer than they did",
    "waiting_max": "calls that wait for room; more are refused at once, since they would not come to it in time",
    "wait_seconds": "how long a call waits for room before it is refused: its slot could do something else",
    "timeout_seconds": "how long a call may take; one that takes longer has failed",
    "failures_max": "failures in a row after which the breaker opens",
    "failing_permille": "the part of the calls in a window whose failure opens the breaker",
    "calls_min": "a window with fewer calls proves nothing",
    "window_seconds": "how far back calls count",
    "open_seconds": "how long the breaker stays open the first time; n times as long when it opens again the n-th time",
    "open_seconds_max": "the longest that it stays open: a dependency that works again is found within 30 seconds",
    "trials": "calls that a half-open breaker lets through at once, and that have to succeed for it to close",
    "retry_permille": "how many calls may be of attempts made again, as a part of the others, while any fail",
}


class GuardRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A guard as it stands. Instants are microseconds since the epoch, UTC.

    `state` is its breaker's; `until_us` is when an open one lets the next call try, `since_us` since when it is not
    closed, and `because` why.
    Of the calls that are `in_flight` there may be `limit` at once, which is `concurrency` or, while the dependency is
    slow, less. `calls` are those since the worker has started, by their outcome.
    """

    dependency: str
    state: BreakerState
    until_us: int | None
    because: str
    in_flight: int
    waiting: int
    limit: int
    concurrency: int
    calls: dict[str, int]
    since_us: int | None = None


class OpenBreaker(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A breaker of a worker's that is not closed, since an instant in microseconds since the epoch, and why."""

    dependency: Annotated[str, msgspec.Meta(max_length=64)]
    since_us: Annotated[int, msgspec.Meta(ge=0)]
    because: Annotated[str, msgspec.Meta(max_length=_BECAUSE_LENGTH_MAX)]


def open_breakers(records: Iterable[GuardRecord]) -> tuple[OpenBreaker, ...]:
    """The breakers that are not closed."""
    return tuple(
        OpenBreaker(
            dependency=one.dependency, since_us=one.since_us, because=one.because[:_BECAUSE_LENGTH_MAX]
        )
        for one in records
        if one.since_us is not None
    )
