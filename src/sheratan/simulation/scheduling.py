"""The schedules that simulated clients create."""

from __future__ import annotations

from typing import Any, Final

from sheratan.contracts.jobs import Submission
from sheratan.contracts.schedules import Schedule, ScheduledRun
from sheratan.simulation.choices import Choices
from sheratan.simulation.clock import EPOCH_US
from sheratan.simulation.workflows import scheduled_workflow

__all__ = ["SCHEDULES", "draw_schedule"]

SCHEDULES: Final = ("s1", "s2", "s3")
_EVERY_SECONDS: Final = (3.0, 15.0, 60.0)
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
    return Schedule(
        name=draw.pick("schedule.name", SCHEDULES),
        submission=wanted if run is None else None,
        run=run,
        missed=draw.pick("schedule.missed", ("once", "skip", "all")),
        missed_max=draw.pick("schedule.missed_max", (2, 20)),
        overlap=draw.pick("schedule.overlap", ("queue", "skip", "cancel_previous")),
        jitter_seconds=draw.pick("schedule.jitter", (0.0, 0.0, 2.0))
        if what == "every" and run is None
        else 0.0,
        **when,
    )


_PLAIN: Final = Submission(kind="work", input="beat")
_RUN: Final = ScheduledRun(workflow=scheduled_workflow(), input={"n": 1})
