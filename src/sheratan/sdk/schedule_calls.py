"""What a client may do about schedules."""

from __future__ import annotations

from typing import Any, Unpack

from sheratan.contracts import api
from sheratan.contracts.schedules import FiringReceipt, FiringRecord, ScheduleRecord
from sheratan.contracts.values import convert
from sheratan.contracts.workflows import Workflow
from sheratan.sdk.kind import Kind
from sheratan.sdk.schedule_options import ScheduleOptions, read_schedule

__all__ = ["ScheduleCalls"]


class ScheduleCalls:
    """The part of a client that submits jobs, and runs workflows, by schedules."""

    _transport: api.Transport

    async def create_schedule(
        self,
        name: str,
        work: Kind[Any, Any] | str | Workflow,
        value: Any = None,
        *,
        replace: bool = False,
        **options: Unpack[ScheduleOptions],
    ) -> str:
        """Submit jobs of a kind, or run a workflow, by a schedule: `created`, or `unchanged` when it is there so.

        Conflict names the field when it is there with another definition; with `replace` it is then `changed`.
        """
        given = work.dump_input(value) if isinstance(work, Kind) else value
        wanted = read_schedule(name, work.name if isinstance(work, Kind) else work, given, options)
        outcome: str = await self._transport.call(api.CreateSchedule(schedule=wanted, replace=replace))
        return outcome

    async def schedule(self, name: str) -> ScheduleRecord:
        """A schedule as it stands."""
        record: ScheduleRecord = await self._transport.call(convert({"name": name}, api.GetSchedule))
        return record

    async def schedules(self, request: api.ListSchedules | None = None) -> api.SchedulePage:
        """A page of schedules, by name."""
        page: api.SchedulePage = await self._transport.call(request or api.ListSchedules())
        return page

    async def next_firings(
        self, name: str, limit: int = 5, *, after_us: int | None = None
    ) -> list[FiringRecord]:
        """The first firings of a schedule later than an instant (None: now), whether it is paused or not."""
        wanted = convert({"name": name, "limit": limit, "after_us": after_us}, api.NextFirings)
        found: list[FiringRecord] = await self._transport.call(wanted)
        return found

    async def pause_schedule(self, name: str, reason: str = "") -> bool:
        """Let a schedule fire no more until it is resumed; False when it was paused already."""
        wanted = convert({"name": name, "reason": reason}, api.PauseSchedule)
        changed: bool = await self._transport.call(wanted)
        return changed

    async def resume_schedule(self, name: str) -> bool:
        """Let a schedule fire again, from now on; False when it was not paused."""
        changed: bool = await self._transport.call(convert({"name": name}, api.ResumeSchedule))
        return changed

    async def backfill_schedule(
        self, name: str, from_us: int, until_us: int, *, dry_run: bool = False
    ) -> list[FiringRecord]:
        """Submit the jobs of past firings between two instants, all or none; each firing has one job, ever."""
        given = {"name": name, "from_us": from_us, "until_us": until_us, "dry_run": dry_run}
        found: list[FiringRecord] = await self._transport.call(convert(given, api.BackfillSchedule))
        return found

    async def trigger_schedule(self, name: str, key: str | None = None, reason: str = "") -> FiringReceipt:
        """Let a schedule submit its job, or begin its run, now, whether it is paused or not.

        The same key once more changes nothing, and is answered with what it has made.
        """
        given = {"name": name, "key": key, "reason": reason}
        receipt: FiringReceipt = await self._transport.call(convert(given, api.TriggerSchedule))
        return receipt

    async def delete_schedule(self, name: str, reason: str = "") -> None:
        """Delete a schedule; its jobs and its story stay."""
        await self._transport.call(convert({"name": name, "reason": reason}, api.DeleteSchedule))
