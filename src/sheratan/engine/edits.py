"""Edits of dead letters at the edge: the new job, with every value checked, from the old one and what is changed."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.dead_letters import Edit
from sheratan.contracts.jobs import KindDescription, Options
from sheratan.contracts.limits import Limits
from sheratan.contracts.tracing import unpack
from sheratan.engine.commands import NewJob
from sheratan.engine.prepare import KindRegistry, fill_in, prepare_input
from sheratan.engine.views import find_view, input_of, partition_name
from sheratan.kernel.canonical import digest
from sheratan.store.port import Reader

__all__ = ["prepare_edit"]


def prepare_edit(reader: Reader, job_id: str, edit: Edit, kinds: KindRegistry, limits: Limits) -> NewJob:
    """The job that an edit makes of another one; a refusal names the field. An input goes through its kind's schema."""
    job, lane, _ = find_view(reader, job_id)
    body = input_of(reader, job) or b"null"
    if edit.input is not msgspec.UNSET:
        body = prepare_input(kinds.find(lane.kind, lane.version), edit.input, limits)
    stays: dict[str, Any] = {
        "queue": lane.queue,
        "priority": job.priority,
        "attempts_max": job.attempts_max,
        "backoff_base_us": job.backoff_base_us,
        "backoff_cap_us": job.backoff_cap_us,
        "run_timeout_us": job.run_timeout_us,
        "queue_timeout_us": job.queue_timeout_us,
        "deadline_after_us": job.deadline_after_us,
        "tags": tuple(reader.tags(job.number)),
        "cost": job.cost,
        "partition": partition_name(reader, job),
        "budget": tuple((row.unit, row.amount) for row in reader.job_budgets([job.number])),
        "traceparent": unpack(job.trace),
        "after_failure": job.after_failure,
        "input": body,
        "digest": digest(body),
    }
    given = msgspec.to_builtins(edit)
    given.pop("input", None)
    options = msgspec.convert(given, Options)
    filled = fill_in(KindDescription(name=lane.kind, version=lane.version), options, limits)
    changed = {_FIELDS.get(name, name) for name in given}
    return msgspec.structs.replace(
        filled, **{name: value for name, value in stays.items() if name not in changed}
    )


_FIELDS = {
    "backoff_base_seconds": "backoff_base_us",
    "backoff_max_seconds": "backoff_cap_us",
    "run_timeout_seconds": "run_timeout_us",
    "queue_timeout_seconds": "queue_timeout_us",
    "deadline_seconds": "deadline_after_us",
}
"""Fields of an edit by the name that they have in a job."""
