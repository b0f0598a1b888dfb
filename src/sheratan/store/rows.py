"""Rows as tuples in column order. A job is in exactly one location: Ready, Timer, Lease, Blocked or Result."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from sheratan.contracts.code import versioned

__all__ = [
    "AFTER",
    "CODE_CHANGED",
    "NEVER_US",
    "TIMER_DELAY",
    "TIMER_RETRY",
    "TIMER_WAIT",
    "AfterRow",
    "AwaitedRow",
    "Blocked",
    "BlockingCode",
    "BulkRow",
    "FailedRow",
    "FailureRow",
    "FailureWord",
    "FlowRow",
    "JobRow",
    "KeyRow",
    "Lane",
    "Lease",
    "Location",
    "PaceRow",
    "Ready",
    "Result",
    "ScheduleRow",
    "SignalRow",
    "StepRow",
    "TagRow",
    "Timer",
    "WaitKey",
    "WaitRow",
    "make_job",
    "make_lease",
    "make_ready",
    "make_result",
    "wait_key",
]

TIMER_DELAY: Final = 1
TIMER_RETRY: Final = 2
TIMER_WAIT: Final = 3

AFTER: Final = "after"
CODE_CHANGED: Final = "code_changed"
"""Why a job is blocked."""

NEVER_US: Final = (1 << 53) - 1
"""The instant of what has no time limit: the largest integer that JSON carries everywhere (RFC 8259, section 6)."""


class Lane(NamedTuple):
    """Jobs of one version of a kind in one queue of one tenant; ready work is kept and claimed by lane."""

    lane: int
    tenant: str
    queue: str
    kind: str
    version: int = 1

    @property
    def offered_as(self) -> str:
        """What a worker must offer to get its jobs."""
        return self.kind if self.version == 1 else versioned(self.kind, self.version)


class JobRow(NamedTuple):
    """What was asked for. Never changes. Durations in microseconds; a timeout of 0 means none."""

    number: int
    salt: int
    lane: int
    """Its lane and its partition (`store/partition_rows.py:lane_in`), as in the rows of where it is."""
    priority: int
    created_us: int
    attempts_max: int
    backoff_base_us: int
    backoff_cap_us: int
    run_timeout_us: int
    queue_timeout_us: int
    after_failure: str
    submitted_by: int | None
    origin: int | None
    input: bytes | None
    """The input's canonical JSON, or None when it is kept under `payload`."""
    payload: bytes | None
    """The SHA-256 of an input that is too large for the hot rows."""
    cost: int = 1
    """What it counts for where a rate limits its start."""
    trace: bytes | None = None
    """The trace of its caller that it goes on with (`contracts/tracing.py:pack`)."""
    deadline_after_us: int = 0
    """How long after its submission it was to end, by its own options."""
    deadline_us: int = 0
    """The instant at which it fails, its own or inherited; 0 for none."""

    @property
    def deadlines(self) -> tuple[int, int]:
        """Its own deadline, as a duration, and the instant of the one that holds."""
        return self[17:19]


class Ready(NamedTuple):
    """Waits for a worker. `attempt` is the one to come; `entry` the last journal entry about the job."""

    lane: int
    priority: int
    number: int
    attempt: int
    losses: int
    since_us: int
    entry: int
    steps: int = 0
    """How many steps it has recorded."""


class Timer(NamedTuple):
    """Waits for an instant: the end of a delay or of a backoff; or its handler waits, at most until then."""

    due_us: int
    number: int
    what: int
    attempt: int
    losses: int
    since_us: int
    entry: int
    steps: int = 0


class Lease(NamedTuple):
    """Is being run. `fence` is the entry that gave the lease; a write with another fence changes nothing.

    A step that is recorded meanwhile leaves the row as it is: `entry` and `steps` are then those of the last step.
    """

    number: int
    attempt: int
    losses: int
    fence: int
    session: int
    leased_us: int
    cancel_us: int
    """When it was asked to stop; 0 when it was not."""
    entry: int
    steps: int = 0


class Blocked(NamedTuple):
    """Waits for other jobs to end, of which `missing` have not ended yet and `failed` ended without success.

    Or, by its `reason`, for other code of its handler: then `attempt` is the one to come, as of a job that is ready.
    """

    number: int
    missing: int
    failed: int
    due_us: int
    since_us: int
    entry: int
    attempt: int = 1
    losses: int = 0
    steps: int = 0
    reason: str = AFTER


class Result(NamedTuple):
    """Has ended. Never changes."""

    number: int
    state: str
    attempt: int
    losses: int
    finished_us: int
    output: bytes | None
    payload: bytes | None
    entry: int


Location = Ready | Timer | Lease | Blocked | Result

# Every job needs one of each, and a named tuple's own constructor takes twice as long. Fields as they are declared.
_Bytes = bytes | None
_Options = tuple[int, int, int, int, int, str]
_Rest = tuple[int | None, int | None, _Bytes, _Bytes, int, _Bytes, int, int]
make_job: Final[Callable[[tuple[int, int, int, int, int, *_Options, *_Rest]], JobRow]] = partial(
    tuple.__new__, JobRow
)
make_ready: Final[Callable[[tuple[int, int, int, int, int, int, int, int]], Ready]] = partial(
    tuple.__new__, Ready
)
make_lease: Final[Callable[[tuple[int, int, int, int, int, int, int, int, int]], Lease]] = partial(
    tuple.__new__, Lease
)
make_result: Final[Callable[[tuple[int, str, int, int, int, _Bytes, _Bytes, int]], Result]] = partial(
    tuple.__new__, Result
)


class AfterRow(NamedTuple):
    """Job `number` runs after job `parent`; `ordinal` keeps the order in which they were named."""

    number: int
    ordinal: int
    parent: int


class FailureRow(NamedTuple):
    """How an attempt failed, in full: a JobError as JSON, under the entry that records it."""

    number: int
    entry: int
    error: bytes


class FailedRow(NamedTuple):
    """A job that has failed, and the class of the error that ended it."""

    error_class: str
    number: int


class TagRow(NamedTuple):
    """A tag of a job."""

    tag: str
    number: int


class BulkRow(NamedTuple):
    """A bulk operation, by the entry that says what it is.

    `last` is the last job that it was done to and `done` how many those are; `ended` the entry that ended it.
    """

    entry: int
    last: int
    done: int
    ended: int | None


class FailureWord(NamedTuple):
    """A word of the error that ended a job, and where it stands in it."""

    word: str
    number: int
    column: str
    place: int


class StepRow(NamedTuple):
    """A step of a job, under the entry that records it: its output or, when it failed, a JobError, both as JSON."""

    number: int
    step: int
    name: str
    occurrence: int
    failed: int
    output: bytes | None
    payload: bytes | None
    """The SHA-256 of an output that is too large for the row."""
    entry: int


class WaitRow(NamedTuple):
    """What the handler of a job waits for, under the entry that says so first and its place in that entry."""

    number: int
    entry: int
    ordinal: int
    name: str
    occurrence: int
    what: str
    key: str
    due_us: int


WaitKey = tuple[int, int, int]
"""The first columns of a wait: whose it is, the entry that says so first, and its place in that entry."""


def wait_key(row: WaitRow | AwaitedRow) -> WaitKey:
    """Which wait a row is, or belongs to."""
    return row[0], row[1], row[2]


class AwaitedRow(NamedTuple):
    """A job that has not ended, and that the handler of job `number` waits for: part of a wait (its first columns)."""

    number: int
    entry: int
    ordinal: int
    awaited: int


class SignalRow(NamedTuple):
    """A signal to a job that its handler has not received yet, under the entry that records it."""

    number: int
    entry: int
    name: str
    output: bytes | None
    payload: bytes | None
    """The SHA-256 of a value that is too large for the row."""


class BlockingCode(NamedTuple):
    """Code that a job must not get again by itself: it did not ask for the steps that the job has recorded."""

    number: int
    code: str


class KeyRow(NamedTuple):
    """An idempotency key, the job that it made, and the digest of the request that it stands for."""

    tenant: str
    key: str
    digest: bytes
    number: int


class FlowRow(NamedTuple):
    """What is set for a queue, kind or tenant (`queue:NAME` and so on): a pause, and limits. 0 is no limit."""

    tenant: str
    subject: str
    paused: int
    """The entry that paused it; 0 when it is not paused."""
    reason: str
    """Why it is paused."""
    concurrency: int
    rate_count: int
    rate_period_us: int
    rate_burst: int
    weight: int
    declared: int
    """Whether these limits come with the kind; then the next worker that offers it may change them."""
    entry: int
    """The newest entry about it."""
    partition_concurrency: int = 0
    partition_rate_count: int = 0
    partition_rate_period_us: int = 0
    partition_rate_burst: int = 0
    """What holds for each partition by itself."""
    ageing_us: int = 0
    """By how much waiting a priority gains a step; 0: priorities do not age."""

    @property
    def per_partition(self) -> tuple[int, int, int, int]:
        """The concurrency and the three numbers of the rate that hold for each partition by itself."""
        return self[11:15]


class PaceRow(NamedTuple):
    """How far the rate of a queue, kind or tenant is used up (`kernel/rate.py:Pace`)."""

    tenant: str
    subject: str
    pace_us: int
    part: int
    started_us: int


class ScheduleRow(NamedTuple):
    """A schedule: what it is, and how far it has come. Of one that was deleted the name and its story stay."""

    tenant: str
    name: str
    state: str
    """`active`, `paused` or `deleted`."""
    definition: bytes | None
    """The canonical JSON of a Schedule whose options are all filled in; None when it is kept under `payload`."""
    payload: bytes | None
    on_behalf_of: str
    """Who gave it this definition, and for whom its jobs run."""
    created_us: int
    after_us: int
    """Every firing up to this instant has been dealt with."""
    due_us: int | None
    """When it is to be looked at next: at its next firing, or to try one again. None when it is not to fire."""
    last_us: int | None
    """The instant of the last firing that submitted a job, and that job's number."""
    last_job: int | None
    entry: int
    last_run: int | None = None
    """In place of a job, the run that it began."""
