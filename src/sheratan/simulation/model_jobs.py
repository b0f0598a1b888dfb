"""The part of the model that knows jobs: how they come in, how their attempts end, and what follows from an end."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from sheratan.contracts.limits import Limits
from sheratan.contracts.tracing import attempt_span
from sheratan.engine.commands import (
    Ending,
    NewJob,
    NewStep,
    Pending,
    Propose,
    RecordSteps,
    Settle,
    Spawn,
    Submit,
    SubmitGated,
)
from sheratan.simulation.model_after import ModelAfter
from sheratan.simulation.model_state import ModelJob, ModelWorker
from sheratan.simulation.model_waits import Refused

__all__ = ["ModelJobs", "Refused", "copied"]


class ModelJobs(ModelAfter):
    """Jobs, and how they change."""

    def __init__(self, limits: Limits, hit: Callable[[str], None], *, short_windows: bool) -> None:
        super().__init__()
        self.limits = limits
        self.short_windows = short_windows
        """Whether so little of the ready work is in memory that a lease call may see the end of it."""
        self.jobs: dict[int, ModelJob] = {}
        self.by_id: dict[str, ModelJob] = {}
        self.workers: dict[int, ModelWorker] = {}
        self.keys: dict[str, int] = {}
        self.lanes: set[tuple[str, str, int]] = set()
        self.running: set[int] = set()
        self.ready: set[int] = set()
        self.scheduled: set[int] = set()
        self.waiting: set[int] = set()
        self.last_fence = -1
        self.whom = ""
        """On whose behalf jobs come in now."""
        self.hit = hit
        # Of the batch in the making:
        self.at_us = 0
        self.monotonic_us = 0
        self.moved: set[int] = set()
        self.known = 0
        """How many jobs there were before it."""
        self.ended: list[int] = []
        self.stops: list[tuple[int, int, str]] = []
        """Which attempts are to be told to stop: number, fence and reason."""
        self.noted: Counter[str] = Counter()
        """How many entries of a type must be there that move no job."""
        self.answers: dict[int, Any] = {}
        self._actual: dict[int, Any] = {}
        self._seeds: dict[int, int] = {}
        self._firing_ids: dict[str, str] = {}

    # ------------------------------------------------------------------------------------------------------------------
    # Submissions

    def _Submit(self, pending: Pending, command: Submit) -> Any:  # noqa: N802 - the command's name
        return self._take_in(command, self._actual_value(pending) or [])

    def _take_in(self, command: Submit, receipts: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
        parent = self._submitting(command)
        self._check_lanes(command.jobs)
        plans = self._plan_all(command.jobs)
        if parent is not None:
            self._count_fan_out(parent, sum(isinstance(plan, NewJob) for plan in plans))
        if len(receipts) != len(plans):
            raise Refused("an answer for each job")
        answer = []
        for plan, (public_id, _) in zip(plans, receipts, strict=True):
            if isinstance(plan, str):
                answer.append((plan, True))
            else:
                job = self._add(plan, public_id, command.by_job, None)
                answer.append((job.id, False))
        return answer

    def _check_lanes(self, jobs: Sequence[NewJob]) -> None:
        new_lanes = {(job.queue, job.kind, job.version) for job in jobs} - self.lanes
        if len(self.lanes) + len(new_lanes) > self.limits.queues_max:
            raise Refused("limit_reached")

    def _submitting(self, command: Submit | SubmitGated) -> ModelJob | None:
        """The running job that submits others, if it is one and still holds its lease."""
        if command.by_job is None:
            return None
        parent = self.jobs.get(command.by_job)
        if parent is None or parent.state != "running" or parent.fence != command.fence:
            self.hit("submit.lost_lease")
            raise Refused("lost_lease")
        return parent

    def _plan_all(self, jobs: Sequence[NewJob]) -> list[str | NewJob]:
        plans: list[str | NewJob] = []
        coming: dict[str, int] = {}
        for new in jobs:
            known = self._find_key(new)
            if known is not None:
                plans.append(known)
                continue
            self.check_budget(new)
            self._check_admission(new, coming.get(new.queue, 0))
            coming[new.queue] = coming.get(new.queue, 0) + 1
            plans.append(new)
        return plans

    def _find_key(self, new: NewJob) -> str | None:
        number = self.keys.get(new.key) if new.key is not None else None
        if number is None:
            return None
        job = self.jobs[number]
        if _request(job.wanted) != _request(new):
            self.hit("key.conflict")
            raise Refused("idempotency_conflict")
        self.hit("retention.key_outlives" if job.is_pruned else "key.found")
        return job.id

    def _check_admission(self, new: NewJob, coming: int) -> None:
        for parent in new.after:
            self._job(parent)
        self.check_takes_in()
        if not self._has_places(new, coming + 1):
            self.hit("submit.refused_full")
            raise Refused("limit_reached")

    def _count_fan_out(self, parent: ModelJob, jobs: int) -> None:
        if parent.fan_out + jobs > self.limits.fan_out_jobs_max:
            self.hit("submit.refused_fan_out")
            raise Refused("limit_reached")
        parent.fan_out += jobs
        self.hit("submit.by_job")

    def _trace_of_child(self, by_job: int | None) -> str | None:
        parent = None if by_job is None else self.jobs[by_job]
        if parent is None or parent.traceparent is None:
            return None
        self.hit("submit.in_trace")
        return f"{parent.traceparent[:35]}-{attempt_span(parent.id, parent.attempt)}{parent.traceparent[52:]}"

    def _add(self, new: NewJob, public_id: str, by_job: int | None, origin: int | None) -> ModelJob:
        whom = self.whom if by_job is None else self.jobs[by_job].whom
        job = ModelJob(len(self.jobs) + 1, public_id, new, by_job, origin, whom)
        job.fails_us = self.fails_us(new, by_job)
        job.traceparent = new.traceparent or self._trace_of_child(by_job)
        self.jobs[job.number] = self.by_id[public_id] = job
        self.lanes.add((new.queue, new.kind, new.version))
        if new.key is not None:
            self.keys[new.key] = job.number
        job.since_us = job.created_us = self.at_us
        job.due_us = self.at_us + new.delay_us
        self.add_parents(job)
        if job.failed_parents and new.after_failure == "cancel":
            job.missing = set()
            self._end(job, "cancelled", 0)
            return job
        self._release(job, delayed=new.delay_us > 0)
        self.limit(job)
        return job

    def _release(self, job: ModelJob, *, delayed: bool) -> None:
        """Put a job that is new, or that waited for others, where it goes."""
        job.since_us = self.at_us
        if job.missing:
            self.hit("after.blocked")
            self._move(job, "blocked")
        elif delayed:
            self._move(job, "scheduled")
        else:
            self._queue_first(job)

    def _queue_first(self, job: ModelJob) -> None:
        """From now on its limit on waiting counts."""
        self._move(job, "queued")
        self.limit_wait(job)

    # ------------------------------------------------------------------------------------------------------------------
    # Ends of attempts

    def _Settle(self, pending: Pending, command: Settle) -> list[bool]:  # noqa: N802 - the command's name
        worker = self.workers.get(command.session)
        if worker is not None:
            worker.free_slots += len(command.reports)
            if worker.waiting is not None and any(one.outcome == "released" for one in command.reports):
                self.answers[id(worker.waiting)] = []
                worker.waiting = None
        return [self._settle(report) for report in command.reports]

    def _RecordSteps(self, pending: Pending, command: RecordSteps) -> list[bool]:  # noqa: N802 - the command's name
        return [self._record(step) for step in command.steps]

    def _record(self, step: NewStep) -> bool:
        job = self.jobs.get(step.number)
        if job is None or job.state != "running" or job.fence != step.fence:
            self.hit("step.fenced_off")
            self.noted["job.fenced_off"] += 1
            return False
        if step.step <= len(job.steps):
            self.hit("step.came_again")
            return True
        if step.step != len(job.steps) + 1:
            raise Refused("invalid_input")
        self.hit("step.recorded")
        self.noted["step.failed" if step.error else "step.succeeded"] += 1
        job.steps.append((step.name, step.occurrence, None if step.error else step.output))
        return True

    def _stepping(self, command: Spawn | Propose) -> ModelJob:
        """The running job that submits others as a step of its own."""
        job = self.jobs.get(command.number)
        if job is None or job.state != "running" or job.fence != command.fence:
            self.hit("submit.lost_lease")
            raise Refused("lost_lease")
        if command.step > len(job.steps) + 1:
            raise Refused("invalid_input")
        return job

    def _Spawn(self, pending: Pending, command: Spawn) -> list[str]:  # noqa: N802 - the command's name
        job = self._stepping(command)
        if command.step <= len(job.steps):
            self.hit("spawn.came_again")
            known: list[str] = msgspec.json.decode(job.steps[command.step - 1][2] or b"[]")
            return known
        ids = self._actual_value(pending) or []
        receipts = [(public_id, False) for public_id in ids]
        self._take_in(Submit(jobs=command.jobs, by_job=command.number, fence=command.fence), receipts)
        self.hit("spawn.recorded")
        self.noted["step.succeeded"] += 1
        job.steps.append((command.name, command.occurrence, msgspec.json.encode(ids)))
        return [str(public_id) for public_id in ids]

    def _settle(self, report: Ending) -> bool:
        job = self.jobs.get(report.number)
        if job is None or job.state != "running" or job.fence != report.fence:
            self.hit("settle.fenced_off")
            self.noted["job.fenced_off"] += 1
            return False
        if report.charge is not None:
            self.reported[job.number] = report.charge
        if report.outcome == "succeeded":
            if job.asked_us is not None:
                self.hit("settle.success_beats_cancel")
            job.output = report.output
            self._end(job, "succeeded", job.attempt)
        elif job.asked_us is not None:
            self.hit("settle.cancelled")
            self._end(job, "cancelled", job.attempt)
        elif report.outcome == "waiting":
            self._park(job, report.waits)
        elif report.outcome == "code_changed":
            self.block(job)
        else:
            self._unfinished(job, report)
        return True

    def _unfinished(self, job: ModelJob, report: Ending) -> None:
        """Handed back, or failed."""
        if report.outcome == "released":
            self.hit("settle.released")
            job.since_us = self.at_us
            self._move(job, "queued")
        else:
            error = report.error
            asked = None if error is None else error.retry_after_seconds
            self._failed(job, "bug" if error is None else error.error_class, asked)

    def _failed(self, job: ModelJob, error_class: str, asked_seconds: float | None = None) -> None:
        job.losses += error_class == "lost_lease"
        job.error_class = error_class
        failures, is_lost = job.attempt - job.losses, error_class == "lost_lease"
        if error_class in ("fatal", "bug"):
            self._end(job, "failed", job.attempt)
        elif is_lost and job.losses >= self.limits.worker_losses_max:
            self._give_up(job, "loss.poison")
        elif not is_lost and failures >= job.wanted.attempts_max:
            self._give_up(job, "retry.exhausted")
        elif self.is_overdrawn_after(job):
            self._give_up(job, "job_budget.not_again")
        elif is_lost and job.has_failed_by(self.at_us):
            self._give_up(job, "deadline.lost")
        elif is_lost:
            self.hit("loss.requeued")
            job.attempt += 1
            job.since_us = self.at_us
            self._move(job, "queued")
        else:
            self._retry(job, failures, asked_seconds)

    def _give_up(self, job: ModelJob, why: str) -> None:
        self.hit(why)
        self._end(job, "failed", job.attempt)

    def _retry(self, job: ModelJob, failures: int, asked_seconds: float | None) -> None:
        if asked_seconds is not None:
            delay_us = int(asked_seconds * 1_000_000)
        else:
            # Full jitter: uniform up to a ceiling that doubles with each failure.
            ceiling = min(job.wanted.backoff_cap_us, job.wanted.backoff_base_us * 2 ** (failures - 1))
            drawn = hashlib.sha256(f"retry.backoff@1:{self._seeds.get(job.number)}".encode()).digest()
            delay_us = int.from_bytes(drawn[:16], "big") % (ceiling + 1)
        if job.has_failed_by(self.at_us + delay_us):
            self._give_up(job, "deadline.not_again")
            return
        self.hit("retry.delayed" if asked_seconds is None else "retry.asked")
        job.attempt += 1
        job.due_us, job.since_us = self.at_us + delay_us, self.at_us
        self._move(job, "scheduled")

    def _lose(self, job: ModelJob) -> None:
        """The worker of an attempt is gone."""
        if job.asked_us is not None:
            self._end(job, "cancelled", job.attempt)
        else:
            self._failed(job, "lost_lease")

    def _end(self, job: ModelJob, state: str, attempt: int) -> None:
        if job.signals:
            self.hit("signal.unheard")
        job.waits.clear()
        job.awaits.clear()
        job.signals.clear()
        job.blocked_by.clear()
        self.changed.discard(job.number)
        self.cancel_approvals(job)
        self.ended.append(job.number)
        job.ended_attempt, job.ended_us = attempt, self.at_us
        job.is_dead = state == "failed"
        self._move(job, state)
        self.has_ended(job)

    def _move(self, job: ModelJob, state: str) -> None:
        places = {
            "queued": self.ready,
            "running": self.running,
            "scheduled": self.scheduled,
            "waiting": self.waiting,
        }
        if job.state in places:
            places[job.state].discard(job.number)
        if job.state == "running" and state != "running":
            worker = self.workers.get(job.worker)
            if worker is not None:
                worker.held.discard(job.number)
            job.worker, job.fence, job.asked_us, job.fan_out = -1, -1, None, 0
        if state in places:
            places[state].add(job.number)
        job.state = state
        self.moved.add(job.number)
        if job.has_failed_by(self.at_us):
            self.overdue.add(job.number)

    def _actual_value(self, pending: Pending) -> Any:
        return self._actual.get(id(pending), (None, None))[0]


def copied(new: NewJob, **changes: Any) -> NewJob:
    """A job to be like another one, but for some facts."""
    fields = {name: getattr(new, name) for name in NewJob.__struct_fields__}
    return NewJob(**(fields | changes))


def _request(new: NewJob) -> NewJob:
    """What a key stands for; a version only when it was asked for."""
    return copied(new, key=None, version=new.version if new.is_version_asked else 1, traceparent=None)
