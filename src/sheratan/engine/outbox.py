"""Notices on their way: a queue for each target, tries again with growing pauses, and a bound on all of it.

No target waits for another. What cannot be delivered is given up after so many tries, and counted; so is what is held
back because there is too much of it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from sheratan.ambient.clock import Clock
from sheratan.ambient.randomness import Randomness
from sheratan.ambient.sending import NoSuchTarget
from sheratan.ambient.targets import Targets
from sheratan.contracts.alert_targets import AlertTarget, TargetKind
from sheratan.contracts.alerts import AlertSettings, AlertTargetRecord, Notice, TestResult
from sheratan.contracts.errors import DependencyUnavailable, NotFound, TimedOut
from sheratan.contracts.guards import GuardSettings
from sheratan.contracts.health import ERROR_LENGTH_MAX
from sheratan.contracts.telemetry import Event
from sheratan.guards.guards import Guards
from sheratan.guards.outcomes import outcome_of
from sheratan.kernel.words import count

__all__ = ["Delivery", "Outbox", "pause_seconds"]

NOTICES_WAITING_MAX: Final = 1_000
"""Notices that wait for one target, some 1 MB; at 20 a minute it has not taken any for 50 minutes."""

_CALLS_MAX: Final = 2
"""Calls of one target at once: its notices go one after the other, and a test goes beside them."""

_PAUSE_SECONDS: Final = 1.0
_MINUTE_US: Final = 60_000_000


def pause_seconds(attempt: int, most: float, drawn: int) -> float:
    """How long to wait before a try again (1: the first one): `drawn` of 65,536 parts of what doubles up to a most.

    Anywhere up to that: many servers that lose one target must not come back in step.
    """
    return min(most, _PAUSE_SECONDS * (1 << min(attempt - 1, 30))) * drawn / (1 << 16)


class Delivery:
    """A notice, and who has not taken it yet."""

    def __init__(self, notice: Notice, left: set[str]) -> None:
        self.notice = notice
        self.left = left
        self.taken: list[str] = []
        self.given_up: list[str] = []
        self.is_held_back = False


class Outbox:
    """Brings notices to targets, and counts by target what came of them: `taken`, `given_up`, `held_back`, `failed`.

    `on_end` is told of each notice that nobody is left to take.
    """

    def __init__(
        self,
        targets: Targets,
        settings: AlertSettings,
        clock: Clock,
        randomness: Randomness,
        counts: Counter[tuple[str, str]],
        tell: Callable[[Event], None],
    ) -> None:
        self.on_end: Callable[[Delivery], None] = lambda delivery: None
        self._targets = targets
        self.settings = settings
        self.counts = counts
        self._clock = clock
        guard = GuardSettings(
            concurrency=_CALLS_MAX, adaptive=False, timeout_seconds=settings.timeout_seconds
        )
        self.guards = Guards(
            {_guard_of(name): guard for name in settings.targets},
            clock=clock,
            randomness=randomness,
            tell=tell,
        )
        """What stands before each target."""
        self._lines = {
            name: _Line(name, target, self, randomness) for name, target in settings.targets.items()
        }
        self._minute = -1
        self._sent_in_minute = 0
        self._held_back = Counter[str]()
        """Notices of this minute that a target is not told of one by one."""
        self._summary: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self.guards.start()
        for line in self._lines.values():
            line.start()

    def close(self) -> None:
        """Deliver no more. What is not told of yet is, after the next start."""
        for line in self._lines.values():
            line.close()
        if self._summary is not None:
            self._summary.cancel()
        self._targets.close()

    def put(self, notice: Notice) -> bool:
        """Take a notice for everybody who wants to hear of it; returns whether there is anybody."""
        wanted = [line for line in self._lines.values() if line.wants(notice)]
        if not wanted:
            return False
        delivery = Delivery(notice, {line.name for line in wanted})
        if self._is_too_much():
            self._hold_back(delivery)
            return True
        for line in wanted:
            line.put(delivery)
        return True

    def settle(self, delivery: Delivery, name: str, *, taken: bool) -> None:
        """A target has taken a notice, or was given up on."""
        delivery.left.discard(name)
        (delivery.taken if taken else delivery.given_up).append(name)
        self.counts[name, "taken" if taken else "given_up"] += 1
        if not delivery.left:
            self.on_end(delivery)

    async def deliver(self, name: str, notice: Notice, *, is_retry: bool = False) -> str | None:
        """Try once; returns why it was not taken, None when it was.

        NoSuchTarget where it never will be, DependencyUnavailable where its guard does not let it be tried now.
        """
        try:
            await self._targets.send(
                name, notice, lambda: self.guards.call(_guard_of(name), outcome_of, is_retry=is_retry)
            )
        except (NoSuchTarget, DependencyUnavailable):
            raise
        except TimedOut:
            return f"no answer within {self.settings.timeout_seconds:g} s"
        except OSError as error:
            return (error.strerror or str(error) or type(error).__name__)[:ERROR_LENGTH_MAX]
        except Exception as error:
            # Its text may hold what was sent, or where to.
            return type(error).__name__
        return None

    async def test(self, notice: Notice, target: str | None) -> list[TestResult]:
        """Send a notice to a target, or to all of them, once and at once."""
        names = list(self._lines) if target is None else [target]
        if target is not None and target not in self._lines:
            raise NotFound(f"there is no target {target}", field="target")
        return list(await asyncio.gather(*(self._test(name, notice) for name in names)))

    async def _test(self, name: str, notice: Notice) -> TestResult:
        try:
            error = await self.deliver(name, notice)
        except (NoSuchTarget, DependencyUnavailable) as refusal:
            error = str(refusal)
        return TestResult(target=name, taken=error is None, error=error)

    def records(self) -> list[AlertTargetRecord]:
        """How the targets are doing."""
        return [line.record() for line in self._lines.values()]

    def kind_of(self, name: str) -> TargetKind:
        """How a target is told."""
        return self._targets.kind_of(name)

    @property
    def problems(self) -> list[str]:
        """The targets that did not take what they were sent last, and why."""
        return [f"{line.name}: {line.error}" for line in self._lines.values() if line.error is not None]

    def _is_too_much(self) -> bool:
        minute = self._clock.monotonic_us() // _MINUTE_US
        if minute != self._minute:
            self._minute, self._sent_in_minute = minute, 0
        self._sent_in_minute += 1
        return self._sent_in_minute > self.settings.notices_per_minute

    def _hold_back(self, delivery: Delivery) -> None:
        delivery.is_held_back = True
        for name in delivery.left:
            self.counts[name, "held_back"] += 1
            self._held_back[name] += 1
        if self._summary is None or self._summary.done():
            self._summary = asyncio.create_task(self._tell_held_back(delivery.notice))
        self.on_end(delivery)

    async def _tell_held_back(self, first: Notice) -> None:
        """Once the minute is over, say to each target how many there were that it was not told of."""
        passed_us = self._clock.monotonic_us() % _MINUTE_US
        await asyncio.sleep((_MINUTE_US - passed_us) / 1_000_000)
        held_back, self._held_back = self._held_back, Counter[str]()
        for name, more in held_back.items():
            notice = Notice(
                id=f"{first.id}_more",
                what="held_back",
                subject="alert",
                severity=first.severity,
                text=f"{count(more, 'more notice')} held back; `sheratan alert list` has all alerts that are open",
                since_us=first.since_us,
                more=more,
                source=first.source,
            )
            self._lines[name].put(Delivery(notice, {name}))


class _Line:
    """The notices for one target, in order."""

    def __init__(self, name: str, target: AlertTarget, outbox: Outbox, randomness: Randomness) -> None:
        self.name = name
        self.error: str | None = None
        self._target = target
        self._outbox = outbox
        self._randomness = randomness
        self._waiting: asyncio.Queue[Delivery] = asyncio.Queue(NOTICES_WAITING_MAX)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def wants(self, notice: Notice) -> bool:
        return notice.severity == "critical" or self._target.least == "warning"

    def put(self, delivery: Delivery) -> None:
        try:
            self._waiting.put_nowait(delivery)
        except asyncio.QueueFull:
            self._outbox.settle(delivery, self.name, taken=False)

    def record(self) -> AlertTargetRecord:
        counts = self._outbox.counts
        return AlertTargetRecord(
            name=self.name,
            kind=self._outbox.kind_of(self.name),
            least=self._target.least,
            taken=counts[self.name, "taken"],
            given_up=counts[self.name, "given_up"],
            held_back=counts[self.name, "held_back"],
            failed=counts[self.name, "failed"],
            waiting=self._waiting.qsize(),
            error=self.error,
        )

    async def _run(self) -> None:
        while True:
            delivery = await self._waiting.get()
            taken = await self._insist(delivery.notice)
            self._outbox.settle(delivery, self.name, taken=taken)

    async def _insist(self, notice: Notice) -> bool:
        """Try until it is taken, or often enough."""
        settings = self._outbox.settings
        for attempt in range(settings.attempts_max):
            if attempt:
                drawn = self._randomness.bits("alerting", 16)
                await asyncio.sleep(pause_seconds(attempt, settings.backoff_seconds_max, drawn))
            try:
                self.error = await self._try(notice, is_retry=attempt > 0)
            except NoSuchTarget as gone:
                self.error = str(gone)
                break
            if self.error is None:
                return True
            self._outbox.counts[self.name, "failed"] += 1
        return False

    async def _try(self, notice: Notice, *, is_retry: bool) -> str | None:
        """Try once, as soon as the guard lets it: what was never sent is no try that has failed."""
        while True:
            try:
                return await self._outbox.deliver(self.name, notice, is_retry=is_retry)
            except DependencyUnavailable as refusal:
                self.error = str(refusal)
                await asyncio.sleep(refusal.retry_after_seconds)


def _guard_of(target: str) -> str:
    """The name of a target's guard: that of its settings, which no dependency of a handler can have."""
    return f"alerts.targets.{target}"
