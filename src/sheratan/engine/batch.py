"""One batch in the making: the unit that will be committed, and the memory that already shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from sheratan.ambient.randomness import Randomness
from sheratan.contracts.errors import SheratanError
from sheratan.contracts.ids import JobId, look_up_job_id
from sheratan.contracts.jobs import JobError
from sheratan.contracts.worker import StopRequest
from sheratan.engine.billing_state import attempt_succeeded
from sheratan.engine.commands import NewStep, Pending
from sheratan.engine.ids import Trace, absent, job_id
from sheratan.engine.state import Held, Session, State, held_anew
from sheratan.kernel.canonical import digest
from sheratan.kernel.dead_letters import POISON
from sheratan.store.approval_rows import ApprovalAct, ApprovalRow
from sheratan.store.billing_rows import OpenCharge
from sheratan.store.partition_rows import PartitionRow, lane_in, partition_of
from sheratan.store.rows import (
    TIMER_WAIT,
    Blocked,
    FailedRow,
    JobRow,
    Lease,
    Location,
    Ready,
    Result,
    SignalRow,
    Timer,
    WaitKey,
    WaitRow,
    wait_key,
)
from sheratan.store.run_rows import RunResult
from sheratan.store.unit import Unit

__all__ = ["Batch"]


class Batch:
    """What the commands of one batch share. Nothing here is durable, or answered, before the commit."""

    def __init__(self, state: State, unit: Unit, randomness: Randomness, monotonic_us: int) -> None:
        self.state = state
        self.unit = unit
        self.randomness = randomness
        self.monotonic_us = monotonic_us
        self.at_us = unit.at_us
        """The recorded instant of everything in this batch."""
        self.answers: list[tuple[Pending, Any, SheratanError | None]] = []
        self.stops: list[tuple[Session, StopRequest]] = []
        self.refused: list[tuple[Pending, SheratanError]] = []
        self.leased: list[Ready] = []
        """Jobs that attempts of this batch have taken, as they were before."""
        self.ended: list[tuple[JobRow, Result]] = []
        self.overdue = set[int]()
        """Jobs that went somewhere although their deadline is over."""
        self.parents_lost: set[int] = set()
        """Jobs that ended without success, and may have spawned others."""
        self.runs_ended: list[RunResult] = []
        self.transitions: list[tuple[int, Callable[[], bool]]] = []
        """Changes of the system's state that are asked for: the place of the answer, and what decides it."""
        self.more = False
        """Whether there is more to do as soon as this batch is committed."""
        self.started: list[OpenCharge] = []
        """What attempts may cost that this batch starts, and has not reserved yet."""
        self.spoken_for = defaultdict[tuple[str, str], int](int)
        """How much that is, by tenant and unit."""
        self.unsettled: list[OpenCharge] = []
        """What was reserved for attempts that this batch ends, and is not settled yet."""
        self.succeeded: dict[int, bool] = {}
        """By job, whether those of them have succeeded that did so, or have failed by themselves."""
        self.charged = defaultdict[tuple[int, str], int](int)
        self.takings = defaultdict[tuple[int, str], int](int)
        """What attempts that this batch ends are charged, in each unit: by job, and by lane."""
        self.reported: dict[int, int] = {}
        """What attempts have said that they have cost, by job."""
        self.steps_run: list[tuple[Held, NewStep]] = []
        """Steps that attempts have run, each with the lease under which it was recorded."""
        self.rang = False
        """Whether timers rang, so that the earliest one has to be looked up again."""
        self.is_behind = False
        """Whether more was due than rings in one batch: then jobs may be ready whose deadline is over."""
        self.fired = False
        """Whether schedules were looked at, so that the next firing has to be looked up again."""
        self.expired = False
        """Whether pending transfers were looked at, so that the next expiry has to be looked up again."""
        self._new_jobs: dict[int, JobRow] = {}
        self._new_ids: dict[int, JobId] = {}

    def add_job(self, job: JobRow) -> JobId:
        """Take up a new job, which still has to be placed, and return its id."""
        self._new_ids[job.number] = public_id = job_id(job)
        self.unit.jobs.append(job)
        self._new_jobs[job.number] = job
        self.state.remember(job)
        return public_id

    def job(self, number: int) -> JobRow:
        """A job that exists."""
        held = self.state.held.get(number)
        if held is not None:
            return held.job
        return self.jobs([number])[number]

    def jobs(self, numbers: list[int]) -> dict[int, JobRow]:
        """Jobs that exist, by number."""
        found: dict[int, JobRow] = {}
        missing: list[int] = []
        for number in numbers:
            job = self.state.cached.get(number) or self._new_jobs.get(number)
            if job is None:
                missing.append(number)
            else:
                found[number] = job
        if missing:
            found.update((job.number, job) for job in self.state.store.jobs(missing))
        return found

    def has_ended(self, numbers: Collection[int]) -> set[int]:
        """Those of these jobs that have ended, as of this batch."""
        here = {number for number in numbers if type(self.unit.location(number)) is Result}
        return here | self.state.store.ended(numbers)

    def find_job(self, text: str) -> JobRow:
        """The job with a public id, or NotFound."""
        number = look_up_job_id(text).number
        held = self.state.held.get(number)
        job = held.job if held is not None else self.jobs([number]).get(number)
        if job is not None and job_id(job) == text:
            return job
        raise absent(self.state.store, text)

    def trace(self, number: int) -> Trace:
        """What is known of a job that exists, or that was pruned."""
        job = self.jobs([number]).get(number)
        if job is not None:
            return Trace(job_id(job), job.created_us, job.submitted_by)
        left = self.state.store.remains([number])[0]
        return Trace(left.id, left.created_us, left.submitted_by)

    def locate(self, job: JobRow) -> Location:
        """Where a job is, as of this batch."""
        here = self.unit.location(job.number)
        if here is not None:
            return here
        held = self.state.held.get(job.number)
        if held is not None:
            return held.lease
        location = self.state.find_ready(job) or self.state.store.location(job.number)
        assert location is not None, "a committed job is always in a location"
        return location

    def place(self, job: JobRow, before: Location | None, after: Location) -> None:
        """Take a job from one location to another: in the unit, and in memory."""
        self.unit.move(before, after)
        if job.deadline_us and job.deadline_us <= self.at_us:
            self.overdue.add(job.number)
        if before is not None:
            self._leave(before, after)
        self._enter(job, before, after)

    def set_alarm(self, number: int, due_us: int) -> None:
        """Look at a job at an instant."""
        self.unit.alarms.append((due_us, number))
        self.state.note_due(due_us)

    def waits(self, number: int) -> list[WaitRow]:
        """What the handler of a job waits for, as of this batch."""
        changed = self.unit.waits
        rows = [row for row in self.state.store.waits(number) if changed.get(row, True)]
        return rows + [row for row, stays in changed.items() if stays and row.number == number]

    def awaited_left(self, wait: WaitKey) -> int:
        """How many of the jobs that a wait waits for have not ended, as of this batch."""
        changes = self.unit.awaited.get(wait, {})
        begun = sum(changes.values())
        return self.state.store.awaited_left(wait) + begun - (len(changes) - begun)

    def who_awaits(self, ended: Collection[int]) -> list[tuple[WaitKey, int]]:
        """The waits that wait for one of these jobs, each with that job, as of this batch."""
        changed = self.unit.awaited
        stored = [(wait_key(row), row.awaited) for row in self.state.store.who_awaits(ended)]
        found = [(key, number) for key, number in stored if changed.get(key, {}).get(number, True)]
        for key, jobs in changed.items():
            found += [(key, number) for number in jobs.keys() & set(ended) if jobs[number]]
        return found

    def await_no_more(self, wait: WaitKey, job: int) -> None:
        """A wait does not wait for a job any more, which has ended or is of no use."""
        changes = self.unit.awaited.setdefault(wait, {})
        if changes.get(job):
            del changes[job]
        else:
            changes[job] = False

    def end_wait(self, wait: WaitRow) -> None:
        """A wait is over, or nobody waits any more."""
        self.unit.waits[wait] = False
        if wait.what == "jobs":
            key = wait_key(wait)
            stored = [row.awaited for row in self.state.store.awaited_by(wait.number) if row[:3] == key]
            self.unit.awaited[key] = dict.fromkeys(stored, False)

    def signals_of(self, number: int) -> list[SignalRow]:
        """The signals that a job has not received, as of this batch."""
        changed = self.unit.signals
        rows = [row for row in self.state.store.signals(number) if changed.get(row, True)]
        return rows + [row for row, stays in changed.items() if stays and row.number == number]

    def approval(self, entry: int) -> ApprovalRow | None:
        """A request for approval, as of this batch."""
        return self.unit.approvals.get(entry) or self.state.store.approval(entry)

    def approvals_of(self, number: int) -> list[ApprovalRow]:
        """The requests for approval of a job, as of this batch."""
        rows = {row.entry: row for row in self.state.store.approvals_of(number)}
        rows |= {entry: row for entry, row in self.unit.approvals.items() if row.number == number}
        return list(rows.values())

    def approval_acts(self, entry: int) -> list[ApprovalAct]:
        """What was done with a request for approval, as of this batch."""
        fresh = [act for act in self.unit.approval_acts if act.approval == entry]
        return [*self.state.store.approval_acts(entry), *fresh]

    def partition(self, tenant: str, name: str) -> int:
        """The number of a partition, which it gets when it is new."""
        known, parts = self.unit.partitions.names.get((tenant, name)), self.state.partitions
        number = known.number if known is not None else parts.find(tenant, name)
        if number is None:
            number, parts.next_number = parts.next_number, parts.next_number + 1
            self.unit.partitions.names[tenant, name] = PartitionRow(number, tenant, name)
            parts.remember(number, tenant, name)
        return number

    def partition_name(self, number: int) -> str:
        """The name of a partition, as of this batch."""
        fresh = (row.name for row in self.unit.partitions.names.values() if row.number == number)
        return next(fresh, None) or self.state.partitions.name(number)

    def partition_of(self, job: JobRow) -> str | None:
        """The name of a job's partition, if it has one."""
        number = partition_of(job.lane)
        return self.partition_name(number) if number else None

    def is_queued(self, lane: tuple[str, str, str, int], name: str) -> bool:
        """Whether a partition of a lane has ready jobs."""
        known, row = self.state.lanes.get(lane), self.unit.partitions.names.get((lane[0], name))
        number = row.number if row else self.state.partitions.find(lane[0], name)
        if known is None or number is None:
            return False
        return lane_in(known.lane, number) in self.state.windows

    def tags(self, number: int) -> tuple[str, ...]:
        """The tags of a job, as of this batch."""
        fresh = tuple(row.tag for row in self.unit.tags if row.number == number)
        return fresh or tuple(self.state.store.tags(number))

    def body(self, inline: bytes | None, payload: bytes | None) -> bytes:
        """A value that a row holds, or keeps apart under its SHA-256, as of this batch."""
        if payload is None:
            return inline or b"null"
        fresh = self.unit.payloads.get(payload)
        return self.state.store.payload(payload) if fresh is None else fresh

    def is_dead_letter(self, number: int) -> bool:
        """Whether a job has failed and was neither replayed nor discarded, as of this batch."""
        known = self.unit.dead_letters.get(number)
        return self.state.store.is_dead_letter(number) if known is None else known

    def is_quarantined(self, number: int) -> bool:
        """Whether a job has failed because its workers were lost while they ran it, as of this batch."""
        fresh = any(row.number == number and row.error_class == POISON for row in self.unit.failed)
        return fresh or self.state.store.is_quarantined(number)

    def bury(self, number: int, error: JobError) -> None:
        """A job has failed: it is a dead letter, and can be found by its error."""
        self.unit.failed.append(FailedRow(error.error_class, number))
        self.unit.failure_texts.append((number, error.type, error.message))
        self.unit.dead_letters[number] = True

    def unbury(self, number: int) -> None:
        """A job is a dead letter no more."""
        if self.unit.dead_letters.get(number):
            # It has become one in this very batch.
            del self.unit.dead_letters[number]
        else:
            self.unit.dead_letters[number] = False

    def keep(self, body: bytes) -> tuple[bytes | None, bytes | None]:
        """What a row says of a value: the value or, when it is large, the SHA-256 under which it is kept apart."""
        if len(body) <= self.state.limits.inline_bytes_max:
            return body, None
        payload = bytes.fromhex(digest(body))
        self.unit.payloads[payload] = body
        return None, payload

    def outputs(self, numbers: Sequence[int]) -> Iterator[bytes]:
        """The outputs of jobs that have succeeded, in this order, read as they are asked for."""
        found = {number: self.unit.location(number) for number in numbers}
        missing = [number for number, place in found.items() if place is None]
        if missing:
            found.update((row.number, row) for row in self.state.store.results(missing))
        for number in numbers:
            row = found[number]
            assert type(row) is Result
            yield self.body(row.output, row.payload)

    def ask_to_stop(self, lease: Lease, request: StopRequest) -> None:
        """Tell the worker that holds a lease, once this batch is committed."""
        session = self.state.sessions.get(lease.session)
        if session is not None:
            self.stops.append((session, request))

    def _end(self, job: JobRow, before: Location | None, after: Result) -> None:
        state = self.state
        self.ended.append((job, after))
        state.cached.pop(after.number, None)
        if self._may_wait(before, after.number):
            self._forget_waits(after.number)
            if after.state != "succeeded":
                self.parents_lost.add(after.number)
            for code in state.blocking.pop(after.number, ()):
                self._allow_code(after.number, code)

    def _may_wait(self, before: Location | None, number: int) -> bool:
        """Whether there may be waits or signals of a job: a handler that was woken has recorded what it waited for."""
        if number in self.state.signalled or number in self.state.blocking or getattr(before, "steps", 0):
            return True
        return type(before) is Timer and before.what == TIMER_WAIT

    def _forget_waits(self, number: int) -> None:
        """A job has ended: what its handler waited for, and signals that it has not received, are of no use."""
        for wait in self.waits(number):
            self.end_wait(wait)
        for sent in self.signals_of(number):
            self.unit.signals[sent] = False
        self.state.signalled.discard(number)

    def _allow_code(self, number: int, code: str) -> None:
        """A job has ended, so it does not matter any more what code has blocked it."""
        if self.unit.blocking.get((number, code)):
            # It has been blocked by it in this very batch.
            del self.unit.blocking[number, code]
        else:
            self.unit.blocking[number, code] = False

    def _leave(self, before: Location, after: Location) -> None:
        state = self.state
        if type(before) is Ready:
            state.remove_ready(before)
        elif type(before) is Lease:
            if type(after) is not Lease:
                state.release(before.number)
                if state.billing.open:
                    self._end_charge(before, after)
                session = state.sessions.get(before.session)
                if session is not None:
                    session.held.discard(before.number)
        elif type(before) is Blocked:
            state.blocked -= 1

    def _end_charge(self, before: Lease, after: Location) -> None:
        """An attempt has ended: what was reserved for it is to be settled."""
        number = before.number
        charge = self.state.billing.open.pop(number, None)
        if charge is None:
            return
        self.unsettled.append(charge)
        succeeded = attempt_succeeded(before, after)
        if succeeded is not None:
            self.succeeded[number] = succeeded

    def _enter(self, job: JobRow, before: Location | None, after: Location) -> None:
        state = self.state
        if type(after) is Ready:
            state.add_ready(after)
        elif type(after) is Lease:
            known = state.held.get(after.number)
            if known is None:
                public_id = self._new_ids.get(after.number) or job_id(job)
                state.hold(held_anew(after, job, public_id, self.monotonic_us, self.at_us))
            else:
                asked_us = known.asked_us
                if asked_us is None and after.cancel_us:
                    asked_us = self.monotonic_us
                state.hold(replace(known, lease=after, asked_us=asked_us))
        elif type(after) is Result:
            self._end(job, before, after)
        elif type(after) is Timer:
            state.note_due(after.due_us)
        else:
            state.blocked += 1
