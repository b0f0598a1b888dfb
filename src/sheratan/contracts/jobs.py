"""Jobs as users see them: states, options, submissions and records."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from sheratan.contracts.budgets import DEFAULT_BUDGET, ProposalBudget, ProposalUse
from sheratan.contracts.code import CodeDigest, Difference, Version
from sheratan.contracts.flow import NO_LIMITS, BlockedBy, FlowLimits
from sheratan.contracts.groups import Collect
from sheratan.contracts.limits import NAME_LENGTH_MAX
from sheratan.contracts.patterns import NAME, PARTITION
from sheratan.contracts.spending import JobBudget, OwnBudgetRecord
from sheratan.contracts.tracing import Traceparent

__all__ = [
    "AFTER_FAILURE",
    "CRITICALITIES",
    "NO_OPTIONS",
    "Criticality",
    "ErrorClass",
    "JobError",
    "JobRecord",
    "JobState",
    "KindDescription",
    "Name",
    "Options",
    "Partition",
    "QueueRecord",
    "Receipt",
    "Seconds",
    "Submission",
]

JobState = Literal["blocked", "scheduled", "queued", "running", "waiting", "succeeded", "failed", "cancelled"]
"""Where a job is. The last three are terminal and never change."""

ErrorClass = Literal["retryable", "fatal", "rate_limited", "timeout", "lost_lease", "bug"]
"""How an attempt failed; it decides whether the job is tried again."""

AFTER_FAILURE = Literal["cancel", "run"]

Criticality = Literal["sheddable", "deferrable", "normal", "critical"]
"""How much it matters that a job is taken in under overload: the least critical ones are refused first."""

CRITICALITIES: Final[tuple[Criticality, ...]] = get_args(Criticality)
"""From the least to the most critical."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX, pattern=NAME)]
"""Name of a queue, kind or tenant: letters, digits, `_`, `.` and `-`, at most 128, starting with a letter or digit."""

Partition = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX, pattern=PARTITION)]
"""Whose or what a job is, of many alike, such as a customer: printable ASCII characters without blanks, at most 128."""

Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a job is to be run. `None` takes the kind's default; durations in seconds."""

    queue: Name | None = None
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] | None = None
    delay_seconds: Seconds = 0.0
    key: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    attempts_max: Annotated[int, msgspec.Meta(ge=1)] | None = None
    backoff_base_seconds: Seconds | None = None
    backoff_max_seconds: Seconds | None = None
    run_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    queue_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    deadline_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """How long after its submission it fails, whatever it waits for or does then; all of its attempts together."""
    after: tuple[str, ...] = ()
    after_failure: AFTER_FAILURE = "cancel"
    tags: tuple[Name, ...] = ()
    cost: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    version: Version | None = None
    """The version of the kind; None takes the newest."""
    partition: Partition | None = None
    """Among the jobs of its queue and kind, which it takes turns with and what its limits per partition count."""
    criticality: Criticality | None = None
    """Whether it is taken in under overload; once it is, it makes no difference any more."""
    traceparent: Traceparent | None = None
    """The caller's W3C trace, which the job goes on with; else it has one of its own."""
    budget: JobBudget | None = None
    """What it may be charged for all of its attempts; it fails before one that could go over that."""


NO_OPTIONS = Options()
"""What most jobs are submitted with; one object, so that it is known at a glance."""


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A job to be. `input` is any JSON value that the kind's schema accepts."""

    kind: str
    input: Any = None
    options: Options = NO_OPTIONS


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job that was taken in. `existing`: it had been, under the same idempotency key.

    `throttled`: nothing was, and this is the newest job under the key. `supersedes`: whose place it has taken.
    """

    id: str
    existing: bool = False
    throttled: bool = False
    supersedes: str | None = None


class KindDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A kind as the engine knows it: its schemas (JSON Schema 2020-12) and defaults. Durations in seconds."""

    name: Name
    version: Version = 1
    code: CodeDigest = ""
    """Another text for another state of its handler's code; only handlers that have steps need one."""
    queue: Name = "default"
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] = 5
    attempts_max: Annotated[int, msgspec.Meta(ge=1)] = 3
    backoff_base_seconds: Seconds = 1.0
    backoff_max_seconds: Seconds = 60.0
    run_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 300.0
    queue_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    deadline_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    criticality: Criticality = "normal"
    limits: FlowLimits = NO_LIMITS
    """They hold as long as nobody has set others for the kind."""
    collect: Collect | None = None
    """Its jobs start in groups, each of which is one call of the handler."""
    proposals: ProposalBudget = DEFAULT_BUDGET
    """How much may come of what one of its jobs proposes, when no job above it has proposed."""
    input_schema: dict[str, Any] = {}
    output_schema: dict[str, Any] = {}
    description: str = ""


class JobError(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an attempt failed: its class, the exception's type and text, and the wait a provider asked for."""

    error_class: ErrorClass
    type: str
    message: str
    traceback: str = ""
    retry_after_seconds: Seconds | None = None


class JobRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job as it stands. Instants are microseconds since the epoch, UTC."""

    id: str
    kind: str
    queue: str
    priority: int
    state: JobState
    attempt: int
    attempts_max: int
    worker_losses: int
    created_us: int
    entry: int
    steps: int = 0
    due_us: int | None = None
    deadline_us: int | None = None
    """When it fails unless it has ended: by its own deadline or that of the job which submitted it."""
    leased_us: int | None = None
    finished_us: int | None = None
    waiting_for: str | None = None
    version: int = 1
    """The version of its kind."""
    blocked_reason: Literal["after", "code_changed"] | None = None
    """Why it is blocked: other jobs have to end, or its handler's code has changed under it."""
    difference: Difference | None = None
    """What has changed, while it is blocked for that; left out in lists."""
    blocked_by: list[BlockedBy] = []
    """What keeps it from being started although it is queued and a worker may be free."""
    cost: int = 1
    budget: list[OwnBudgetRecord] = []
    """What it may be charged, by unit, and what is used of it; left out in lists."""
    partition: str | None = None
    trace: str = ""
    """The id of its trace, 32 hexadecimal digits."""
    input: Any = None
    output: Any = None
    error: JobError | None = None
    after: list[str] = []
    origin: str | None = None
    tags: list[str] = []
    submitted_by_job: str | None = None
    proposals: ProposalUse | None = None
    """What is used of the budget for proposals that it shares, while it is open; left out in lists."""
    superseded_by: str | None = None
    """The job that has taken its place, if it was cancelled for that; left out in lists."""
    workflow: str | None = None
    """The run that it is part of, with the name of its node and, in a fan-out, the place of its item."""
    node: str | None = None
    item: int | None = None


class QueueRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A queue as it stands."""

    name: str
    paused: bool
    queued: int
    running: int
    paused_reason: str | None = None
    limits: FlowLimits = NO_LIMITS
