"""The one transaction: rows, entries and decisions that commit together or not at all.

A unit is a buffer that belongs to no database. A row can only be placed with the number of an entry that the same
unit recorded, so no state changes without its entry. Moves of one job within a unit are folded: a job that is
submitted and leased in the same batch is written once, where it ends up.
"""

from __future__ import annotations

from typing import Any, Final

from sheratan.contracts.journal import Entry
from sheratan.contracts.principal import Principal
from sheratan.kernel.alerting import AlertFact
from sheratan.kernel.chain import Head, encode_entry, entry_hash
from sheratan.kernel.lifecycle import JOB_TRANSITIONS, check_transition
from sheratan.kernel.system import SystemFact
from sheratan.store.approval_rows import ApprovalAct, ApprovalRow
from sheratan.store.gate_rows import GateKey, GateRow
from sheratan.store.kept_unit import KeptChanges
from sheratan.store.ledger_unit import LedgerChanges
from sheratan.store.partition_rows import PartitionChanges
from sheratan.store.proposal_rows import ProposalChanges
from sheratan.store.rows import (
    TIMER_WAIT,
    AfterRow,
    Blocked,
    BulkRow,
    FailedRow,
    FailureRow,
    FlowRow,
    JobRow,
    KeyRow,
    Lane,
    Lease,
    Location,
    PaceRow,
    Ready,
    Result,
    ScheduleRow,
    SignalRow,
    StepRow,
    TagRow,
    Timer,
    WaitKey,
    WaitRow,
)
from sheratan.store.run_unit import RunChanges

__all__ = ["Unit", "state_of"]

_STATES: dict[type[Location | None], str] = {
    type(None): "new",
    Ready: "queued",
    Lease: "running",
    Blocked: "blocked",
}
"""A timer rings for one that is scheduled or waits, and a result says how the job has ended."""

_USUAL: Final = {
    (left, entered): JOB_TRANSITIONS[_STATES[left]].get(_STATES[entered])
    for left in _STATES
    for entered in _STATES
}
"""The type of entry by which a job goes from one kind of location to another, where that says what its states are."""


def state_of(location: Location | None) -> str:
    """The state that a location means; `new` for a job that is nowhere yet."""
    state = _STATES.get(type(location))
    if state is not None:
        return state
    if type(location) is Result:
        return location.state
    assert type(location) is Timer
    return "waiting" if location.what == TIMER_WAIT else "scheduled"


class Unit(RunChanges, KeptChanges):
    """Everything that one batch changes."""

    def __init__(self, head: Head, *, now_us: int, policy: int, next_number: int) -> None:
        super().__init__()
        self.first_seq, self.head = head.seq, head
        self.policy, self.next_number = policy, next_number
        # Recorded time never runs backwards against seq, whatever the wall clock does.
        self.at_us = max(head.at, now_us)
        self.lines: list[bytes] = []
        self.entries: list[Entry] = []
        self.jobs: list[JobRow] = []
        self.lanes: list[Lane] = []
        self.moves: dict[int, tuple[Location | None, Location]] = {}
        self.after: list[AfterRow] = []
        self.keys: dict[tuple[str, str], KeyRow] = {}
        self.payloads: dict[bytes, bytes] = {}
        self.flows: dict[tuple[str, str], FlowRow] = {}
        self.paces: dict[tuple[str, str], PaceRow | None] = {}
        """How far rates are used up; None where there is no rate any more."""
        self.partitions = PartitionChanges()
        self.schedules: dict[tuple[str, str], ScheduleRow] = {}
        self.mentions: list[tuple[int, int]] = []
        self.failures: list[FailureRow] = []
        self.tags: list[TagRow] = []
        self.failed: list[FailedRow] = []
        self.failure_texts: list[tuple[int, str, str]] = []
        """Of jobs that failed: the type and message of the error that ended them."""
        self.dead_letters: dict[int, bool] = {}
        """Jobs that become dead letters (True) and that are none any more (False)."""
        self.bulks: dict[int, BulkRow] = {}
        self.steps: list[StepRow] = []
        self.waits: dict[WaitRow, bool] = {}
        """Waits that begin (True) and that are over (False)."""
        self.awaited: dict[WaitKey, dict[int, bool]] = {}
        """By wait, the jobs that it begins to wait for (True), and those that it does not wait for any more (False)."""
        self.signals: dict[SignalRow, bool] = {}
        """Signals that come in (True) and that are received (False)."""
        self.blocking: dict[tuple[int, str], bool] = {}
        """Code that a job must not get again by itself: from now on (True), and no longer, for it has ended (False)."""
        self.approvals: dict[int, ApprovalRow] = {}
        """Requests for approval that are made or change, by the entry that records them."""
        self.approval_acts: list[ApprovalAct] = []
        self.alarms: list[tuple[int, int]] = []
        self.alarms_rung: list[tuple[int, int]] = []
        self.gates: dict[GateKey, GateRow] = {}
        self.proposals, self.ledger = ProposalChanges(), LedgerChanges()
        self.system: SystemFact | None = None
        self.alerts: dict[str, AlertFact] = {}
        self.pulse = False
        """Whether it is committed even if it changes nothing, to see that the store can."""
        self.engine_entry: int | None = None
        self.clean = False
        self._seq, self._hash = head.seq, head.hash

    @property
    def next_seq(self) -> int:
        """The number that the next entry will have."""
        return self._seq

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.lines or self.alarms_rung or self.moves or self.lanes or self.pulse)

    @property
    def end(self) -> Head:
        """The head of the journal once this unit is committed."""
        return Head(self._seq, self._hash, self.at_us if self.lines else self.head.at)

    def record(
        self,
        entry_type: str,
        subject: str,
        data: dict[str, Any],
        by: Principal,
        *,
        decision: dict[str, Any] | None = None,
        previous: int | None = None,
        cause: int | None = None,
    ) -> int:
        """Write an entry at the end of the journal and return its number."""
        seq = self._seq
        entry = Entry(
            seq=seq,
            at=self.at_us,
            tenant=by.tenant,
            type=entry_type,
            subject=subject,
            actor=by.actor,
            on_behalf_of=by.on_behalf_of,
            auth=by.auth,
            policy=self.policy,
            prev=self._hash,
            data=data,
            decision=decision,
            previous=previous,
            cause=cause,
        )
        line = encode_entry(entry)
        self._hash = entry_hash(line)
        self._seq = seq + 1
        self.lines.append(line)
        self.entries.append(entry)
        return seq

    def take_number(self) -> int:
        """The number of a new job."""
        number = self.next_number
        self.next_number = number + 1
        return number

    def move(self, before: Location | None, after: Location) -> None:
        """Take a job from where it is (None: it is new) to where it goes."""
        number = after.number
        known = self.moves.get(number)
        # Nobody else may have moved the job in between.
        assert known is None or known[1] is before or _is_same(known[1], before)
        # A terminal state never changes.
        assert type(before) is not Result
        left, entered = type(before), type(after)
        if left is not entered:
            # A change of state without an entry of this very unit would be a change nobody can explain.
            position = after.entry - self.first_seq
            assert position >= 0
            entry_type = self.entries[position].type
            if _USUAL.get((left, entered)) != entry_type:
                check_transition(state_of(before), state_of(after), entry_type)
        self.moves[number] = (before if known is None else known[0], after)

    def location(self, number: int) -> Location | None:
        """Where this unit puts a job, or None when it does not touch it."""
        known = self.moves.get(number)
        return known[1] if known else None


def _is_same(known: Location, before: Location | None) -> bool:
    """Whether this is where the unit has put the job. A step that is recorded while it runs leaves its row as it is."""
    if type(known) is Lease and type(before) is Lease:
        return known._replace(entry=before.entry, steps=before.steps) == before
    return known == before
