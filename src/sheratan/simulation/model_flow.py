"""The part of the model that knows what is set for queues, kinds and tenants, and who may start when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Any, Final

from msgspec.structs import replace

from sheratan.contracts.flow import NO_LIMITS, FlowLimits, PartitionLimits, Rate
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import LimitStarts, Pause, Pending, Resume
from sheratan.simulation.model_code import ModelCode, offered_as
from sheratan.simulation.model_state import ModelJob, ModelWorker
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelFlow", "bounds"]

_TURN: Final = 1_000_000
"""What a start adds to how far a lane of weight 1 is ahead."""

_TENANT: Final = "tenant:default"
"""Whose all jobs are."""

_Lane = tuple[str, str, int]

_Member = tuple[_Lane, str | None]
"""A lane and one of its partitions, or what it has without one."""

_Used = tuple[Counter[Any], dict[Any, Fraction]]
"""How many run of what, and when all that was started of it would be paid off; partitions by subject and name."""


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
        """What is paused: `queue:NAME`, `kind:NAME` or `tenant:NAME`."""
        self.set_for: dict[str, FlowLimits] = {}
        """What was ever paused or limited, with its limits."""
        self.declared: set[str] = set()
        """Kinds whose limits come with them."""
        self.paid_off: dict[Any, Fraction] = {}
        """When all that was started would be paid off at its rate; of partitions by subject and name."""
        self._ahead: dict[_Lane, int] = {}
        self._turn = 0
        self._partition_ahead: dict[_Member, int] = {}
        self._partition_turn: Counter[_Lane] = Counter()

    def forget_turns(self) -> None:
        """Whose turn it is is remembered by an engine as long as nothing goes wrong."""
        self._ahead.clear()
        self._turn = 0
        self._partition_ahead.clear()
        self._partition_turn.clear()

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
        if command.subject == _TENANT:
            self.hit("flow.tenant_limited")
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
        if bounds(limits).rate != bounds(self.set_for[subject]).rate:
            for key in [one for one in self.paid_off if one[0] == subject and isinstance(one, tuple)]:
                self.hit("flow.partitions_begin_anew")
                del self.paid_off[key]
        if limits.per_partition == PartitionLimits():
            limits = replace(limits, per_partition=None)
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
        if any(job.wanted.kind in worker.offers and offered_as(job) not in worker.offers for job in jobs):
            self.hit("version.waits")
        for job in offered:
            if f"kind:{job.wanted.kind}" in self.paused:
                self.hit("kind.paused")
            if f"queue:{job.wanted.queue}" in self.paused:
                self.hit("queue.paused")
            if _TENANT in self.paused:
                self.hit("tenant.paused")

    def late(self, worker: ModelWorker, at_us: int) -> ModelJob | None:
        """A job that a worker might have started at an instant."""
        used = (self._running(), self.paid_off)
        for lane, jobs in _by_lane(self.usable(worker)).items():
            found = _by_partition(jobs)
            free = {
                name: part for name, part in found.items() if not self._stop_partition(part[0], used, at_us)
            }
            first = self._head(lane, free, self._partition_ahead) if free else None
            if first is not None and not self._stop(first, used, at_us):
                return first
        return None

    def choose(self, worker: ModelWorker, most: int) -> list[ModelJob]:
        """Urgent jobs first, then lanes in turns, in each its partitions, and of these the oldest first."""
        lanes = {lane: _by_partition(jobs) for lane, jobs in _by_lane(self.usable(worker)).items()}
        ahead, partition_ahead = dict(self._ahead), dict(self._partition_ahead)
        used = (self._running(), dict(self.paid_off))
        chosen: list[ModelJob] = []
        while lanes and len(chosen) < most:
            heads = {lane: self._head(lane, found, partition_ahead) for lane, found in lanes.items()}
            lane = min(lanes, key=lambda one: self._rank(one, heads[one], ahead))
            job = heads[lane]
            if self._is_stopped(lanes, lane, job, used):
                continue
            if job.number != min(head.number for head in heads.values()):
                self.hit("lease.out_of_order")
            chosen.append(job)
            ahead[lane] = max(ahead.get(lane, 0), self._turn) + self._cost_of_turn(job)
            if len(lanes[lane]) > 1:
                self.hit("flow.partitions_take_turns")
            member = (lane, job.wanted.partition)
            partition_ahead[member] = max(partition_ahead.get(member, 0), self._partition_turn[lane]) + _TURN
            used[0].update(_subjects_and_partitions(job))
            self._pay(job, used[1])
            _take(lanes, lane, job.wanted.partition, lanes[lane][job.wanted.partition][1:])
        return chosen

    def _is_stopped(
        self, lanes: dict[_Lane, dict[str | None, list[ModelJob]]], lane: _Lane, job: ModelJob, used: _Used
    ) -> bool:
        """Whether a job may not start: then its partition, or its whole lane, is out."""
        stop = self._stop_partition(job, used, self.at_us)
        if stop:
            self.hit(stop)
            _take(lanes, lane, job.wanted.partition, [])
            return True
        stop = self._stop(job, used, self.at_us)
        if stop:
            self.hit(stop)
            del lanes[lane]
        return bool(stop)

    def _head(
        self, lane: _Lane, found: dict[str | None, list[ModelJob]], ahead: Mapping[_Member, int]
    ) -> ModelJob:
        """The job with which a lane comes up: that of the partition whose turn it is."""
        turn = self._partition_turn[lane]

        def rank(name: str | None) -> tuple[int, int, int]:
            job = found[name][0]
            return job.wanted.priority, max(ahead.get((lane, name), 0), turn), job.number

        return found[min(found, key=rank)][0]

    def note_start(self, chosen: list[ModelJob]) -> None:
        """These jobs are started: their lanes and partitions have had their turns, their rates are used."""
        begun, partitions_begun = self._turn, Counter(self._partition_turn)
        partitioned = {_lane(job) for job in map(self.jobs.__getitem__, self.ready) if job.wanted.partition}
        for job in chosen:
            self._pay(job, self.paid_off)
            lane = _lane(job)
            tag = max(self._ahead.get(lane, 0), begun)
            self._turn = max(self._turn, tag)
            self._ahead[lane] = tag + self._cost_of_turn(job)
            if lane in partitioned:
                member = (lane, job.wanted.partition)
                tag = max(self._partition_ahead.get(member, 0), partitions_begun[lane])
                self._partition_turn[lane] = max(self._partition_turn[lane], tag)
                self._partition_ahead[member] = tag + _TURN

    def _rank(self, lane: _Lane, job: ModelJob, ahead: Mapping[_Lane, int]) -> tuple[int, int, int]:
        return job.wanted.priority, max(ahead.get(lane, 0), self._turn), job.number

    def _cost_of_turn(self, job: ModelJob) -> int:
        weight = 1
        for subject in _subjects(job):
            weight *= self.set_for.get(subject, NO_LIMITS).weight
        return _TURN // weight

    def _running(self) -> Counter[Any]:
        jobs = [self.jobs[number] for number in self.running]
        return Counter(one for job in jobs for one in _subjects_and_partitions(job))

    def _limits_of(self, job: ModelJob) -> Iterator[tuple[str, FlowLimits]]:
        for subject in _subjects(job):
            yield subject, self.set_for.get(subject, NO_LIMITS)

    def _stop(self, job: ModelJob, used: _Used, at_us: int) -> str | None:
        """What keeps a job from starting at an instant, by the name of its branch; None: nothing."""
        for subject, limits in self._limits_of(job):
            stop = _stop(job, subject, limits, used, at_us)
            if stop:
                return f"flow.{stop}"
        return None

    def _stop_partition(self, job: ModelJob, used: _Used, at_us: int) -> str | None:
        """The same of the limits that hold for its partition."""
        for subject, limits in self._limits_of(job) if job.wanted.partition else ():
            stop = _stop(job, (subject, job.wanted.partition), bounds(limits), used, at_us)
            if stop:
                return f"flow.partition_{stop}"
        return None

    def _pay(self, job: ModelJob, paid_off: dict[Any, Fraction]) -> None:
        for subject, limits in self._limits_of(job):
            self._pay_one(job, paid_off, subject, limits.rate)
            if job.wanted.partition:
                self._pay_one(job, paid_off, (subject, job.wanted.partition), bounds(limits).rate)

    def _pay_one(self, job: ModelJob, paid_off: dict[Any, Fraction], key: Any, rate: Rate | None) -> None:
        if rate is not None:
            since = max(paid_off.get(key, Fraction(0)), Fraction(self.at_us))
            paid_off[key] = since + job.wanted.cost * _spacing(rate)


def _stop(
    job: ModelJob, key: Any, limits: FlowLimits | PartitionLimits, used: _Used, at_us: int
) -> str | None:
    running, paid_off = used
    if limits.concurrency is not None and running[key] >= limits.concurrency:
        return "full"
    rate = limits.rate
    if rate is not None:
        slack = (rate.burst - min(job.wanted.cost, rate.burst)) * _spacing(rate)
        if paid_off.get(key, Fraction(0)) - slack > at_us:
            return "paced"
    return None


def bounds(limits: FlowLimits) -> PartitionLimits:
    """What holds for each partition by itself."""
    return limits.per_partition or PartitionLimits()


def _take(
    lanes: dict[_Lane, dict[str | None, list[ModelJob]]], lane: _Lane, name: str | None, left: list[ModelJob]
) -> None:
    """Leave so much of a partition, or nothing of it and maybe of its lane."""
    lanes[lane][name] = left
    if not left:
        del lanes[lane][name]
    if not lanes[lane]:
        del lanes[lane]


def _by_partition(jobs: list[ModelJob]) -> dict[str | None, list[ModelJob]]:
    found: dict[str | None, list[ModelJob]] = {}
    for job in jobs:
        found.setdefault(job.wanted.partition, []).append(job)
    return found


def _spacing(rate: Rate) -> Fraction:
    """Microseconds between two starts."""
    return Fraction(round(rate.period_seconds * 1_000_000), rate.count)


def _lane(job: ModelJob) -> _Lane:
    return job.wanted.queue, job.wanted.kind, job.wanted.version


def _subjects(job: ModelJob) -> tuple[str, str, str]:
    return f"queue:{job.wanted.queue}", f"kind:{job.wanted.kind}", _TENANT


def _subjects_and_partitions(job: ModelJob) -> list[Any]:
    subjects: list[Any] = list(_subjects(job))
    return subjects + [(one, job.wanted.partition) for one in subjects if job.wanted.partition]


def _by_lane(jobs: list[ModelJob]) -> dict[_Lane, list[ModelJob]]:
    lanes: dict[_Lane, list[ModelJob]] = {}
    for job in jobs:
        lanes.setdefault(_lane(job), []).append(job)
    return lanes
