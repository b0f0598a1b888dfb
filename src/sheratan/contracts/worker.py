"""The worker protocol: register, lease, report, stop, heartbeat, end. In-process and on the wire alike."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from sheratan.contracts.code import Difference
from sheratan.contracts.jobs import JobError, KindDescription, Name
from sheratan.contracts.ledger import AMOUNT_MAX

__all__ = [
    "PATCH_PREFIX",
    "SPAWN_PREFIX",
    "Assignment",
    "Outcome",
    "Registration",
    "Report",
    "StepRecord",
    "StepReport",
    "StopRequest",
    "Wait",
    "What",
]

SPAWN_PREFIX: Final = "spawn:"
"""Names of steps that submit jobs begin with it; no name that a handler gives can hold a colon."""

PATCH_PREFIX: Final = "patch:"
"""Names of steps that say which way a patched handler goes."""

SECONDS_MAX = 3_155_760_000.0
"""The longest wait: a hundred years."""

Outcome = Literal["succeeded", "failed", "cancelled", "released", "waiting", "code_changed"]

What = Literal["sleep", "signal", "jobs", "approval"]


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A worker that comes on duty: its name, the kinds it offers, how many jobs it runs at once."""

    name: Name
    kinds: tuple[KindDescription, ...]
    slots: Annotated[int, msgspec.Meta(ge=1)]


class Assignment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job given to a worker. `fence` goes with every write about this attempt; `input` is JSON."""

    id: str
    number: int
    kind: str
    queue: str
    attempt: int
    attempts_max: int
    worker_losses: int
    fence: int
    input: msgspec.Raw
    run_timeout_us: int
    created_us: int
    steps: int = 0
    """How many steps earlier attempts have recorded."""
    version: int = 1
    """The version of its kind."""
    group: int = 0
    """Jobs of one lease call with the same number here run together, in one call of their handler; 0: by itself."""
    charge_max: int | None = None
    """What is reserved for the attempt, in minor units: the most that it can cost. None where it costs nothing."""
    traceparent: str | None = None
    """The trace that the job goes on with, as a W3C traceparent; None where it has one of its own."""


class Wait(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """What a handler waits for: an instant, a signal with the name `key`, the ends of jobs, or the approval `key`.

    At most so long; an approval has its own deadline. When it is over it is a step of the job: `name` and
    `occurrence` are that step's.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    occurrence: Annotated[int, msgspec.Meta(ge=1)]
    what: What
    key: str = ""
    jobs: tuple[str, ...] = ()
    """The ids of the jobs that are to end, all of them."""
    until_us: Annotated[int, msgspec.Meta(ge=0)] | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)] | None = None
    """Counted from the instant at which the engine hears of it first."""


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """How an attempt ended. `output` is a JSON value; `error` goes with the outcome `failed`, `waits` with `waiting`.

    An attempt that waits is not over: it goes on, from its beginning and with its steps, once something has come.
    `difference` goes with `code_changed`: the handler does not ask for the steps that its job has recorded.
    """

    number: int
    fence: int
    outcome: Outcome
    output: Any = None
    error: JobError | None = None
    waits: tuple[Wait, ...] = ()
    difference: Difference | None = None
    charge: Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)] | None = None
    """What the attempt has cost by its own account, in minor units of the price of its kind, if that is metered."""


class StepReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A step of a running attempt has ended: it gave `output`, a JSON value, or failed with `error`.

    `step` is its place among the steps of the job, from 1; `occurrence` counts those of the same name, from 1.
    """

    number: int
    fence: int
    step: Annotated[int, msgspec.Meta(ge=1)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    occurrence: Annotated[int, msgspec.Meta(ge=1)] = 1
    output: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    error: JobError | None = None
    took_us: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """How long it ran, where it did."""


class StepRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A step that is recorded: every later attempt gets its output, or its error, and does not run it again."""

    step: int
    name: str
    occurrence: int
    entry: int
    output: msgspec.Raw = msgspec.Raw(b"null")
    error: JobError | None = None


class StopRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The engine asks a worker to stop an attempt: it is to be cancelled, or its lease is over."""

    number: int
    fence: int
    reason: Literal["cancel", "timeout", "lost"]
