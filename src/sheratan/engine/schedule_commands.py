"""Commands about schedules; `engine/commands.py` gives them out with all others."""

from __future__ import annotations

import msgspec

from sheratan.contracts.schedules import Schedule

__all__ = [
    "BackfillSchedule",
    "CreateSchedule",
    "DeleteSchedule",
    "PauseSchedule",
    "ResumeSchedule",
    "TriggerSchedule",
]


class CreateSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Submit jobs by a schedule. `definition` is its canonical JSON; with `replaces` it may take another's place."""

    schedule: Schedule
    definition: bytes
    replaces: bool


class PauseSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Let a schedule fire no more until it is resumed."""

    name: str
    reason: str


class ResumeSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Let a schedule fire again."""

    name: str


class BackfillSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Submit the jobs of the firings from one instant to another, both counted in; `dry_run` only tells which."""

    name: str
    from_us: int
    until_us: int
    dry_run: bool


class TriggerSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Let a schedule do its work now, once for each key; without one each time."""

    name: str
    key: str | None
    reason: str


class DeleteSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule is no longer wanted."""

    name: str
    reason: str
