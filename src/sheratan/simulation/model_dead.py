"""The part of the model that knows what people do with jobs that are there, one by one and in bulk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sheratan.contracts.filters import JobFilter
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import Cancel, Discard, NewJob, Pending, Replay, RetryJob, StartBulk
from sheratan.simulation.model_jobs import ModelJobs, Refused, copied
from sheratan.simulation.model_state import TERMINAL, ModelJob

__all__ = ["ModelBulk", "ModelDead"]

_END_US: Final = 2**62


@dataclass
class ModelBulk:
    """A bulk operation: up to `looked` it has looked at all jobs; `last` is the last one that it was done to."""

    command: StartBulk
    whom: str
    until: int
    looked: int = 0
    last: int = 0
    done: int = 0
    is_over: bool = False


class ModelDead(ModelJobs):
    """Dead letters and bulk operations."""

    def __init__(self, limits: Limits, hit: Callable[[str], None], *, short_windows: bool) -> None:
        super().__init__(limits, hit, short_windows=short_windows)
        self.bulks: dict[int, ModelBulk] = {}
        self.made: list[str] = []
        """The ids of the jobs that bulk operations have made in the batch, in order; no model can know them."""

    @property
    def open_bulks(self) -> list[ModelBulk]:
        """Those that go on."""
        return [bulk for bulk in self.bulks.values() if not bulk.is_over]

    def forget_looks(self) -> None:
        """What is not stored is lost: each goes on after the last job that it was done to."""
        for bulk in self.open_bulks:
            bulk.looked = bulk.last

    # ------------------------------------------------------------------------------------------------------------------
    # One job

    def _Cancel(self, pending: Pending, command: Cancel) -> str:  # noqa: N802 - the command's name
        return self._cancel(self._job(command.id))

    def _cancel(self, job: ModelJob) -> str:
        if job.state in TERMINAL:
            raise Refused("already_ended")
        if job.state == "running":
            if job.asked_us is None:
                job.asked_us = self.monotonic_us
            self.moved.add(job.number)
            self.noted["job.cancel_requested"] += 1
            self.stops.append((job.number, job.fence, "cancel"))
            return "requested"
        attempt = job.attempt - (job.state != "waiting")
        self._end(job, "cancelled", attempt)
        return "cancelled"

    def _RetryJob(self, pending: Pending, command: RetryJob) -> Any:  # noqa: N802 - the command's name
        return self._retry_job(self._job(command.id), command.poison, lambda: self._actual_value(pending))

    def _retry_job(self, job: ModelJob, poison: bool, made: Callable[[], Any]) -> str:
        if job.state not in TERMINAL:
            raise Refused("conflict")
        if job.is_quarantined and not poison:
            self.hit("dead.poison_refused")
            raise Refused("conflict")
        self.hit("run.again")
        return self._run_again(job, None, made)

    def _Replay(self, pending: Pending, command: Replay) -> Any:  # noqa: N802 - the command's name
        job = self._job(command.id)
        return self._replay(job, command.edited, command.poison, lambda: self._actual_value(pending))

    def _replay(self, job: ModelJob, edited: NewJob | None, poison: bool, made: Callable[[], Any]) -> str:
        if not job.is_dead:
            self.hit("dead.gone")
            raise Refused("conflict")
        if job.is_quarantined and not poison:
            self.hit("dead.poison_refused")
            raise Refused("conflict")
        self.hit("dead.edited" if edited else "dead.replayed")
        return self._run_again(job, edited, made)

    def _run_again(self, job: ModelJob, edited: NewJob | None, made: Callable[[], Any]) -> str:
        changes = {"key": None, "after": (), "delay_us": 0, "criticality": "normal"}
        new = edited or copied(job.wanted, traceparent=job.traceparent, **changes)
        lanes = self.lanes | {(new.queue, new.kind, new.version)}
        if len(lanes) > max(self.limits.queues_max, len(self.lanes)):
            raise Refused("limit_reached")
        if made != self._next_made:
            # A bulk operation goes on with the others.
            self.check_budget(new)
        self._check_admission(new, 0)
        public_id = made()
        if not isinstance(public_id, str):
            raise Refused("a new job's id")
        if job.is_dead:
            if job.is_quarantined:
                self.hit("dead.poison_released")
            job.is_dead = False
            self.noted["job.replayed"] += 1
        return self._add(new, public_id, None, job.number).id

    def _Discard(self, pending: Pending, command: Discard) -> Any:  # noqa: N802 - the command's name
        self._discard(self._job(command.id))
        entry = self._actual_value(pending)
        if not isinstance(entry, int):
            raise Refused("the number of an entry")
        return entry

    def _discard(self, job: ModelJob) -> None:
        if not job.is_dead:
            self.hit("dead.gone")
            raise Refused("conflict")
        self.hit("dead.discarded")
        job.is_dead = False
        self.noted["job.discarded"] += 1

    # ------------------------------------------------------------------------------------------------------------------
    # Many jobs

    def _StartBulk(self, pending: Pending, command: StartBulk) -> Any:  # noqa: N802 - the command's name
        if len(self.open_bulks) >= self.limits.bulk_open_max:
            self.hit("bulk.too_many")
            raise Refused("limit_reached")
        entry = self._actual_value(pending)
        if not isinstance(entry, int) or entry in self.bulks:
            raise Refused("the number of an entry")
        self.noted["bulk.started"] += 1
        self.bulks[entry] = ModelBulk(command, pending.by.on_behalf_of, len(self.jobs) + 1)
        return entry

    def candidates(self) -> list[tuple[ModelBulk, list[ModelJob], int]]:
        """What is meant by the next piece of each bulk operation, as of now, and up to where it has looked then."""
        bulks = self.open_bulks
        return [self._candidates(bulk, max(1, self.limits.bulk_jobs_max // len(bulks))) for bulk in bulks]

    def _candidates(self, bulk: ModelBulk, share: int) -> tuple[ModelBulk, list[ModelJob], int]:
        if bulk.command.limit is not None:
            share = min(share, bulk.command.limit - bulk.done)
        below = min(bulk.looked + self.limits.bulk_look_jobs_max + 1, bulk.until)
        jobs = [self.jobs[number] for number in range(bulk.looked + 1, below)]
        meant = [job for job in jobs if _is_meant(job, bulk.command)][:share]
        return bulk, meant, meant[-1].number if len(meant) == share else below - 1

    def go_on(self, pieces: Iterable[tuple[ModelBulk, Sequence[ModelJob], int]]) -> None:
        """Do the pieces, unless the system's state defers that."""
        for bulk, jobs, looked in pieces if self.keeps_up else []:
            is_refused = self._is_refused(bulk, jobs)
            bulk.looked = looked
            is_full = bulk.command.limit is not None and bulk.done >= bulk.command.limit
            if is_refused or is_full or looked >= bulk.until - 1:
                self.hit(f"bulk.{bulk.command.action}")
                self.noted["bulk.ended"] += 1
                bulk.is_over = True
            else:
                self.hit("bulk.goes_on")

    def _is_refused(self, bulk: ModelBulk, jobs: Sequence[ModelJob]) -> bool:
        """Do it to jobs, in order; whether one was refused, which ends it."""
        self.whom = bulk.whom
        for job in jobs:
            try:
                done = self._do(bulk.command, job)
            except Refused as refusal:
                if refusal.code != "limit_reached":
                    raise
                self.hit("bulk.stopped")
                return True
            self.follow()
            if done:
                bulk.last, bulk.done = job.number, bulk.done + 1
        return False

    def _do(self, command: StartBulk, job: ModelJob) -> bool:
        """Whether something was done to a job; not, where this batch has made it pointless."""
        if command.action == "cancel":
            if job.state in TERMINAL or job.asked_us is not None:
                return False
            self._cancel(job)
        elif command.action == "retry":
            self._retry_job(job, command.poison, self._next_made)
        elif not job.is_dead:
            return False
        elif command.action == "replay":
            self._replay(job, None, command.poison, self._next_made)
        else:
            self._discard(job)
        return True

    def _next_made(self) -> str | None:
        return self.made.pop(0) if self.made else None


def _is_meant(job: ModelJob, command: StartBulk) -> bool:
    if command.action == "cancel":
        stands = job.state not in TERMINAL
    elif command.action == "retry":
        stands = job.state in TERMINAL and not job.is_pruned
    else:
        stands = job.is_dead
    if command.action in ("retry", "replay") and job.is_quarantined and not command.poison:
        return False
    return stands and _is_as_asked(job, command.filter)


def _is_as_asked(job: ModelJob, wanted: JobFilter) -> bool:
    facts = (
        (wanted.state, job.state),
        (wanted.kind, job.wanted.kind),
        (wanted.queue, job.wanted.queue),
        (wanted.partition, job.wanted.partition),
        (wanted.error_class, job.error_class if job.state == "failed" else None),
    )
    if any(asked not in (None, fact) for asked, fact in facts):
        return False
    until_us = _END_US if wanted.created_until_us is None else wanted.created_until_us
    if not (wanted.created_from_us or 0) <= job.created_us < until_us:
        return False
    if wanted.tag is not None and wanted.tag not in job.wanted.tags:
        return False
    # Clients look for ids and keys; the words of errors are for the tests of the search.
    return wanted.text in (None, job.id, job.wanted.key)
