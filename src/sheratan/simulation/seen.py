"""What the engine has stored and answered, in the words of the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sheratan.contracts.errors import SheratanError
from sheratan.contracts.schedules import FiringReceipt, FiringRecord
from sheratan.contracts.worker import Assignment
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_state import ModelJob, ModelSchedule
from sheratan.store.rows import (
    CODE_CHANGED,
    TIMER_WAIT,
    Blocked,
    Lease,
    Location,
    Ready,
    Result,
    ScheduleRow,
    Timer,
)

__all__ = ["expected", "expected_schedules", "meant", "said", "seen", "seen_schedules"]


def said(answer: tuple[Any, SheratanError | None]) -> Any:
    """An answer of the engine in the model's words."""
    value, error = answer
    if error is not None:
        return ("refused", error.code)
    if isinstance(value, FiringReceipt):
        return value.firing, value.job or value.run, value.existing
    return _listed(value) if isinstance(value, list) and value else value


def _listed(value: list[Any]) -> Any:
    if isinstance(value[0], Assignment):
        return [
            (
                one.number,
                one.attempt,
                one.fence,
                one.kind,
                one.queue,
                bytes(one.input),
                one.steps,
                one.version,
                one.charge_max,
                one.traceparent,
                one.run_timeout_us,
            )
            for one in value
        ]
    if isinstance(value[0], FiringRecord):
        return [(one.id, one.instant_us, one.job or one.run) for one in value]
    return value


def meant(answer: Any) -> Any:
    """An answer of the model, as it is compared."""
    return ("refused", answer.code) if isinstance(answer, Refused) else answer


def seen(location: Location) -> tuple[Any, ...]:
    """A stored location in the model's words."""
    if isinstance(location, Ready):
        return (
            "queued",
            location.priority,
            location.attempt,
            location.losses,
            location.since_us,
            location.steps,
        )
    if isinstance(location, Timer) and location.what == TIMER_WAIT:
        return (
            "waiting",
            location.due_us,
            location.attempt,
            location.losses,
            location.steps,
            location.since_us,
        )
    if isinstance(location, Timer):
        return ("scheduled", location.due_us, location.attempt, location.losses, location.steps)
    if isinstance(location, Lease):
        asked = location.cancel_us > 0
        return ("running", location.attempt, location.losses, location.fence, location.session, asked)
    if isinstance(location, Blocked) and location.reason == CODE_CHANGED:
        attempt, losses = location.attempt, location.losses
        return ("blocked by its code", attempt, losses, location.steps, location.since_us)
    if isinstance(location, Blocked):
        return ("blocked", location.missing, location.failed, location.due_us)
    assert isinstance(location, Result)
    return (location.state, location.attempt, location.losses, location.finished_us)


def expected(job: ModelJob) -> tuple[Any, ...]:
    """Where the model says that a job is, in the same words."""
    if job.state == "queued":
        return ("queued", job.wanted.priority, job.attempt, job.losses, job.since_us, len(job.steps))
    if job.state == "scheduled":
        return ("scheduled", job.due_us, job.attempt, job.losses, len(job.steps))
    if job.state == "waiting":
        return ("waiting", job.due_us, job.attempt, job.losses, len(job.steps), job.since_us)
    if job.state == "running":
        return ("running", job.attempt, job.losses, job.fence, job.worker, job.asked_us is not None)
    if job.state == "blocked" and job.blocked_by:
        return ("blocked by its code", job.attempt, job.losses, len(job.steps), job.since_us)
    if job.state == "blocked":
        return ("blocked", len(job.missing), job.failed_parents, job.due_us)
    return (job.state, job.ended_attempt, job.losses, job.ended_us)


def seen_schedules(rows: Iterable[ScheduleRow]) -> dict[str, tuple[Any, ...]]:
    """The schedules that are there, in the model's words."""
    return {
        row.name: (
            row.state == "paused",
            row.on_behalf_of,
            row.created_us,
            row.after_us,
            row.due_us,
            row.last_us,
            row.last_job,
            row.last_run,
        )
        for row in rows
        if row.state != "deleted"
    }


def expected_schedules(known: Mapping[str, ModelSchedule]) -> dict[str, tuple[Any, ...]]:
    """The schedules of the model, as they are compared."""
    return {
        name: (
            one.is_paused,
            one.owner,
            one.created_us,
            one.after_us,
            one.due_us,
            one.last_us,
            one.last_job,
            one.last_run,
        )
        for name, one in known.items()
    }
