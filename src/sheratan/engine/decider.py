"""The decider: a batch of commands becomes one transaction. Synchronous, single-threaded, no clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sheratan.ambient.clock import Clock
from sheratan.ambient.randomness import Randomness
from sheratan.contracts.errors import SheratanError
from sheratan.contracts.journal import EntryType
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import ENGINE
from sheratan.engine import (
    billing,
    bulk,
    code,
    firings,
    job_budgets,
    ledger,
    retention,
    run_budgets,
    startup,
    system,
    timers,
    workers,
)
from sheratan.engine.advance import advance_runs
from sheratan.engine.batch import Batch
from sheratan.engine.commands import LeaseJobs, Pending
from sheratan.engine.dispatch import dispatch
from sheratan.engine.follow import follow
from sheratan.engine.handlers import decide_one
from sheratan.engine.ids import job_id
from sheratan.engine.state import Session, State, held_anew, newest_leases
from sheratan.store.port import Store
from sheratan.store.rows import JobRow, Lease
from sheratan.store.unit import Unit

__all__ = ["Decider", "Outage"]

_CLOCK_STEP_US_MAX = 1_000_000
_PROBE_US: Final = 1_000_000
"""How often an engine that could not commit tries to, when nobody asks for anything."""

_LOOK_US: Final = 60_000_000
"""A schedule goes by the wall clock, and nobody says when that is set forward: so it is looked at once a minute."""


class Outage(NamedTuple):
    """A time in which no batch could be committed: why, since when, how many commands were refused for it."""

    reason: str
    since_us: int
    refused: int


class _Undo(NamedTuple):
    """A batch, and what was before it that the database does not know."""

    batch: Batch | None
    offset_us: int
    sessions: dict[int, Session]
    fan_out: dict[int, int]


def _forget_entries(session: Session, lost: Batch | None) -> None:
    """Go back to the last entry about a worker that was written."""
    entries = {entry.seq: entry for entry in lost.unit.entries} if lost else {}
    while session.entry in entries:
        previous = entries[session.entry].previous
        assert previous is not None, "a worker that was on duty before has an entry that says so"
        session.entry = previous


class Decider:
    """Decides batches over the state of one shard.

    `decide` changes memory and returns a batch whose unit must then be committed; `committed` or `failed` says
    how that went. After a failed commit the memory is thrown away and read again from the database.
    """

    def __init__(self, store: Store, clock: Clock, randomness: Randomness, limits: Limits) -> None:
        self.store = store
        self.clock = clock
        self._randomness = randomness
        self.limits = limits
        self.state = State(store, limits)
        self.look_us = _LOOK_US
        """How long the wall clock may go without being looked at while there are schedules."""
        self.outage: Outage | None = None
        """What has kept the last batch from being committed, and passes by itself; None once one is committed."""
        self._at_us = max(clock.now_us(), self.state.head.at)
        self._monotonic_us = clock.monotonic_us()
        self._offset_us = clock.now_us() - self._monotonic_us
        self._undo = _Undo(None, self._offset_us, {}, {})

    def start(self, version: str) -> Batch:
        """Take over the shard."""
        shard = self.store.take_over()
        # A step of the clock between opening and starting belongs to no engine's time.
        self._offset_us = self.clock.now_us() - self.clock.monotonic_us()
        batch = self._begin()
        startup.start(batch, version, shard.epoch, self.limits)
        advance_runs(batch, follow(batch, 0))
        billing.settle_charges(batch)
        batch.unit.engine_entry = self.state.engine_entry
        return batch

    def stop(self) -> Batch:
        """Say that the engine stops; clean when nothing is left running."""
        batch = self._begin()
        # While the system is halted nothing is decided about their jobs: the next engine does that.
        for session in list(self.state.sessions.values()) if self.state.allowed.settle == "allow" else ():
            workers.lose_worker(batch, session, reason="the engine stopped")
        advance_runs(batch, follow(batch, 0))
        billing.settle_charges(batch)
        system.lift_draining(batch)
        data = {"running": len(self.state.held)}
        self._note(batch.unit, "engine.stopped", data)
        batch.unit.clean = True
        batch.unit.engine_entry = self.state.engine_entry
        return batch

    def halt(self, reason: str) -> Batch:
        """Say that the engine has halted, and why: nothing is decided from here on."""
        batch = self._begin()
        system.halt(batch, reason)
        batch.unit.engine_entry = self.state.engine_entry
        return batch

    def decide(self, commands: Sequence[Pending]) -> Batch:
        """Decide commands in order, then whatever time has brought, then who gets work."""
        # First, so that a refill that fails does not undo the batch before, which is committed.
        batch = self._begin()
        if self.state.allowed.settle != "allow":
            return _decide_halted(batch, commands)
        self.state.refill()
        done, bulks, looks = 0, list(self.state.bulks), self.state.take_looks()
        if self.state.ledger.is_due(batch.at_us):
            # First, so that what is free again can be had by what is asked for now.
            ledger.expire(batch)
        for pending in commands:
            decide_one(batch, pending)
            if done < len(batch.ended):
                done = follow(batch, done)
        if bulks:
            done = bulk.go_on(batch, bulks, done)
        if looks:
            code.look(batch, looks)
        if self.state.billing.overdrawn:
            job_budgets.end_overdrawn(batch)
        if self.state.billing.overspent:
            run_budgets.end_overspent(batch)
        timers.ring(batch)
        # First, so that a firing is let in by what stands in the queues then.
        done = follow(batch, done)
        firings.fire(batch)
        advance_runs(batch, follow(batch, done))
        billing.settle_charges(batch)
        dispatch(batch)
        billing.reserve(batch)
        retention.prune(batch)
        if batch.transitions:
            system.change_states(batch)
        batch.unit.engine_entry = self.state.engine_entry
        return batch

    def committed(self, batch: Batch) -> None:
        """The batch is durable: go on from its end."""
        self.outage = None
        self.state.head = batch.unit.end
        self.state.next_number = batch.unit.next_number
        if batch.rang:
            self.state.next_due_us = self.store.next_due_us()
        if batch.fired or batch.unit.schedules:
            self.state.next_firing_us = self.store.next_firing_us()
        if batch.expired:
            self.state.ledger.next_expiry_us = self.store.next_expiry_us()

    def failed(self) -> list[Pending]:
        """The batch was not written: forget it, read what the database says, and return the lease calls that waited."""
        lost, self._offset_us, sessions, fan_out = self._undo
        waited = [session.waiting for session in self.state.sessions.values() if session.waiting is not None]
        if lost is not None:
            # They were to be answered with this batch: with jobs, or with nothing because the worker went.
            waited += [pending for pending, _, _ in lost.answers if type(pending.command) is LeaseJobs]
        self.state = State(self.store, self.limits)
        self.state.sessions = sessions
        self.state.fan_out = fan_out
        leases = newest_leases(self.store)
        jobs = {job.number: job for job in self.store.jobs([lease.number for lease in leases])}
        for session in sessions.values():
            session.held.clear()
            session.waiting = None
            _forget_entries(session, lost)
            self.state.look_again(session.offers)
        for lease in leases:
            self._restore_lease(lease, jobs[lease.number])
        return waited

    def suffer(self, reason: str, refused: int) -> None:
        """The batch that failed was kept from being written by something that passes; so many commands were refused."""
        since_us, before = (self.outage.since_us, self.outage.refused) if self.outage else (self._at_us, 0)
        self.outage = Outage(reason, since_us, before + refused)

    def next_wake_us(self) -> int | None:
        """Microseconds until time brings something, 0 when it is overdue, None when nothing is set."""
        waits = [] if self.outage is None else [_PROBE_US]
        if self.state.allowed.settle == "allow":
            if self._has_work_left:
                return 0
            waits += [instant_us - self.recorded_us() for instant_us in self._instants()]
            waits += [instant_us - self.clock.monotonic_us() for instant_us in self._limits_over()]
        return max(0, min(waits)) if waits else None

    def _limits_over(self) -> Iterator[int]:
        """When the monotonic clock brings something."""
        if self.state.next_deadline_us is not None:
            yield self.state.next_deadline_us
        for session in self.state.sessions.values():
            if not session.local:
                yield session.heard_us + timers.SESSION_SILENCE_US_MAX + 1
        for walk in self.state.retention.walks if self.state.allowed.upkeep == "allow" else ():
            if walk.rests_until_us is not None:
                yield walk.rests_until_us

    def _instants(self) -> Iterator[int]:
        """When the wall clock brings something."""
        if self.state.next_due_us is not None:
            yield self.state.next_due_us
        if self.state.flow.next_start_us is not None:
            yield self.state.flow.next_start_us
        if self.state.runs.next_due_us is not None:
            yield self.state.runs.next_due_us
        if self.state.ledger.next_expiry_us is not None:
            yield self.state.ledger.next_expiry_us
        if self.state.next_firing_us is not None and self.state.allowed.dispatch == "allow":
            yield min(self.state.next_firing_us, self.recorded_us() + self.look_us)

    @property
    def _has_work_left(self) -> bool:
        """Whether there is something to decide that no command and no instant brings."""
        if self.state.orphans:
            return True
        goes_on = bool(self.state.bulks) or self.state.retention.is_walking
        return goes_on and self.state.allowed.upkeep == "allow" and self.outage is None

    def recorded_us(self) -> int:
        """The instant of a batch that begins now: the wall clock's; when that was set back, the last one's and on."""
        passed = self.clock.monotonic_us() - self._monotonic_us
        return max(self.clock.now_us(), self._at_us + passed)

    def _begin(self) -> Batch:
        state = self.state
        monotonic_us = self.clock.monotonic_us()
        unit = Unit(state.head, now_us=self.recorded_us(), policy=state.policy, next_number=state.next_number)
        batch = Batch(state, unit, self._randomness, monotonic_us)
        self._undo = _Undo(batch, self._offset_us, dict(state.sessions), dict(state.fan_out))
        self._at_us, self._monotonic_us = unit.at_us, monotonic_us
        offset_us = self.clock.now_us() - monotonic_us
        step_us = offset_us - self._offset_us
        if abs(step_us) > _CLOCK_STEP_US_MAX:
            self._offset_us = offset_us
            self._note(unit, "clock.stepped", {"step_us": step_us})
        if self.outage is not None:
            # It is over with this batch, or this entry is not written either.
            reason, since_us, refused = self.outage
            self._note(unit, "engine.resumed", {"reason": reason, "since_us": since_us, "refused": refused})
        return batch

    def _note(self, unit: Unit, entry_type: EntryType, data: dict[str, Any]) -> None:
        """Write down what has befallen the engine."""
        self.state.engine_entry = unit.record(
            entry_type, "engine", data, ENGINE, previous=self.state.engine_entry
        )

    def _restore_lease(self, lease: Lease, job: JobRow) -> None:
        """Watch over an attempt again. It gets its whole time limit anew, up to its job's deadline."""
        state = self.state
        now_us = self.clock.monotonic_us()
        # By the monotonic clock alone, so that its deadline is over, too, once its time is.
        at_us = self._at_us + now_us - self._monotonic_us
        state.hold(held_anew(lease, job, job_id(job), now_us, at_us, now_us if lease.cancel_us else None))
        session = state.sessions.get(lease.session)
        if session is None:
            # After a failed commit every worker of this engine is on duty again, so another engine's holds it.
            state.orphans.append(lease.number)
        else:
            session.held.add(lease.number)


def _decide_halted(batch: Batch, commands: Sequence[Pending]) -> Batch:
    """Hear who is there and what may end the halt, and nothing else: time goes by without anything coming of it."""
    for pending in commands:
        try:
            system.check_halted(batch, pending.command)
        except SheratanError as refusal:
            batch.answers.append((pending, None, refusal))
            batch.refused.append((pending, refusal))
        else:
            decide_one(batch, pending)
    system.change_states(batch)
    batch.unit.engine_entry = batch.state.engine_entry
    return batch
