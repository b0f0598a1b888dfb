"""Dead letters: failed jobs that nobody has replayed or discarded yet; and what is asked about them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from sheratan.contracts.filters import JobFilter
from sheratan.contracts.jobs import ErrorClass, JobError, Name, Seconds
from sheratan.contracts.request import Reason, Request
from sheratan.contracts.spending import JobBudget

__all__ = [
    "DeadLetter",
    "DeadLetterPage",
    "DiscardJob",
    "Edit",
    "GetDeadLetter",
    "ListDeadLetters",
    "ReplayJob",
]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A failed job that was neither replayed nor discarded. Instants are microseconds since the epoch.

    `quarantined`: it ended because its workers were lost while they ran it, so it may well take down the next one.
    `worker` ran the last attempt; None for a job that was never started. `input` is given for a single one only.
    """

    id: str
    kind: str
    queue: str
    error_class: ErrorClass
    quarantined: bool
    attempt: int
    attempts_max: int
    worker_losses: int
    created_us: int
    failed_us: int
    entry: int
    worker: str | None = None
    first_error: JobError | None = None
    last_error: JobError | None = None
    tags: list[str] = []
    input: Any = None


class DeadLetterPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of dead letters; `next_cursor` is None on the last one."""

    items: list[DeadLetter]
    next_cursor: str | None = None


class ListDeadLetters(Request, JobFilter, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Dead letters, newest job first. `cursor` continues an earlier page; new jobs do not disturb it."""

    limit: Annotated[int, msgspec.Meta(ge=1)] = 50
    cursor: str | None = None


class GetDeadLetter(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One dead letter, with its input."""

    id: str


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What the new job is to have otherwise than the old one; what is not given stays. Durations in seconds."""

    input: Any = msgspec.UNSET
    queue: Name | None = None
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] | None = None
    attempts_max: Annotated[int, msgspec.Meta(ge=1)] | None = None
    backoff_base_seconds: Seconds | None = None
    backoff_max_seconds: Seconds | None = None
    run_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    queue_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    deadline_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    tags: tuple[Name, ...] | None = None
    budget: JobBudget | None = None


class ReplayJob(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Run a dead letter again, as a new job that names it as its origin; with `edit`, changed.

    A quarantined one is refused without `poison`: it has taken down its workers.
    """

    id: str
    edit: Edit | None = None
    poison: bool = False
    reason: Reason = ""


class DiscardJob(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Take a job out of the dead letters for good; its result stays. Answered with the entry that records it."""

    id: str
    reason: Reason = ""
