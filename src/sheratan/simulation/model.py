"""A model of the engine, written without it: what must become of jobs, by the letter of the design.

It is given what the engine was given (commands in order, the two clocks) and says what every answer and every job
must be afterwards. It knows nothing of transactions, entries, windows or indexes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sheratan.contracts.code import versioned
from sheratan.contracts.limits import Limits
from sheratan.contracts.worker import Assignment
from sheratan.engine.commands import (
    ChangeState,
    DeriveState,
    EndSession,
    Heartbeat,
    LeaseJobs,
    Pending,
    RegisterWorker,
)
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_ledger import ModelLedger
from sheratan.simulation.model_state import SILENCE_US, Drawn, ModelJob, ModelWorker

__all__ = ["Model"]

_TIMERS_AT_ONCE: Final = 512


class Model(ModelLedger):
    """Jobs, runs, schedules, workers and queues, and how they change."""

    # ------------------------------------------------------------------------------------------------------------------
    # Batches

    def begin(self, at_us: int, monotonic_us: int, actual: dict[int, Any], drawn: Drawn) -> None:
        """A batch begins. `actual` are the engine's answers by pending; only what no model can know is taken from
        them: new ids and session numbers."""
        self.at_us, self.monotonic_us = at_us, monotonic_us
        self.moved.clear()
        self.overdue.clear()
        self.known = len(self.jobs)
        self.noted.clear()
        self.stops.clear()
        self.answers.clear()
        self._actual, self._seeds = actual, drawn.seeds
        self.made, self._firing_ids, self.new_parts = drawn.made, drawn.firing_ids, drawn.node_jobs
        self.run_turns = drawn.run_turns
        self.overdrawn_now, self.overspent_now = drawn.overdrawn, drawn.overspent
        self.pruned_now, self.pruned_runs_now = drawn.pruned, drawn.pruned_runs

    def decide(self, commands: Sequence[Pending], abandoned: set[int]) -> None:
        """Commands in order, then what time has brought, then who gets work; last the changes of the state."""
        changes = [pending for pending in commands if isinstance(pending.command, ChangeState | DeriveState)]
        others = [pending for pending in commands if pending not in changes]
        if self.is_halted:
            self._answer_all(others)
        else:
            self._decide(others, abandoned)
        self._answer_all(changes)

    def _decide(self, commands: Sequence[Pending], abandoned: set[int]) -> None:
        timed = [self.jobs[number] for number in (*self.scheduled, *self.waiting)]
        due = sorted((job.due_us, job.number) for job in timed)
        alarms, pieces, looks = sorted(self.alarms), self.candidates(), self.due_looks()
        firings = self.due_schedules()
        self.expire_transfers()
        for pending in commands:
            self._answer_all([pending])
            self.follow()
        self.go_on(pieces)
        self.look_at(looks, self.moved)
        self._end_overdrawn()
        self.end_overspent()
        is_behind = self._ring(due, alarms)
        self.fire(firings)
        self.follow()
        self._advance_runs()
        self.settle_charges()
        if not is_behind:
            self._dispatch(abandoned)
        self.prune()

    def _answer_all(self, commands: Sequence[Pending]) -> None:
        for pending in commands:
            try:
                answer = self._route(pending)
            except Refused as refusal:
                self.answers[id(pending)] = refusal
            else:
                if type(pending.command) is not LeaseJobs:
                    self.answers[id(pending)] = answer

    def start(self, limits: Limits) -> None:
        """A new engine: nobody is on duty, and what ran is lost."""
        self.limits, self.draining, self.started_us = limits, False, self.at_us
        if self.system != "operational":
            self.hit("state.outlasts")
        self.workers.clear()
        self.forget_looks()
        self.forget_code_looks()
        self.forget_turns()
        self.overdrawn.clear()
        self.overspent.clear()
        for number in sorted(self.running):
            self._lose(self.jobs[number])
        self.follow()
        self._advance_runs()
        self.settle_charges()

    def stop(self) -> None:
        """The engine stops."""
        for worker in [] if self.is_halted else list(self.workers.values()):
            self._lose_worker(worker)
        self.follow()
        self._advance_runs()
        self.settle_charges()
        self.draining = False

    def watch_anew(self, commands: Sequence[Pending], heard_us: int, monotonic_us: int, at_us: int) -> None:
        """A batch was not written: nothing of it has happened, and every attempt has its whole time again."""
        self.forget_turns()
        self.overdrawn.clear()
        self.overspent.clear()
        for pending in commands:
            command = pending.command
            worker = self.workers.get(command.session) if isinstance(command, LeaseJobs | Heartbeat) else None
            if worker is not None:
                worker.heard_us = heard_us
        self.forget_looks()
        self.forget_code_looks()
        for worker in self.workers.values():
            worker.waiting = None
        for number in self.running:
            job = self.jobs[number]
            job.begin(monotonic_us, at_us)
            job.asked_us = None if job.asked_us is None else monotonic_us

    def _route(self, pending: Pending) -> Any:
        command, self.whom = pending.command, pending.by.on_behalf_of
        self.check_heard(command)
        return getattr(self, f"_{type(command).__name__}")(pending, command)

    # ------------------------------------------------------------------------------------------------------------------
    # Workers

    def _RegisterWorker(self, pending: Pending, command: RegisterWorker) -> Any:  # noqa: N802 - the command's name
        declared = self.declared_anew(command.registration.kinds)
        session = self._actual_value(pending)
        if not isinstance(session, int) or session in self.workers:
            raise Refused("a new session's number")
        offers = {versioned(kind.name, kind.version): kind.code for kind in command.registration.kinds}
        collects = {
            versioned(kind.name, kind.version): (
                kind.collect.jobs_max,
                round(kind.collect.wait_seconds * 1e6),
            )
            for kind in command.registration.kinds
            if kind.collect is not None
        }
        self.workers[session] = ModelWorker(
            session, offers, self.monotonic_us, collects, command.registration.name
        )
        self.look_again(offers)
        for kind in declared:
            self.declare(kind)
        return session

    def _heard_of(self, session: int) -> ModelWorker:
        worker = self.workers.get(session)
        if worker is None:
            raise Refused("not_found")
        worker.heard_us = self.monotonic_us
        return worker

    def _LeaseJobs(self, pending: Pending, command: LeaseJobs) -> None:  # noqa: N802 - the command's name
        worker = self._heard_of(command.session)
        if worker.waiting is not None:
            self.hit("lease.replaced")
            self.answers[id(worker.waiting)] = []
        worker.waiting, worker.free_slots = pending, command.slots

    def _Heartbeat(self, pending: Pending, command: Heartbeat) -> None:  # noqa: N802 - the command's name
        self._heard_of(command.session).breakers = command.breakers

    def _EndSession(self, pending: Pending, command: EndSession) -> None:  # noqa: N802 - the command's name
        worker = self.workers.get(command.session)
        if worker is not None:
            self._lose_worker(worker)

    def _lose_worker(self, worker: ModelWorker) -> None:
        del self.workers[worker.session]
        self.look_again(worker.offers)
        if worker.waiting is not None:
            self.answers[id(worker.waiting)] = []
        for number in sorted(worker.held):
            self._lose(self.jobs[number])

    # ------------------------------------------------------------------------------------------------------------------
    # Time

    def _ring(self, due: list[tuple[int, int]], alarms: list[tuple[int, int]]) -> bool:
        """Do what time has brought; of delays and alarms only those that were set before this batch.

        Returns whether there may be more.
        """
        self.is_ringing = True
        self._end_overdue()
        for worker in list(self.workers.values()):
            if self.monotonic_us - worker.heard_us > SILENCE_US:
                self.hit("timeout.session")
                self._lose_worker(worker)
        for due_us, number in [one for one in due if one[0] <= self.at_us][:_TIMERS_AT_ONCE]:
            if number not in self.moved:
                self._due(self.jobs[number], due_us)
        is_behind = self._ring_alarms(alarms)
        self.is_ringing = False
        self.free_children()
        return is_behind

    def _ring_alarms(self, alarms: list[tuple[int, int]]) -> bool:
        rung = [one for one in alarms if one[0] <= self.at_us][:_TIMERS_AT_ONCE]
        for alarm in rung:
            self.alarms.discard(alarm)
            self._waited(self.jobs[alarm[1]])
        for number in sorted(self.overdue):
            self.exceed(self.jobs[number])
        return len(rung) == _TIMERS_AT_ONCE

    def _due(self, job: ModelJob, due_us: int) -> None:
        if job.state == "waiting":
            self._wake(job)
            return
        job.since_us = due_us
        if job.attempt == 1:
            self._queue_first(job)
        else:
            self._move(job, "queued")

    def _end_overdue(self) -> None:
        for job in [self.jobs[number] for number in self.running]:
            if job.deadline_us > self.monotonic_us:
                continue
            reason = "timeout" if job.asked_us is None else "cancel"
            self.stops.append((job.number, job.fence, reason))
            if job.asked_us is not None:
                self.hit("timeout.cancel")
                self._end(job, "cancelled", job.attempt)
            else:
                self.hit("deadline.running" if job.has_failed_by(self.at_us) else "timeout.run")
                self.noted["job.timed_out"] += 1
                self._failed(job, "timeout")

    def _waited(self, job: ModelJob) -> None:
        limit_us = job.wanted.queue_timeout_us
        if job.has_failed_by(self.at_us):
            self.exceed(job)
        elif job.state == "queued" and job.attempt == 1:
            if self.at_us - job.since_us < limit_us:
                self.hit("timeout.queue_kept")
                self.limit_wait(job)
            else:
                self.hit("timeout.queue")
                job.error_class = "timeout"
                self._end(job, "failed", 0)

    # ------------------------------------------------------------------------------------------------------------------
    # Work

    def _dispatch(self, abandoned: set[int]) -> None:
        """Workers that wait are served, the least busy first: urgent jobs first, then the oldest."""
        if not self.starts_jobs or not self.ready:
            return
        waiting = []
        for worker in self.workers.values():
            if worker.waiting is not None and id(worker.waiting) in abandoned:
                self.hit("lease.abandoned")
                worker.waiting = None
            if worker.waiting is not None:
                waiting.append(worker)
        for worker in sorted(waiting, key=lambda one: len(one.held)):
            room = self.limits.running_jobs_max - len(self.running)
            if room <= 0:
                self.hit("lease.no_room")
                return
            self._serve(worker, room)

    def _end_overdrawn(self) -> None:
        """Jobs that were to start end where an attempt could go over their own budget."""
        for job in [self.jobs[number] for number in sorted(self.overdrawn)]:
            if job.state == "queued" and self.is_overdrawn(job):
                self.hit("job_budget.not_started")
                job.error_class = "fatal"
                self._end(job, "failed", job.attempt - 1)
        self.overdrawn.clear()

    def _are_overdrawn(self, chosen: list[ModelJob], *, is_given: bool) -> bool:
        """Whether some of these jobs are to end instead of being started; then nobody gets any."""
        found = {job.number for job in chosen if self.is_overdrawn(job)}
        if self.short_windows:
            # Only a part of the ready jobs is in memory: it may be fewer, if it was any.
            found = set() if is_given else found & self.overdrawn_now
        self.overdrawn |= found
        return bool(found)

    def _fence_of(self, given: list[Assignment], chosen: list[ModelJob]) -> int:
        """What an engine that has given something has called it by."""
        if not given:
            raise Refused(f"a lease of the jobs {[job.number for job in chosen]}")
        if given[0].fence <= self.last_fence:
            raise Refused("a fence above all earlier ones")
        self.last_fence = given[0].fence
        return self.last_fence

    def _serve(self, worker: ModelWorker, room: int) -> None:
        slots = min(worker.free_slots, self.limits.lease_jobs_max)
        chosen = self.choose(worker, min(slots, room))
        given: list[Assignment] = self._actual.get(id(worker.waiting), (None, None))[0] or []
        if self._are_overdrawn(chosen, is_given=bool(given)):
            return
        chosen = self.within_runs(chosen)
        if len(given) < len(chosen) and self.short_windows:
            # Only a part of the ready jobs is in memory, in order: fewer may be given, never others.
            self.hit("lease.short_window")
            chosen = chosen[: len(given)]
        if not chosen:
            return
        fence = self._fence_of(given, chosen)
        self.note_start(chosen)
        for job in chosen:
            self._move(job, "running")
            job.worker, job.fence, job.asked_us = worker.session, fence, None
            job.begin(self.monotonic_us, self.at_us)
            worker.held.add(job.number)
        self.charge_starts(chosen, worker.name)
        self.answers[id(worker.waiting)] = [
            (
                job.number,
                job.attempt,
                fence,
                job.wanted.kind,
                job.wanted.queue,
                job.wanted.input,
                len(job.steps),
                job.wanted.version,
                self.charge_max(job),
                job.traceparent,
                job.limit_us,
            )
            for job in chosen
        ]
        worker.waiting = None
