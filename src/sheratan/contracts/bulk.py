"""Bulk operations: one thing done to every job that a filter means."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sheratan.contracts.filters import EVERY_JOB, JobFilter
from sheratan.contracts.request import Reason, Request

__all__ = ["BulkAction", "BulkPreview", "BulkRecord", "GetBulk", "PreviewBulk", "StartBulk"]

BulkAction = Literal["cancel", "retry", "replay", "discard"]
"""`cancel` is for open jobs, `retry` for ended ones, `replay` and `discard` for dead letters."""

JobCount = Annotated[int, msgspec.Meta(ge=1)]


class StartBulk(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Do something to every job that a filter means, oldest first, at most `limit` of them (None: all).

    Answered once it is recorded; it goes on by itself, and after a crash. Jobs that come in later are not meant.
    Quarantined jobs are left out of `retry` and `replay` unless `poison` is said.
    """

    action: BulkAction
    filter: JobFilter = EVERY_JOB
    limit: JobCount | None = None
    poison: bool = False
    reason: Reason = ""


class PreviewBulk(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many jobs a bulk operation would be for, and the first of them; nothing is changed or recorded."""

    action: BulkAction
    filter: JobFilter = EVERY_JOB
    limit: JobCount | None = None
    poison: bool = False


class BulkPreview(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs a bulk operation is for, and the ids of the first. `is_more`: and more than were counted."""

    jobs: int
    sample: list[str]
    is_more: bool = False


class GetBulk(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How far a bulk operation has come. `id` is `bulk:N`."""

    id: str


class BulkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk operation: `running`, `ended` or `stopped` before its end, and for how many jobs it has been done."""

    id: str
    action: BulkAction
    filter: JobFilter
    state: Literal["running", "ended", "stopped"]
    jobs: int
    limit: int | None = None
    stopped_because: str | None = None
