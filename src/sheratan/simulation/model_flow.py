"""The part of the model that knows what is set for queues and kinds, and who may start when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Any, Final

from sheratan.contracts.flow import NO_LIMITS, FlowLimits
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import LimitStarts, Pause, Pending, Resume
from sheratan.simulation.model_code import ModelCode, offered_as
from sheratan.simulation.model_state import ModelJob, ModelWorker
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelFlow"]

_TURN: Final = 1_000_000
"""What a start adds to how far a lane of weight 1 is ahead."""

_Lane = tuple[str, str, int]


class ModelFlow(ModelCode):
    """Pauses, limits and turns."""

    limits: Limits
    jobs: dict[int, ModelJob]
    ready: set[int]
    running: set[int]
    hit: Callable[[str], None]

    def __init__(self) -> None:
        super().__init__()
        self.paused: set[str] = set()
        """What is paused: `queue:NAME` or `kind:NAME`."""
        self.set_for: dict[str, FlowLimits] = {}
        """What was ever paused or limited, with its limits."""
        self.declared: set[str] = set()
        """Kinds whose limits come with them."""
        self.paid_off: dict[str, Fraction] = {}
        """When all that was started would be paid off at its rate."""
        self._ahead: dict[_Lane, int] = {}
        self._turn = 0

    def forget_turns(self) -> None:
        """Whose turn it is is remembered by an engine as long as nothing goes wrong."""
        self._ahead.clear()
        self._turn = 0

    # ------------------------------------------------------------------------------------------------------------------
    # What people set

    def _Pause(self, pending: Pending, command: Pause) -> bool:  # noqa: N802 - the command's name
        if command.subject in self.paused:
            return False
        self._know(command.subject)
        self.paused.add(command.subject)
        self.noted[f"{command.subject.partition(':')[0]}.paused"] += 1
        return True

    def _Resume(self, pending: Pending, command: Resume) -> bool:  # noqa: N802 - the command's name
        if command.subject not in self.paused:
            return False
        self.paused.discard(command.subject)
        self.noted[f"{command.subject.partition(':')[0]}.resumed"] += 1
        return True

    def _LimitStarts(self, pending: Pending, command: LimitStarts) -> Any:  # noqa: N802 - the command's name
        self.hit("flow.limited")
        self._limit(command.subject, command.limits)
        self.declared.discard(command.subject)
        entry = self._actual_value(pending)
        if not isinstance(entry, int):
            raise Refused("the number of an entry")
        return entry

    def declared_anew(self, kinds: Sequence[KindDescription]) -> list[KindDescription]:
        """The kinds of a new worker whose limits hold from now on: unless somebody has set others."""
        found = []
        for kind in {one.name: one for one in sorted(kinds, key=lambda one: one.version)}.values():
            subject = f"kind:{kind.name}"
            stands = self.set_for.get(subject, NO_LIMITS)
            if stands not in (NO_LIMITS, kind.limits) and subject not in self.declared:
                self.hit("flow.declared_in_vain")
            elif stands != kind.limits:
                found.append(kind)
        new = sum(f"kind:{kind.name}" not in self.set_for for kind in found)
        if new and len(self.set_for) + new > self.limits.queues_max:
            raise Refused("limit_reached")
        return found

    def declare(self, kind: KindDescription) -> None:
        """The limits hold that come with a kind."""
        self.hit("flow.declared")
        self._limit(f"kind:{kind.name}", kind.limits)
        self.declared.add(f"kind:{kind.name}")

    def _limit(self, subject: str, limits: FlowLimits) -> None:
        self._know(subject)
        self.noted["flow.limited"] += 1
        self.set_for[subject] = limits
        rate, old = limits.rate, self.paid_off.pop(subject, None)
        if old is not None and rate is not None:
            self.hit("flow.rate_changed")
            # Nobody waits longer than if the whole burst had just started.
            self.paid_off[subject] = min(Fraction(ceil(old)), self.at_us + rate.burst * _spacing(rate))

    def _know(self, subject: str) -> None:
        if subject not in self.set_for and len(self.set_for) >= self.limits.queues_max:
            raise Refused("limit_reached")
        self.set_for.setdefault(subject, NO_LIMITS)

    # ------------------------------------------------------------------------------------------------------------------
    # Who may start

    def usable(self, worker: ModelWorker) -> list[ModelJob]:
        """The ready jobs that a worker may run and that nobody has paused, in their order."""
        jobs = [self.jobs[number] for number in self.ready]
        offered = [job for job in jobs if offered_as(job) in worker.offers]
        found = [job for job in offered if self.paused.isdisjoint(_subjects(job))]
        self._note_passed_over(worker, jobs, offered)
        return sorted(found, key=lambda job: (job.wanted.priority, job.number))

    def _note_passed_over(self, worker: ModelWorker, jobs: list[ModelJob], offered: list[ModelJob]) -> None:
        if any(job.wanted.kind in worker.offers and job not in offered for job in jobs):
            self.hit("version.waits")
        for job in offered:
            if f"kind:{job.wanted.kind}" in self.paused:
                self.hit("kind.paused")
            if f"queue:{job.wanted.queue}" in self.paused:
                self.hit("queue.paused")

    def late(self, worker: ModelWorker, at_us: int) -> ModelJob | None:
        """A job that a worker might have started at an instant."""
        running, lanes = self._running(), _by_lane(self.usable(worker))
        free = [jobs[0] for jobs in lanes.values() if not self._stop(jobs[0], running, self.paid_off, at_us)]
        return free[0] if free else None

    def choose(self, worker: ModelWorker, most: int) -> list[ModelJob]:
        """Urgent jobs first, then lanes in turns, in each lane the oldest first, within the limits."""
        lanes, ahead = _by_lane(self.usable(worker)), dict(self._ahead)
        running, paid_off = self._running(), dict(self.paid_off)
        chosen: list[ModelJob] = []
        while lanes and len(chosen) < most:
            lane = min(lanes, key=lambda one: self._rank(one, lanes[one][0], ahead))
            job = lanes[lane][0]
            stop = self._stop(job, running, paid_off, self.at_us)
            if stop:
                self.hit(stop)
                del lanes[lane]
                continue
            if job.number != min(head[0].number for head in lanes.values()):
                self.hit("lease.out_of_order")
            chosen.append(job)
            ahead[lane] = max(ahead.get(lane, 0), self._turn) + self._cost_of_turn(job)
            running.update(_subjects(job))
            self._pay(job, paid_off)
            lanes[lane] = lanes[lane][1:]
            if not lanes[lane]:
                del lanes[lane]
        return chosen

    def note_start(self, chosen: list[ModelJob]) -> None:
        """These jobs are started: their lanes have had their turns, their rates are used."""
        begun = self._turn
        for job in chosen:
            self._pay(job, self.paid_off)
            lane = _lane(job)
            tag = max(self._ahead.get(lane, 0), begun)
            self._turn = max(self._turn, tag)
            self._ahead[lane] = tag + self._cost_of_turn(job)

    def _rank(self, lane: _Lane, job: ModelJob, ahead: Mapping[_Lane, int]) -> tuple[int, int, int]:
        return job.wanted.priority, max(ahead.get(lane, 0), self._turn), job.number

    def _cost_of_turn(self, job: ModelJob) -> int:
        weight = 1
        for subject in _subjects(job):
            weight *= self.set_for.get(subject, NO_LIMITS).weight
        return _TURN // weight

    def _running(self) -> Counter[str]:
        return Counter(subject for number in self.running for subject in _subjects(self.jobs[number]))

    def _limits_of(self, job: ModelJob) -> Iterator[tuple[str, FlowLimits]]:
        for subject in _subjects(job):
            yield subject, self.set_for.get(subject, NO_LIMITS)

    def _stop(
        self, job: ModelJob, running: Counter[str], paid_off: Mapping[str, Fraction], at_us: int
    ) -> str | None:
        """What keeps a job from starting at an instant, by the name of its branch; None: nothing."""
        for subject, limits in self._limits_of(job):
            if limits.concurrency is not None and running[subject] >= limits.concurrency:
                return "flow.full"
            rate = limits.rate
            if rate is not None:
                slack = (rate.burst - min(job.wanted.cost, rate.burst)) * _spacing(rate)
                if paid_off.get(subject, Fraction(0)) - slack > at_us:
                    return "flow.paced"
        return None

    def _pay(self, job: ModelJob, paid_off: dict[str, Fraction]) -> None:
        for subject, limits in self._limits_of(job):
            if limits.rate is not None:
                since = max(paid_off.get(subject, Fraction(0)), Fraction(self.at_us))
                paid_off[subject] = since + job.wanted.cost * _spacing(limits.rate)


def _spacing(rate: Any) -> Fraction:
    """Microseconds between two starts."""
    return Fraction(round(rate.period_seconds * 1_000_000), rate.count)


def _lane(job: ModelJob) -> _Lane:
    return job.wanted.queue, job.wanted.kind, job.wanted.version


def _subjects(job: ModelJob) -> tuple[str, str]:
    return f"queue:{job.wanted.queue}", f"kind:{job.wanted.kind}"


def _by_lane(jobs: list[ModelJob]) -> dict[_Lane, list[ModelJob]]:
    lanes: dict[_Lane, list[ModelJob]] = {}
    for job in jobs:
        lanes.setdefault(_lane(job), []).append(job)
    return lanes
