"""Idempotency keys: the same key with the same request is the same job, with another request a conflict."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.errors import IdempotencyConflict
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import NewJob
from sheratan.engine.job_budgets import budget_of
from sheratan.kernel.canonical import canonical, digest
from sheratan.store.rows import JobRow, KeyRow

__all__ = ["find_existing", "find_key", "request_of"]


def request_of(new: NewJob) -> bytes:
    """What an idempotency key stands for: everything that decides what the job does and how."""
    request: dict[str, Any] = {
        "kind": new.kind,
        "queue": new.queue,
        "input": new.digest,
        "priority": new.priority,
        "delay_us": new.delay_us,
        "after": list(new.after),
        "after_failure": new.after_failure,
        "attempts_max": new.attempts_max,
        "backoff_base_us": new.backoff_base_us,
        "backoff_cap_us": new.backoff_cap_us,
        "run_timeout_us": new.run_timeout_us,
        "queue_timeout_us": new.queue_timeout_us,
    }
    if new.tags:
        request["tags"] = list(new.tags)
    if new.cost != 1:
        # Only then, so that a key that was used before there were costs stands for the same request as before.
        request["cost"] = new.cost
    if new.partition:
        request["partition"] = new.partition
    if new.budget:
        request["budget"] = new.budget
    if new.deadline_after_us:
        request["deadline_after_us"] = new.deadline_after_us
    if new.is_version_asked:
        request["version"] = new.version
    return canonical(request)


def find_key(batch: Batch, tenant: str, key: str) -> KeyRow | None:
    """What an idempotency key stands for, as of this batch."""
    return batch.unit.keys.get((tenant, key)) or batch.state.store.find_key(tenant, key)


def find_existing(batch: Batch, new: NewJob, by: Principal) -> str | None:
    """The job that this key made, if the request is the same; a conflict that names the field, if it is not."""
    if new.key is None:
        return None
    found = find_key(batch, by.tenant, new.key)
    if found is None:
        return None
    request, known = request_of(new), batch.trace(found.number).id
    if bytes.fromhex(digest(request)) == found.digest:
        return known
    job = batch.jobs([found.number]).get(found.number)
    # Of a job that was pruned the digest of its request is left, and not what it was in.
    field = "key" if job is None else _other_field(batch, job, new)
    other = "another request" if job is None else f"another {field}"
    raise IdempotencyConflict(f"key {new.key!r} was used for {known} with {other}", field=field, job=known)


def _other_field(batch: Batch, job: JobRow, new: NewJob) -> str:
    """In which field a request differs from the job that was made before."""
    lane = batch.state.lane_of(job)
    stored_digest = job.payload.hex() if job.payload else digest(job.input or b"")
    fresh = [row.parent for row in batch.unit.after if row.number == job.number]
    pairs: dict[str, tuple[Any, Any]] = {
        "kind": (lane.kind, new.kind),
        "queue": (lane.queue, new.queue),
        "input": (stored_digest, new.digest),
        "priority": (job.priority, new.priority),
        "attempts_max": (job.attempts_max, new.attempts_max),
        "backoff_base_us": (job.backoff_base_us, new.backoff_base_us),
        "backoff_cap_us": (job.backoff_cap_us, new.backoff_cap_us),
        "run_timeout_us": (job.run_timeout_us, new.run_timeout_us),
        "queue_timeout_us": (job.queue_timeout_us, new.queue_timeout_us),
        "deadline_after_us": (job.deadline_after_us, new.deadline_after_us),
        "after_failure": (job.after_failure, new.after_failure),
        "tags": (batch.tags(job.number), new.tags),
        "cost": (job.cost, new.cost),
        "partition": (batch.partition_of(job), new.partition),
        "budget": (budget_of(batch, job.number), new.budget),
        "version": (lane.version, new.version if new.is_version_asked else lane.version),
        "after": (
            fresh or batch.state.store.after(job.number),
            [parse_job_id(text).number for text in new.after],
        ),
    }
    # The delay is not kept once it is over, so it is what is left.
    return next((name for name, (old, wanted) in pairs.items() if old != wanted), "delay_us")
