"""The part of the model that knows what is set for queues, kinds and tenants, and who may start when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Any, Final

from msgspec.structs import replace

from sheratan.contracts.flow import NO_LIMITS, FlowLimits, PartitionLimits, Rate
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import LimitStarts, Pause, Pending, Resume
from sheratan.simulation.model_billing import ModelBilling
from sheratan.simulation.model_budgets import BudgetKey
from sheratan.simulation.model_code import offered_as
from sheratan.simulation.model_lanes import (
    TENANT,
    Lane,
    Parts,
    Used,
    bounds,
    by_lane,
    by_partition,
    lane_of,
    spacing,
    subjects,
    subjects_and_partitions,
    take,
    why_not,
)
from sheratan.simulation.model_state import ModelJob, ModelWorker
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelFlow"]

_TURN: Final = 1_000_000
"""What a start adds to how far a lane of weight 1 is ahead."""

_Member = tuple[Lane, str | None]
"""A lane and one of its partitions, or what it has without one."""


class ModelFlow(ModelBilling):
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
        self._started: dict[tuple[Lane, int], int] = {}
        """When a job was started last, by lane and priority, where priorities age."""
        self._ahead: dict[Lane, int] = {}
        self._turn = 0
        self._partition_ahead: dict[_Member, int] = {}
        self._partition_turn: Counter[Lane] = Counter()

    def forget_turns(self) -> None:
        """Whose turn it is is remembered by an engine as long as nothing goes wrong."""
        self._started.clear()
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
        if command.subject == TENANT:
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
            self.paid_off[subject] = min(Fraction(ceil(old)), self.at_us + rate.burst * spacing(rate))

    def _know(self, subject: str) -> None:
        if subject not in self.set_for and len(self.set_for) >= self.limits.queues_max:
            raise Refused("limit_reached")
        self.set_for.setdefault(subject, NO_LIMITS)

    # ------------------------------------------------------------------------------------------------------------------
    # Who may start

    def usable(self, worker: ModelWorker, at_us: int) -> list[ModelJob]:
        """The ready jobs that a worker may run, nobody has paused and are not collected any more, in their order."""
        jobs = [self.jobs[number] for number in self.ready]
        offered = [job for job in jobs if offered_as(job) in worker.offers]
        found = [job for job in offered if self.paused.isdisjoint(subjects(lane_of(job)))]
        self._note_passed_over(worker, jobs, offered)
        found = self.paid_for(found, at_us)
        found.sort(key=lambda job: (job.wanted.priority, job.number))
        return self._collected(worker, found, at_us) if worker.collects else found

    def _collected(self, worker: ModelWorker, ready: list[ModelJob], at_us: int) -> list[ModelJob]:
        """Without the jobs of lanes of which too few are ready, if the next of each partition has not waited enough."""
        found: list[ModelJob] = []
        for jobs in by_lane(ready).values():
            wanted = worker.collects.get(offered_as(jobs[0]))
            if wanted is not None and len(jobs) < wanted[0]:
                since_us = min(part[0].since_us for part in by_partition(jobs).values())
                if since_us + wanted[1] > at_us:
                    self.hit("collect.waits")
                    continue
                self.hit("collect.waited")
            elif wanted is not None:
                self.hit("collect.full")
            found += jobs
        return found

    def _note_passed_over(self, worker: ModelWorker, jobs: list[ModelJob], offered: list[ModelJob]) -> None:
        if any(job.wanted.kind in worker.offers and offered_as(job) not in worker.offers for job in jobs):
            self.hit("version.waits")
        for job in offered:
            if f"kind:{job.wanted.kind}" in self.paused:
                self.hit("kind.paused")
            if f"queue:{job.wanted.queue}" in self.paused:
                self.hit("queue.paused")
            if TENANT in self.paused:
                self.hit("tenant.paused")

    def late(self, worker: ModelWorker, at_us: int) -> ModelJob | None:
        """A job that a worker might have started at an instant."""
        used = (self._running(), self.paid_off)
        for lane, jobs in by_lane(self.usable(worker, at_us)).items():
            found = by_partition(jobs)
            free = self._free(found, used, at_us)
            if not free:
                continue
            gains = self._gains(lane, free, at_us)
            first = self._head(lane, free, self._partition_ahead, gains)
            if not self._stop(first, used, at_us):
                return first
        return None

    def choose(self, worker: ModelWorker, most: int) -> list[ModelJob]:
        """Urgent jobs first, then lanes in turns, in each its partitions, and of these the oldest first."""
        used = (self._running(), dict(self.paid_off))
        lanes = self._in_turn(self.usable(worker, self.at_us), used)
        ahead, partition_ahead = dict(self._ahead), dict(self._partition_ahead)
        left_to_pay = self.attempts_paid_for(lanes)
        gains = self._all_gains(lanes, used)
        chosen: list[ModelJob] = []
        while lanes and len(chosen) < most:
            heads = {lane: self._head(lane, found, partition_ahead, gains) for lane, found in lanes.items()}
            lane = min(lanes, key=lambda one: self._rank(one, heads[one], ahead, gains))
            job = heads[lane]
            if self._is_stopped(lanes, job, used, left_to_pay):
                continue
            if not self.pay_for(job, left_to_pay):
                del lanes[lane]
                continue
            self._note_order(job, lanes[lane], heads.values(), gains)
            chosen.append(job)
            ahead[lane] = max(ahead.get(lane, 0), self._turn) + self._cost_of_turn(job)
            member = (lane, job.wanted.partition)
            partition_ahead[member] = max(partition_ahead.get(member, 0), self._partition_turn[lane]) + _TURN
            used[0].update(subjects_and_partitions(job))
            self._pay(job, used[1])
            left = [one for one in lanes[lane][job.wanted.partition] if one is not job]
            take(lanes, lane, job.wanted.partition, left)
        return chosen

    def _in_turn(self, usable: list[ModelJob], used: Used) -> dict[Lane, Parts]:
        """The lanes and partitions that take turns: who may not start anyway does not come up for its lane."""
        lanes = {lane: by_partition(jobs) for lane, jobs in by_lane(usable).items()}
        for lane, found in list(lanes.items()):
            for name, part in list(found.items()):
                stop = self._stop_partition(part[0], used, self.at_us)
                if stop:
                    self.hit(stop)
                    take(lanes, lane, name, [])
        return lanes

    def _note_order(
        self, job: ModelJob, found: Parts, heads: Iterable[ModelJob], gains: Mapping[int, int]
    ) -> None:
        if job.number != min(head.number for head in heads):
            self.hit("lease.out_of_order")
        if len(found) > 1:
            self.hit("flow.partitions_take_turns")
        urgent = min(one.wanted.priority for part in found.values() for one in part)
        if gains.get(job.number) and urgent < job.wanted.priority:
            self.hit("flow.aged")

    def _is_stopped(
        self, lanes: dict[Lane, Parts], job: ModelJob, used: Used, left: dict[str | BudgetKey, int]
    ) -> bool:
        """Whether a job may not start: then its partition, or its whole lane, is out."""
        lane, stop = lane_of(job), self._stop_partition(job, used, self.at_us)
        if not stop and not self.partition_pays(job, left):
            stop = "budget.partition_has_some"
        if stop:
            self.hit(stop)
            take(lanes, lane, job.wanted.partition, [])
            return True
        stop = self._stop(job, used, self.at_us)
        if stop:
            self.hit(stop)
            del lanes[lane]
        return bool(stop)

    def _free(self, found: Parts, used: Used, at_us: int) -> Parts:
        """The partitions that no limit of their own stops."""
        return {name: part for name, part in found.items() if not self._stop_partition(part[0], used, at_us)}

    def _head(
        self,
        lane: Lane,
        found: Parts,
        ahead: Mapping[_Member, int],
        gains: Mapping[int, int],
    ) -> ModelJob:
        """The job with which a lane comes up: that of the partition whose turn it is."""
        turn = self._partition_turn[lane]

        def rank(job: ModelJob) -> tuple[int, int, int]:
            tag = max(ahead.get((lane, job.wanted.partition), 0), turn)
            return _urgency(job, gains), tag, job.number

        return min(self._in_line(lane, found), key=rank)

    def _gains(self, lane: Lane, found: Parts, at_us: int) -> dict[int, int]:
        """What the next job of each priority has gained by the time without a start of its priority."""
        step_us = self._ageing(lane)
        if not step_us:
            return {}
        turn, gains, seen = self._partition_turn[lane], dict[int, int](), set[int]()

        def rank(job: ModelJob) -> tuple[int, int]:
            return max(self._partition_ahead.get((lane, job.wanted.partition), 0), turn), job.number

        for job in sorted(self._in_line(lane, found), key=rank):
            if job.wanted.priority not in seen:
                seen.add(job.wanted.priority)
                since_us = max(job.since_us, self._started.get((lane, job.wanted.priority), 0))
                gains[job.number] = max(0, at_us - since_us) // step_us
        return gains

    def _all_gains(self, lanes: Mapping[Lane, Parts], used: Used) -> dict[int, int]:
        gains: dict[int, int] = {}
        for lane, found in lanes.items():
            free = self._free(found, used, self.at_us)
            gains |= self._gains(lane, free, self.at_us) if free else {}
        return gains

    def _in_line(self, lane: Lane, found: Parts) -> list[ModelJob]:
        """Of each partition the first job; of a lane without partitions all, as they may have aged differently."""
        is_parted = set(found) != {None} or lane in self._parted
        return [part[0] for part in found.values()] if is_parted else found[None]

    @property
    def _parted(self) -> set[Lane]:
        """The lanes in which jobs of partitions are ready, whether limits hold them up or not."""
        return {lane_of(job) for job in map(self.jobs.__getitem__, self.ready) if job.wanted.partition}

    def _ageing(self, lane: Lane) -> int:
        steps = [self.set_for.get(subject, NO_LIMITS).ageing_seconds for subject in subjects(lane)]
        return round(min((step for step in steps if step), default=0) * 1_000_000)

    def note_start(self, chosen: list[ModelJob]) -> None:
        """These jobs are started: their lanes and partitions have had their turns, their rates are used."""
        begun, partitions_begun = self._turn, Counter(self._partition_turn)
        parted = self._parted
        for job in chosen:
            self._pay(job, self.paid_off)
            lane = lane_of(job)
            tag = max(self._ahead.get(lane, 0), begun)
            self._turn = max(self._turn, tag)
            self._ahead[lane] = tag + self._cost_of_turn(job)
            if self._ageing(lane):
                self._started[lane, job.wanted.priority] = self.at_us
            if lane in parted:
                member = (lane, job.wanted.partition)
                tag = max(self._partition_ahead.get(member, 0), partitions_begun[lane])
                self._partition_turn[lane] = max(self._partition_turn[lane], tag)
                self._partition_ahead[member] = tag + _TURN

    def _rank(
        self, lane: Lane, job: ModelJob, ahead: Mapping[Lane, int], gains: Mapping[int, int]
    ) -> tuple[int, int, int]:
        return _urgency(job, gains), max(ahead.get(lane, 0), self._turn), job.number

    def _cost_of_turn(self, job: ModelJob) -> int:
        weight = 1
        for subject in subjects(lane_of(job)):
            weight *= self.set_for.get(subject, NO_LIMITS).weight
        return _TURN // weight

    def _running(self) -> Counter[Any]:
        jobs = [self.jobs[number] for number in self.running]
        return Counter(one for job in jobs for one in subjects_and_partitions(job))

    def _limits_of(self, job: ModelJob) -> Iterator[tuple[str, FlowLimits]]:
        for subject in subjects(lane_of(job)):
            yield subject, self.set_for.get(subject, NO_LIMITS)

    def _stop(self, job: ModelJob, used: Used, at_us: int) -> str | None:
        """What keeps a job from starting at an instant, by the name of its branch; None: nothing."""
        for subject, limits in self._limits_of(job):
            stop = why_not(job, subject, limits, used, at_us)
            if stop:
                return f"flow.{stop}"
        return None

    def _stop_partition(self, job: ModelJob, used: Used, at_us: int) -> str | None:
        """The same of the limits that hold for its partition."""
        for subject, limits in self._limits_of(job) if job.wanted.partition else ():
            stop = why_not(job, (subject, job.wanted.partition), bounds(limits), used, at_us)
            if stop:
                return f"flow.partition_{stop}"
        return "budget.partition_waits" if self.is_short(job, at_us) else None

    def _pay(self, job: ModelJob, paid_off: dict[Any, Fraction]) -> None:
        for subject, limits in self._limits_of(job):
            self._pay_one(job, paid_off, subject, limits.rate)
            if job.wanted.partition:
                self._pay_one(job, paid_off, (subject, job.wanted.partition), bounds(limits).rate)

    def _pay_one(self, job: ModelJob, paid_off: dict[Any, Fraction], key: Any, rate: Rate | None) -> None:
        if rate is not None:
            since = max(paid_off.get(key, Fraction(0)), Fraction(self.at_us))
            paid_off[key] = since + job.wanted.cost * spacing(rate)


def _urgency(job: ModelJob, gains: Mapping[int, int]) -> int:
    return job.wanted.priority - gains.get(job.number, 0)
