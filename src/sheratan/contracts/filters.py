"""Which jobs are meant: one filter for listings and for bulk operations alike."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sheratan.contracts.jobs import ErrorClass, JobState, Name, Partition

__all__ = ["EVERY_JOB", "JobFilter"]

Instant = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]
"""Microseconds since the epoch."""


class JobFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Jobs that are all of this at once; what is not given does not matter.

    An interval holds its `from` and not its `until`. `error_class` is that of the error that ended a failed job.
    `text` finds a job by its id, its idempotency key, a part of its kind's or queue's name, or by words (each the
    beginning of one) in the type and message of the error that ended it.
    """

    state: JobState | None = None
    kind: Name | None = None
    queue: Name | None = None
    partition: Partition | None = None
    tag: Name | None = None
    error_class: ErrorClass | None = None
    created_from_us: Instant | None = None
    created_until_us: Instant | None = None
    finished_from_us: Instant | None = None
    finished_until_us: Instant | None = None
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None


EVERY_JOB = JobFilter()
"""The filter that leaves no job out."""
