"""The worker protocol: register, lease, report, signals, heartbeat, end. In-process and on the wire alike."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from sheratan.contracts.jobs import JobError, KindDescription, Name

__all__ = ["Assignment", "Outcome", "Registration", "Report", "Signal"]

Outcome = Literal["succeeded", "failed", "cancelled", "released"]


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


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """How an attempt ended. `output` is a JSON value; `error` goes with the outcome `failed`."""

    number: int
    fence: int
    outcome: Outcome
    output: Any = None
    error: JobError | None = None


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """The engine asks a worker to stop an attempt: it is to be cancelled, or its lease is over."""

    number: int
    fence: int
    reason: Literal["cancel", "timeout", "lost"]
