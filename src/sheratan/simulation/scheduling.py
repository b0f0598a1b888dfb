"""What simulated clients do with schedules: create some, and tend those that there are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from sheratan.contracts import api
from sheratan.contracts.errors import Conflict, NotFound
from sheratan.contracts.jobs import Submission
from sheratan.contracts.schedules import MissedPolicy, Schedule, ScheduledRun, ScheduleRecord
from sheratan.simulation.choices import Choices
from sheratan.simulation.clock import EPOCH_US
from sheratan.simulation.loop import SimulatedLoop
from sheratan.simulation.workflows import scheduled_workflow

__all__ = ["SCHEDULES", "ScheduleClient", "draw_schedule"]

SCHEDULES: Final = ("s1", "s2", "s3")
_EVERY_SECONDS: Final = (3.0, 15.0, 60.0)
_AHEAD_US: Final = 1_500
"""So long before a schedule is due somebody does something with it, while the engine may be at another commit."""

_PATIENCE_US: Final = 15_000_000
_CRONS: Final = ("*/20 * * * * *", "*/7 * * * * *", "*/30 * * * * *")


def draw_schedule(draw: Choices, submission: Submission, now_seconds: int) -> Schedule:
    """A schedule by cron, at intervals or for an instant a little after `now_seconds` of the world's own time."""
    what = draw.pick("schedule.what", ("every", "every", "cron", "once"))
    when: dict[str, Any]
    if what == "every":
        when = {"every_seconds": draw.pick("schedule.every", _EVERY_SECONDS)}
    elif what == "cron":
        when = {"cron": draw.pick("schedule.cron", _CRONS)}
    else:
        seconds = now_seconds + draw.pick("schedule.in", (2, 30, 4_000))
        when = {"at_us": EPOCH_US + seconds * 1_000_000}
    run = draw.pick("schedule.run", (None, _RUN))
    # Those that ask for the same are to find it unchanged now and then.
    wanted = draw.pick("schedule.submission", (submission, _PLAIN, _PLAIN))
    missed: MissedPolicy = draw.pick("schedule.missed", _MISSED)
    if missed == "all":
        when["missed_max"] = draw.pick("schedule.missed_max", (2, 20))
    return Schedule(
        name=draw.pick("schedule.name", SCHEDULES),
        submission=wanted if run is None else None,
        run=run,
        missed=missed,
        overlap=draw.pick("schedule.overlap", ("queue", "skip", "cancel_previous")),
        jitter_seconds=draw.pick("schedule.jitter", (0.0, 0.0, 2.0))
        if what == "every" and run is None
        else 0.0,
        **when,
    )


_MISSED: Final[tuple[MissedPolicy, ...]] = ("once", "skip", "all")
_PLAIN: Final = Submission(kind="work", input="beat")
_RUN: Final = ScheduledRun(workflow=scheduled_workflow(), input={"n": 1})


class ScheduleClient:
    """The part of a client that tends schedules."""

    def __init__(
        self,
        ask: Callable[[api.Request], Awaitable[Any]],
        submit: Callable[[], Awaitable[None]],
        acknowledge: Callable[[str], None],
        choices: Choices,
        loop: SimulatedLoop,
    ) -> None:
        self._ask = ask
        self._submit = submit
        self._acknowledge = acknowledge
        self._choices = choices
        self._loop = loop

    async def tend(self) -> None:
        """Pause, resume, delete a schedule, or make up for what it did not do; at any time, or when it is due."""
        page = await self._ask(api.ListSchedules())
        if not page.items:
            return
        late_us = EPOCH_US + self._loop.now_us - _AHEAD_US
        late = [one.name for one in page.items if one.due_us is not None and one.due_us < late_us]
        name = self._choices.pick("schedule.tended", late or [one.name for one in page.items])
        for _ in range(self._choices.between("schedule.times", 1, 3)):
            await self._tend_one(name)

    async def _tend_one(self, name: str) -> None:
        known = await self._ask(api.GetSchedule(name=name))
        if self._choices.between("schedule.when_due", 0, 2) and known.due_us is not None:
            ahead_us = known.due_us - EPOCH_US - self._loop.now_us - _AHEAD_US
            # Of a clock that was set it knows nothing.
            if 0 < ahead_us < _PATIENCE_US:
                await self._tend_when_due(name, known.due_us, ahead_us)
                return
            if ahead_us < -_AHEAD_US:
                # Nothing fires at the moment, and will find this later.
                await self._make_up(_firings(name, known.due_us, EPOCH_US + self._loop.now_us))
                return
        await self._tend_now(name, known)

    async def _tend_now(self, name: str, known: ScheduleRecord) -> None:
        what = self._choices.pick(
            "schedule.tend",
            ("pause", "resume", "resume", "delete", "backfill", "backfill", "cancel", "trigger", "trigger"),
        )
        if what == "backfill":
            await self._backfill(known)
        elif what == "trigger":
            await self._trigger(name)
        elif what == "cancel":
            if known.last_job is not None:
                await self._ask(api.CancelJob(id=known.last_job))
            if known.last_run is not None:
                await self._ask(api.CancelRun(id=known.last_run))
        else:
            await self._ask(_REQUESTS[what](name))

    async def _tend_when_due(self, name: str, due_us: int, ahead_us: int) -> None:
        """Do something with it while other things are written, so that one batch sees this and the time."""
        if self._choices.chance("schedule.when_operational", 500):
            with suppress(Conflict):
                await self._ask(api.ChangeState(to="operational", reason="a test"))
        await asyncio.sleep(ahead_us / 1_000_000)
        what = self._choices.pick("schedule.tend_due", ("backfill", "backfill", "delete", "pause", "trigger"))
        if what == "backfill":
            tend: Callable[[], Awaitable[Any]] = partial(self._make_up, _firings(name, due_us, due_us))
        elif what == "trigger":
            tend = partial(self._trigger, name)
        else:
            tend = partial(self._ask, _REQUESTS[what](name))
        # Several people think of the same: one of them may be just in time.
        await asyncio.gather(*map(self._soon, (*[self._submit] * 3, *[tend] * 3)))

    async def _soon(self, do: Callable[[], Awaitable[Any]]) -> None:
        await asyncio.sleep(self._choices.between("schedule.ahead", 0, _AHEAD_US) / 1_000_000)
        with suppress(Conflict, NotFound):
            await do()

    async def _backfill(self, known: ScheduleRecord) -> None:
        now_us = EPOCH_US + self._loop.now_us
        bases = (known.created_us, known.last_us or known.created_us, now_us, now_us)
        newest_us = self._choices.pick("backfill.base", bases)
        request = api.BackfillSchedule(
            name=known.name,
            from_us=newest_us - self._choices.pick("backfill.span", (30_000_000, 90_000_000, 600_000_000)),
            until_us=newest_us + self._choices.pick("backfill.until", (0, 0, 5_000_000)),
            dry_run=self._choices.pick("backfill.dry_run", (False, False, True)),
        )
        await self._make_up(request)

    async def _trigger(self, name: str) -> None:
        key = self._choices.pick("schedule.trigger", ("a", "a", "b", "c"))
        receipt = await self._ask(api.TriggerSchedule(name=name, key=key, reason="a test"))
        if receipt.job is not None:
            self._acknowledge(receipt.job)

    async def _make_up(self, request: api.BackfillSchedule) -> None:
        for one in await self._ask(request):
            if one.job is not None:
                self._acknowledge(one.job)


def _firings(name: str, from_us: int, until_us: int) -> api.BackfillSchedule:
    return api.BackfillSchedule(name=name, from_us=from_us, until_us=until_us, dry_run=False)


_REQUESTS: Final[dict[str, Callable[[str], api.Request]]] = {
    "pause": lambda name: api.PauseSchedule(name=name, reason="a test"),
    "resume": lambda name: api.ResumeSchedule(name=name),
    "delete": lambda name: api.DeleteSchedule(name=name, reason="a test"),
}
