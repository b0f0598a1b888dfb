"""A guard: every call of one dependency asks it for a permit, and gives that back with what has come of the call.

What it looks at, in this order: the breaker, the room there is, the budget for retries. All of it is decided in one
turn of the loop, also for those that have waited, so nobody is let through by what was so before.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from math import inf
from typing import Final, Literal

from sheratan.ambient.clock import Clock
from sheratan.ambient.randomness import Randomness
from sheratan.contracts.errors import DependencyUnavailable
from sheratan.contracts.guards import CALL_OUTCOMES, BreakerState, GuardRecord, GuardSettings, Outcome
from sheratan.contracts.telemetry import BreakerClosed, BreakerHalfOpened, BreakerOpened, Event
from sheratan.kernel.breaker import Breaker, BreakerPolicy, admit, evolve, has_failures
from sheratan.kernel.concurrency import Concurrency, adapt
from sheratan.kernel.retry_budget import RETRIES_SAVED_MAX, earn, spend

__all__ = ["Guard", "Permit"]

_LEASE_TIMES: Final = 2
"""After so many times its timeout the holder of a permit counts as gone: a handler that cannot be interrupted."""

_WINDOW_US: Final = 1_000_000
_WINDOW_CALLS_MIN: Final = 20
_WINDOW_CALLS_MAX: Final = 1_000
"""The limit is looked at once a second, by as many calls as say something and no more than are quickly sorted."""

_EVENTS: Final[dict[BreakerState, type[BreakerOpened | BreakerHalfOpened | BreakerClosed]]] = {
    "open": BreakerOpened,
    "half_open": BreakerHalfOpened,
    "closed": BreakerClosed,
}

Reason = Literal["breaker", "full", "retries"]


class Permit:
    """The right to call a dependency, of one holder, from an instant on (monotonic microseconds)."""

    __slots__ = ("began_us", "epoch", "is_over")

    def __init__(self, began_us: int, epoch: int) -> None:
        self.began_us = began_us
        self.epoch = epoch
        self.is_over = False


class _Waiter:
    __slots__ = ("future", "is_retry")

    def __init__(self, future: asyncio.Future[Permit], is_retry: bool) -> None:
        self.future = future
        self.is_retry = is_retry


class Guard:
    """The guard of one dependency. Every method belongs to the loop it is used on."""

    def __init__(
        self,
        dependency: str,
        settings: GuardSettings,
        clock: Clock,
        randomness: Randomness,
        tell: Callable[[Event], None],
    ) -> None:
        self.dependency = dependency
        self.settings = settings
        self._policy = BreakerPolicy.of(settings)
        self._lease_us = round(_LEASE_TIMES * settings.timeout_seconds * 1_000_000)
        self._timeout_us = round(settings.timeout_seconds * 1_000_000)
        self._clock = clock
        self._randomness = randomness
        self._tell = tell
        self._breaker = Breaker()
        self._failing_since_us: int | None = None
        """Since when the breaker has not been closed, by the wall clock."""
        self._concurrency = Concurrency(limit=float(settings.concurrency))
        self._retries = RETRIES_SAVED_MAX * 1_000
        self._permits: dict[Permit, None] = {}
        """Those that are out, oldest first."""
        self._waiting: deque[_Waiter] = deque()
        self._calls = Counter[str](dict.fromkeys(CALL_OUTCOMES, 0))
        self._latencies_us: list[int] = []
        self._window_us = clock.monotonic_us()
        self._peak = 0

    @property
    def record(self) -> GuardRecord:
        """The guard as it stands."""
        breaker, passed_us = self._breaker, self._clock.now_us() - self._clock.monotonic_us()
        return GuardRecord(
            dependency=self.dependency,
            state=breaker.state,
            until_us=breaker.until_us + passed_us if breaker.state == "open" else None,
            because=breaker.because,
            in_flight=len(self._permits),
            waiting=len(self._waiting),
            limit=self._limit,
            concurrency=self.settings.concurrency,
            calls=dict(self._calls),
            since_us=self._failing_since_us,
        )

    def seconds_until(self, instant_us: int | None) -> float:
        """How long until an instant in monotonic time; None is never, and what has passed is below 0."""
        return inf if instant_us is None else (instant_us - self._clock.monotonic_us()) / 1_000_000

    async def acquire(self, *, is_retry: bool = False, until_us: int | None = None) -> Permit:
        """A permit, if need be after a wait that ends by `until_us`; DependencyUnavailable when there is none in time.

        Whoever gets one gives it back with `release`, exactly once.
        """
        self._take_back()
        if self._has_room:
            return self._begin(is_retry)
        if admit(self._breaker, self._clock.monotonic_us(), self._policy) is None:
            # To wait for room would be to wait for the same refusal.
            raise self._refusal("breaker")
        if len(self._waiting) >= self.settings.waiting_max:
            raise self._refusal("full")
        waiter = _Waiter(asyncio.get_running_loop().create_future(), is_retry)
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(min(self.settings.wait_seconds, self.seconds_until(until_us))):
                return await waiter.future
        except TimeoutError:
            self._leave(waiter)
            raise self._refusal("full") from None
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def release(self, permit: Permit, outcome: Outcome, error: str = "") -> None:
        """Give a permit back, and say how the call ended. One that was taken back meanwhile changes nothing."""
        if permit.is_over:
            return
        now_us = self._clock.monotonic_us()
        took_us = now_us - permit.began_us
        if took_us >= self._timeout_us and outcome == "succeeded":
            outcome, error = "failed", f"no answer within {self.settings.timeout_seconds:g} s"
        permit.is_over = True
        del self._permits[permit]
        self._calls[outcome] += 1
        self._note(took_us, outcome, now_us)
        self._become(evolve(self._breaker, permit.epoch, outcome, now_us, self._policy, error))
        self._serve()

    def times_of(self, permit: Permit) -> tuple[int, int]:
        """When a call has begun that ends now, and now, by the wall clock."""
        now_us = self._clock.now_us()
        return now_us - (self._clock.monotonic_us() - permit.began_us), now_us

    @property
    def _limit(self) -> int:
        return int(self._concurrency.limit) if self.settings.adaptive else self.settings.concurrency

    @property
    def _has_room(self) -> bool:
        return len(self._permits) < self._limit

    def _begin(self, is_retry: bool) -> Permit:
        """Let a call through for which there is room."""
        now_us = self._clock.monotonic_us()
        admitted = admit(self._breaker, now_us, self._policy)
        if admitted is None:
            raise self._refusal("breaker")
        if not is_retry:
            self._retries = earn(self._retries, self.settings.retry_permille)
        elif has_failures(admitted, now_us, self._policy):
            # While nothing fails there is no storm to be made. (A half-open breaker knows of no failures yet.)
            retries = spend(self._retries)
            if retries is None:
                raise self._refusal("retries")
            self._retries = retries
        self._become(admitted)
        permit = Permit(now_us, admitted.epoch)
        self._permits[permit] = None
        self._peak = max(self._peak, len(self._permits))
        return permit

    def _serve(self) -> None:
        """Let those in who have waited longest, as far as there is room; where the breaker has opened all are refused.

        So whenever there is room, nobody waits for it.
        """
        while self._waiting and self._has_room:
            waiter = self._waiting.popleft()
            if waiter.future.done():
                continue
            try:
                waiter.future.set_result(self._begin(waiter.is_retry))
            except DependencyUnavailable as refusal:
                waiter.future.set_exception(refusal)

    def _leave(self, waiter: _Waiter) -> None:
        """Give up waiting; what was given in the same turn goes to the next."""
        future = waiter.future
        if future.done() and not future.cancelled() and future.exception() is None:
            self.release(future.result(), "abandoned")
        elif waiter in self._waiting:
            self._waiting.remove(waiter)

    def _take_back(self) -> None:
        """Take permits back whose holders count as gone: without that a few that hang would shut everybody out."""
        now_us = self._clock.monotonic_us()
        while self._permits:
            oldest = next(iter(self._permits))
            if now_us - oldest.began_us < self._lease_us:
                return
            self.release(oldest, "failed", f"no end within {self._lease_us // 1_000_000} s")

    def _note(self, took_us: int, outcome: Outcome, now_us: int) -> None:
        """Count how long a call took that was answered, or for how long it was not."""
        if outcome == "succeeded" or took_us >= self._timeout_us:
            self._latencies_us.append(took_us)
        count = len(self._latencies_us)
        if count >= _WINDOW_CALLS_MAX or (
            count >= _WINDOW_CALLS_MIN and now_us - self._window_us >= _WINDOW_US
        ):
            self._concurrency = adapt(
                self._concurrency, self._latencies_us, self._peak, self.settings.concurrency
            )
            self._latencies_us.clear()
            self._window_us, self._peak = now_us, len(self._permits)

    def _become(self, breaker: Breaker) -> None:
        before, self._breaker = self._breaker, breaker
        if breaker.state != before.state:
            at_us = self._clock.now_us()
            if breaker.state == "closed":
                self._failing_since_us = None
            elif before.state == "closed":
                self._failing_since_us = at_us
            event = _EVENTS[breaker.state]
            because = breaker.because if breaker.state == "open" else before.because
            self._tell(event(at_us=at_us, dependency=self.dependency, because=because))

    def _refusal(self, reason: Reason) -> DependencyUnavailable:
        self._calls["refused"] += 1
        breaker = self._breaker
        rest_us = max(0, breaker.until_us - self._clock.monotonic_us()) if reason == "breaker" else 0
        # All who are refused would come back at the same instant otherwise.
        spread = (
            self.settings.open_seconds_max * self._randomness.bits(f"guard/{self.dependency}", 24) / (1 << 24)
        )
        if reason == "breaker":
            rest = f" for another {rest_us / 1_000_000:.1f} s" if rest_us else ""
            text = f"its breaker is {breaker.state.replace('_', '-')}{rest}; {breaker.because}"
        elif reason == "full":
            text = f"{len(self._permits)} calls are under way, as many as may be"
        else:
            text = "calls of it fail, and too many of them are made again already"
        return DependencyUnavailable(
            f"{self.dependency} is not called: {text}",
            dependency=self.dependency,
            reason=reason,
            retry_after_us=rest_us + round(spread * 1_000_000),
        )
