"""Commands: what callers ask of the decider, already checked at the edge."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from sheratan.contracts.budgets import ProposalBudget
from sheratan.contracts.bulk import BulkAction
from sheratan.contracts.code import Difference
from sheratan.contracts.errors import SheratanError
from sheratan.contracts.filters import JobFilter
from sheratan.contracts.flow import FlowLimits
from sheratan.contracts.jobs import Criticality, JobError
from sheratan.contracts.principal import Principal
from sheratan.contracts.proposals import Rejection
from sheratan.contracts.worker import Outcome, Wait
from sheratan.engine.alert_commands import NoteAlerts
from sheratan.engine.approval_commands import Ask, Delegate, Vote
from sheratan.engine.archive_commands import ArchiveSegment, KeepEntries
from sheratan.engine.billing_commands import PriceKind
from sheratan.engine.budget_commands import LimitSpending
from sheratan.engine.gate_commands import NewGate
from sheratan.engine.ledger_commands import ApplyTransfers, OpenAccount
from sheratan.engine.retention_commands import KeepJobs, KeepRuns
from sheratan.engine.run_commands import CancelRun, Declaration, ForkRun, StartRun
from sheratan.engine.schedule_commands import (
    BackfillSchedule,
    CreateSchedule,
    DeleteSchedule,
    PauseSchedule,
    ResumeSchedule,
    TriggerSchedule,
)
from sheratan.engine.system_commands import ChangeState, DeriveState, Probe
from sheratan.engine.worker_commands import EndSession, Heartbeat, RegisterWorker

__all__ = [
    "ApplyTransfers",
    "ArchiveSegment",
    "Ask",
    "BackfillSchedule",
    "Cancel",
    "CancelRun",
    "ChangeState",
    "Command",
    "CreateSchedule",
    "Declaration",
    "Delegate",
    "DeleteSchedule",
    "DeriveState",
    "Discard",
    "EndSession",
    "Ending",
    "ForkRun",
    "Heartbeat",
    "KeepEntries",
    "KeepJobs",
    "KeepRuns",
    "LeaseJobs",
    "LimitSpending",
    "LimitStarts",
    "NewJob",
    "NewStep",
    "NoteAlerts",
    "OpenAccount",
    "Pause",
    "PauseSchedule",
    "Pending",
    "PriceKind",
    "Probe",
    "Propose",
    "RecordSteps",
    "RegisterWorker",
    "Replay",
    "Reply",
    "Resume",
    "ResumeSchedule",
    "RetryJob",
    "SendSignal",
    "Settle",
    "Spawn",
    "StartBulk",
    "StartDraining",
    "StartRun",
    "Submit",
    "SubmitGated",
    "TriggerSchedule",
    "Unblock",
    "Vote",
]


class NewJob(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job to be, with every default filled in. Durations in microseconds."""

    kind: str
    queue: str
    priority: int
    delay_us: int
    key: str | None
    digest: str
    """SHA-256 of the canonical input, in hexadecimal."""
    input: bytes
    attempts_max: int
    backoff_base_us: int
    backoff_cap_us: int
    run_timeout_us: int
    queue_timeout_us: int
    after: tuple[str, ...]
    after_failure: str
    tags: tuple[str, ...] = ()
    """In order, each once."""
    cost: int = 1
    version: int = 1
    partition: str | None = None
    budget: tuple[tuple[str, int], ...] = ()
    """What it may be charged in minor units, by unit, in order."""
    deadline_after_us: int = 0
    """How long after its submission it fails; 0 for no deadline of its own."""
    criticality: Criticality = "normal"
    """It says whether the job is taken in, and nothing of how it is run. Nor does the trace that it is seen in."""
    traceparent: str | None = None
    is_version_asked: bool = False
    """Whether the caller named the version; otherwise it is the newest, whichever that is."""


class Submit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Take these jobs in, all or none. With `by_job` and `fence` a running job submits them."""

    jobs: tuple[NewJob, ...]
    by_job: int | None = None
    fence: int | None = None


class SubmitGated(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Take this job in if its gate lets it; answered with a receipt."""

    job: NewJob
    gate: NewGate
    by_job: int | None = None
    fence: int | None = None


class LeaseJobs(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A worker has free slots; answered when there is work for it."""

    session: int
    slots: int


class Ending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How an attempt ended, checked: `output` is canonical JSON within its limit."""

    number: int
    fence: int
    outcome: Outcome
    output: bytes = b"null"
    error: JobError | None = None
    waits: tuple[Wait, ...] = ()
    difference: Difference | None = None
    charge: int | None = None


class Settle(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Attempts have ended."""

    session: int
    reports: tuple[Ending, ...]


class NewStep(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A step that has ended, checked: `output` is canonical JSON within its limit, or it failed with `error`."""

    number: int
    fence: int
    step: int
    name: str
    occurrence: int
    output: bytes = b"null"
    error: JobError | None = None
    outcome: str = "step"
    """What came, where a report may also be the end of an attempt."""
    took_us: int | None = None
    """How long it ran, where it did."""


class RecordSteps(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Steps of running attempts have ended."""

    steps: tuple[NewStep, ...]


class Spawn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A running job submits jobs as one of its steps, all or none; answered with their ids."""

    number: int
    fence: int
    step: int
    name: str
    occurrence: int
    jobs: tuple[NewJob, ...]


class Propose(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A running job proposes jobs, each with its kind: the job that it would be, or why it can be none."""

    number: int
    fence: int
    step: int
    name: str
    occurrence: int
    proposals: tuple[tuple[str, NewJob | Rejection], ...]
    budget: ProposalBudget


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """A job is no longer wanted."""

    id: str
    reason: str


class Unblock(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is blocked because its code has changed is to try again."""

    id: str
    reason: str


class SendSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A job gets a signal; `value` is canonical JSON within its limit."""

    id: str
    name: str
    value: bytes


class RetryJob(msgspec.Struct, frozen=True, kw_only=True):
    """Make a new job from one that has ended; from one that is quarantined only with `poison`."""

    id: str
    poison: bool = False


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Make a new job from a dead letter; `edited` is that job where it is not to be like the old one."""

    id: str
    edited: NewJob | None = None
    poison: bool = False
    reason: str = ""


class Discard(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter is to be one no more."""

    id: str
    reason: str


class StartBulk(msgspec.Struct, frozen=True, kw_only=True):
    """Do something to every job that a filter means, at most `limit` of them."""

    action: BulkAction
    filter: JobFilter
    limit: int | None = None
    poison: bool = False
    reason: str = ""


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Start no more jobs of a queue, kind or tenant (`queue:NAME`, `kind:NAME`, `tenant:NAME`)."""

    subject: str
    reason: str


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Start jobs of a queue, kind or tenant again."""

    subject: str


class LimitStarts(msgspec.Struct, frozen=True, kw_only=True):
    """Limit and weight the starts of the jobs of a queue, kind or tenant, from now on thus."""

    subject: str
    limits: FlowLimits
    reason: str


class StartDraining(msgspec.Struct, frozen=True, kw_only=True):
    """Take nothing in and start nothing more; let what runs end."""

    reason: str


Command = (
    Submit
    | SubmitGated
    | LeaseJobs
    | Settle
    | RecordSteps
    | Spawn
    | Propose
    | Ask
    | Vote
    | Delegate
    | RegisterWorker
    | Heartbeat
    | EndSession
    | Cancel
    | Unblock
    | RetryJob
    | Replay
    | Discard
    | StartBulk
    | SendSignal
    | StartRun
    | ForkRun
    | CancelRun
    | Pause
    | Resume
    | LimitStarts
    | StartDraining
    | ChangeState
    | DeriveState
    | Probe
    | CreateSchedule
    | PauseSchedule
    | ResumeSchedule
    | BackfillSchedule
    | TriggerSchedule
    | DeleteSchedule
    | KeepJobs
    | KeepRuns
    | KeepEntries
    | PriceKind
    | LimitSpending
    | NoteAlerts
    | ArchiveSegment
    | OpenAccount
    | ApplyTransfers
)


class Reply(Protocol):
    """Takes an answer, as an asyncio future does."""

    def done(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def set_result(self, result: Any, /) -> None:
        """The answer."""
        ...

    def set_exception(self, exception: BaseException, /) -> None:
        """The refusal."""
        ...


class Pending:
    """A command that waits for its answer, which it gets after the commit that makes it true."""

    __slots__ = ("_reply", "by", "command", "until_us")

    def __init__(self, command: Command, by: Principal, reply: Reply, until_us: int | None = None) -> None:
        self.command = command
        self.by = by
        self.until_us = until_us
        """Until when its caller waits, on the monotonic clock; None: for as long as it takes."""
        self._reply = reply

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._reply.done()

    def answer(self, value: Any, error: SheratanError | None) -> None:
        """Answer, unless the caller has stopped waiting."""
        if self._reply.done():
            return
        if error is None:
            self._reply.set_result(value)
        else:
            self._reply.set_exception(error)
