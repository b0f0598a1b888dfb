"""What is asked of an engine about schedules."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sheratan.contracts.jobs import Name
from sheratan.contracts.request import Reason, Request
from sheratan.contracts.schedules import Instant, Schedule, ScheduleRecord

__all__ = [
    "BackfillSchedule",
    "CreateSchedule",
    "DeleteSchedule",
    "GetSchedule",
    "ListSchedules",
    "NextFirings",
    "PauseSchedule",
    "ResumeSchedule",
    "SchedulePage",
    "TriggerSchedule",
]


class CreateSchedule(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Submit jobs by a schedule: `created`, `unchanged` when it is there so, or with `replace` `changed`."""

    schedule: Schedule
    replace: bool = False


class GetSchedule(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One schedule as it stands."""

    name: Name


class ListSchedules(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Schedules by name. `cursor` continues an earlier page."""

    limit: Annotated[int, msgspec.Meta(ge=1)] = 50
    cursor: Name | None = None


class SchedulePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of schedules; `next_cursor` is None on the last one."""

    items: list[ScheduleRecord]
    next_cursor: str | None = None


class NextFirings(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The first firings of a schedule later than an instant (None: now), whether it is paused or not."""

    name: Name
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    after_us: Instant | None = None


class PauseSchedule(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Let a schedule fire no more until it is resumed; what falls into the pause is not made up for."""

    name: Name
    reason: Reason = ""


class ResumeSchedule(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Let a schedule fire again, from now on."""

    name: Name


class BackfillSchedule(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Submit the jobs of past firings from one instant to another, both counted in, all or none.

    Answered with every firing and its job. One that has submitted its job before is left as it is. With `dry_run`
    nothing is submitted.
    """

    name: Name
    from_us: Instant
    until_us: Instant
    dry_run: bool = False


class TriggerSchedule(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Let a schedule submit its job, or begin its run, now: whether it is paused or not, and once for each key.

    Without a key (None) it is done each time.
    """

    name: Name
    key: Name | None = None
    reason: Reason = ""


class DeleteSchedule(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Delete a schedule. Its jobs and its story stay."""

    name: Name
    reason: Reason = ""
