"""The breaker of a dependency: closed while it works, open while it does not, half-open to find out."""

from __future__ import annotations

from typing import Final, NamedTuple, Self

import msgspec

from sheratan.contracts.guards import BreakerState, GuardSettings, Outcome

__all__ = ["Breaker", "BreakerPolicy", "admit", "evolve", "has_failures"]

_BUCKETS: Final = 10
"""The parts into which a window is counted: what is older than it is forgotten by this part of it at a time."""


class BreakerPolicy(NamedTuple):
    """When a breaker opens, for how long, and when it closes. Durations in microseconds."""

    failures_max: int
    failing_permille: int
    calls_min: int
    window_us: int
    open_us: int
    open_us_max: int
    trials: int

    @classmethod
    def of(cls, settings: GuardSettings) -> Self:
        """From what is set."""
        return cls(
            settings.failures_max,
            settings.failing_permille,
            settings.calls_min,
            round(settings.window_seconds * 1_000_000),
            round(settings.open_seconds * 1_000_000),
            round(settings.open_seconds_max * 1_000_000),
            settings.trials,
        )


class Bucket(NamedTuple):
    """The calls that ended in one part of the time."""

    number: int
    calls: int
    failed: int


class Breaker(msgspec.Struct, frozen=True):
    """What the calls have come to. Instants are monotonic microseconds.

    `epoch` grows with every change of the state: a call counts only in the one in which it was admitted. `openings`
    are those in a row, without a time between them in which it worked.
    """

    state: BreakerState = "closed"
    epoch: int = 0
    since_us: int = 0
    until_us: int = 0
    openings: int = 0
    failures: int = 0
    trials: int = 0
    succeeded: int = 0
    window: tuple[Bucket, ...] = ()
    because: str = ""


def admit(breaker: Breaker, now_us: int, policy: BreakerPolicy) -> Breaker | None:
    """The breaker once one more call has begun; None where it must not begin."""
    if breaker.state == "closed":
        return breaker
    if breaker.state == "open":
        if now_us < breaker.until_us:
            return None
        return _changed(breaker, "half_open", now_us, trials=1, because=breaker.because)
    if breaker.trials + breaker.succeeded >= policy.trials:
        return None
    return msgspec.structs.replace(breaker, trials=breaker.trials + 1)


def evolve(
    breaker: Breaker, epoch: int, outcome: Outcome, now_us: int, policy: BreakerPolicy, error: str = ""
) -> Breaker:
    """The breaker once a call has ended that was admitted in this epoch."""
    if epoch != breaker.epoch:
        # It was begun under another state and says nothing about this one.
        return breaker
    if breaker.state == "half_open":
        return _end_trial(breaker, outcome, now_us, policy, error)
    if outcome in ("declined", "abandoned"):
        return breaker
    failed = outcome == "failed"
    breaker = msgspec.structs.replace(
        breaker,
        failures=breaker.failures + 1 if failed else 0,
        window=_counted(breaker.window, failed, now_us, policy),
    )
    because = _why_open(breaker, error, policy) if failed else None
    return breaker if because is None else _opened(breaker, now_us, policy, because)


def has_failures(breaker: Breaker, now_us: int, policy: BreakerPolicy) -> bool:
    """Whether any call has failed within the window."""
    oldest = _bucket(now_us, policy) - _BUCKETS
    return any(one.failed for one in breaker.window if one.number > oldest)


def _end_trial(breaker: Breaker, outcome: Outcome, now_us: int, policy: BreakerPolicy, error: str) -> Breaker:
    if outcome == "failed":
        return _opened(
            breaker, now_us, policy, f"it has failed again: {error}" if error else "it has failed again"
        )
    trials = breaker.trials - 1
    if outcome == "abandoned":
        return msgspec.structs.replace(breaker, trials=trials)
    # Whoever declines is there.
    succeeded = breaker.succeeded + 1
    if succeeded >= policy.trials:
        return _changed(breaker, "closed", now_us)
    return msgspec.structs.replace(breaker, trials=trials, succeeded=succeeded)


def _why_open(breaker: Breaker, error: str, policy: BreakerPolicy) -> str | None:
    said = f", the last with: {error}" if error else ""
    if breaker.failures >= policy.failures_max:
        return f"{breaker.failures} calls in a row have failed{said}"
    calls = sum(one.calls for one in breaker.window)
    failed = sum(one.failed for one in breaker.window)
    if calls >= policy.calls_min and failed * 1_000 >= calls * policy.failing_permille:
        return f"{failed} of {calls} calls have failed{said}"
    return None


def _opened(breaker: Breaker, now_us: int, policy: BreakerPolicy, because: str) -> Breaker:
    was_well = breaker.state == "closed" and now_us - breaker.since_us >= policy.open_us_max
    openings = 1 if was_well else breaker.openings + 1
    opened = _changed(breaker, "open", now_us, because=because)
    until_us = now_us + min(policy.open_us * openings, policy.open_us_max)
    return msgspec.structs.replace(opened, openings=openings, until_us=until_us)


def _changed(
    breaker: Breaker, state: BreakerState, now_us: int, *, trials: int = 0, because: str = ""
) -> Breaker:
    return Breaker(
        state=state,
        epoch=breaker.epoch + 1,
        since_us=now_us,
        openings=breaker.openings,
        trials=trials,
        because=because,
    )


def _counted(
    window: tuple[Bucket, ...], failed: bool, now_us: int, policy: BreakerPolicy
) -> tuple[Bucket, ...]:
    number = _bucket(now_us, policy)
    if window and window[-1].number == number:
        last = window[-1]
        return (*window[:-1], Bucket(number, last.calls + 1, last.failed + failed))
    kept = [one for one in window if one.number > number - _BUCKETS]
    return (*kept, Bucket(number, 1, int(failed)))


def _bucket(now_us: int, policy: BreakerPolicy) -> int:
    return now_us * _BUCKETS // policy.window_us
