"""What a schedule may say, as keywords: checked and turned into the contract's schedule."""

from __future__ import annotations

from typing import Any, TypedDict

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Submission
from sheratan.contracts.schedules import MissedPolicy, OverlapPolicy, Schedule, ScheduledRun
from sheratan.contracts.values import convert
from sheratan.contracts.workflows import Workflow
from sheratan.sdk.options import SubmissionOptions, read_options

__all__ = ["ScheduleOptions", "read_schedule"]


class ScheduleOptions(TypedDict, total=False):
    """When a schedule fires, and how: the fields of the contract's Schedule. `job_options` are those of its jobs."""

    cron: str
    every_seconds: float
    at_us: int
    zone: str
    missed: MissedPolicy
    missed_max: int
    overlap: OverlapPolicy
    jitter_seconds: float
    starts_us: int
    ends_us: int
    description: str
    job_options: SubmissionOptions


def read_schedule(name: str, work: str | Workflow, value: Any, options: ScheduleOptions) -> Schedule:
    """The schedule that keywords describe; InvalidInput names the one that does not fit."""
    fields: dict[str, Any] = {key: one for key, one in options.items() if key != "job_options"}
    if isinstance(work, Workflow):
        if "job_options" in options:
            raise InvalidInput("a workflow says itself how its jobs run: leave it out", field="job_options")
        fields["run"] = ScheduledRun(workflow=work, input=value)
    else:
        job_options = read_options(options.get("job_options", {}))
        fields["submission"] = Submission(kind=work, input=value, options=job_options)
    return convert({"name": name, **fields}, Schedule)
