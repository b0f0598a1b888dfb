"""What a journal says about jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

__all__ = [
    "Announced",
    "BudgetLeft",
    "BulkFact",
    "Ended",
    "FailedFact",
    "FailureFact",
    "FlowFact",
    "GateFact",
    "KeyFact",
    "Mention",
    "OpenJob",
    "ScheduleFact",
    "SignalFact",
    "StepFact",
    "Violation",
    "WaitFact",
]


class Violation(NamedTuple):
    """A broken invariant: the entry where it shows, the invariant's id (E2, J1, …) and one sentence."""

    seq: int
    invariant: str
    text: str


class WaitFact(NamedTuple):
    """What a handler waits for, and the entry that says so first."""

    number: int
    entry: int
    ordinal: int
    name: str
    occurrence: int
    what: str
    key: str
    due_us: int
    jobs: Sequence[int] = ()
    """The jobs that are to end, all of them."""


class SignalFact(NamedTuple):
    """A signal that was not received yet: `digest` is the SHA-256 of its value."""

    number: int
    entry: int
    name: str
    digest: str


class BudgetLeft(NamedTuple):
    """What a job may be charged in a unit, and what the attempts that have ended were charged."""

    unit: str
    amount: int
    charged: int = 0


class OpenJob(msgspec.Struct, gc=False):
    """A job that has not ended. Instants in microseconds since the epoch.

    `attempt` runs, or is the next to run; `failures` and `losses` are how earlier ones ended; `missing` and
    `parents_failed` count the jobs that it runs after; `session` and `fence` mean something while it runs, and
    `due_us` while it is scheduled or blocked.
    """

    number: int
    subject: str
    tenant: str
    queue: str
    kind: str
    priority: int
    attempts_max: int
    state: str
    entry: int
    since_us: int
    delay_due_us: int
    due_us: int
    missing: int
    parents_failed: int
    run_timeout_us: int
    requester: str
    """On whose behalf it, or the first of the jobs that it descends from, was submitted."""
    attempt: int = 1
    failures: int = 0
    losses: int = 0
    fence: int = -1
    session: int = -1
    cancel_us: int = 0
    retrying: bool = False
    steps: int = 0
    waits: tuple[WaitFact, ...] = ()
    signals: tuple[SignalFact, ...] = ()
    """What its handler waits for, and what was sent to it that it has not received."""
    approvals: tuple[int, ...] = ()
    """Its requests for approval, by the entries that record them."""
    cost: int = 1
    version: int = 1
    is_code_changed: bool = False
    """Whether it is blocked because its code has changed."""
    blocking: tuple[str, ...] = ()
    """The code that has blocked it."""
    partition: str = ""
    budget: tuple[BudgetLeft, ...] = ()
    """What it may be charged."""
    deadline_us: int = 0
    """When it fails unless it has ended; 0 for never."""
    placed: tuple[int, int] | None = None
    """The entry and the number of steps that its row names, where steps came after: they change no row."""


class Ended(NamedTuple):
    """How a job ended: `output` is the SHA-256 of its canonical output, None when it did not succeed."""

    number: int
    state: str
    attempt: int
    losses: int
    finished_us: int
    output: str | None
    entry: int


class FailureFact(NamedTuple):
    """A failed attempt: `digest` is the SHA-256 of the error as it is kept beside the journal."""

    number: int
    entry: int
    digest: str


class FailedFact(NamedTuple):
    """A job that failed: the class and type of the error that ended it, and the entry that says so."""

    error_class: str
    number: int
    error_type: str
    entry: int


class BulkFact(NamedTuple):
    """A bulk operation: what it does, the last job that it was done to, how many, at most how many, and its end."""

    action: str
    last: int
    done: int
    limit: int | None
    ended: int | None


class StepFact(NamedTuple):
    """A step that was recorded: `digest` is the SHA-256 of its output or, when it failed, of its error."""

    number: int
    step: int
    name: str
    occurrence: int
    failed: int
    digest: str
    entry: int


class Mention(NamedTuple):
    """An entry that mentions a job beside its story."""

    number: int
    entry: int


class KeyFact(NamedTuple):
    """The job that an idempotency key made, and the digest of the request that it stands for."""

    number: int
    request: bytes | None
    """None for a key of the first schema, whose entries did not tell it."""


class FlowFact(NamedTuple):
    """What is set for a queue, kind or tenant.

    `paused` is the entry that paused it, 0 when it is not; `limits` are concurrency, the three numbers of a rate and
    weight; `declared` is 1 when they come with the kind; `entry` is the newest entry about it. `per_partition` are
    the concurrency and the rate that hold for each partition by itself; `ageing_us` is by how much waiting a priority
    gains a step, 0 for none.
    """

    paused: int
    reason: str
    limits: tuple[int, int, int, int, int]
    declared: int
    entry: int | None
    per_partition: tuple[int, int, int, int] = (0, 0, 0, 0)
    ageing_us: int = 0


class GateFact(NamedTuple):
    """The newest job under the key of a gate; when the first of these jobs came, until when it holds, how many came."""

    number: int
    since_us: int
    until_us: int
    jobs: int


class ScheduleFact(NamedTuple):
    """A schedule, or what is left of one: `definition` is its SHA-256, None once it was deleted."""

    state: str
    definition: str | None
    on_behalf_of: str
    created_us: int
    after_us: int
    due_us: int | None
    last_us: int | None
    last_job: int | None
    entry: int
    last_run: int | None = None


class Announced(NamedTuple):
    """A job or run that a firing said it submits or begins: by this entry, under a key with this SHA-256."""

    entry: int
    key: str
