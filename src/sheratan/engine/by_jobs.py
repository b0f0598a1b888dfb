"""Jobs that a running job submits: it is known by its fence, they are counted, and they belong to its tree."""

from __future__ import annotations

from collections.abc import Iterable

from sheratan.contracts.errors import LimitReached, LostLease
from sheratan.contracts.principal import Principal
from sheratan.contracts.tracing import attempt_span, pack, trace_of, unpack
from sheratan.engine.batch import Batch
from sheratan.engine.state import Held
from sheratan.engine.trees import find_member, join

__all__ = ["count_fan_out", "find_running", "join_tree", "submitting_job", "trace_of_child"]


def find_running(batch: Batch, number: int, fence: int | None) -> Held:
    """The lease of a job that submits others; LostLease when it has none under this fence."""
    held = batch.state.held.get(number)
    if held is None or held.lease.fence != fence:
        raise LostLease("the job that submits has lost its lease, so it submits nothing", field="fence")
    return held


def submitting_job(batch: Batch, by_job: int | None, fence: int | None, by: Principal) -> Principal:
    """Who submits: a running job is known by its fence, and acts on behalf of whoever runs its worker."""
    if by_job is None:
        return by
    held = find_running(batch, by_job, fence)
    return Principal(actor=held.id, auth="lease", on_behalf_of=by.on_behalf_of, tenant=by.tenant)


def count_fan_out(batch: Batch, by_job: int, jobs: int) -> None:
    """Count jobs that a running job submits; LimitReached when they are too many."""
    state = batch.state
    submitted, most = state.fan_out.get(by_job, 0) + jobs, state.limits.fan_out_jobs_max
    if submitted > most:
        raise LimitReached(
            f"the job would submit {submitted} jobs; at most {most} (limits.fan_out_jobs_max)", field="jobs"
        )
    state.fan_out[by_job] = submitted


def trace_of_child(batch: Batch, by_job: int | None) -> bytes | None:
    """The trace that a job goes on with which a running job submits: that of its attempt, if a caller has given one."""
    if by_job is None:
        return None
    held = batch.state.held[by_job]
    if held.job.trace is None:
        return None
    trace = trace_of(held.id, unpack(held.job.trace))
    return pack(trace.parent_of(attempt_span(held.id, held.lease.attempt)))


def join_tree(batch: Batch, by_job: int, numbers: Iterable[int]) -> None:
    """What a job of a tree submits belongs to that tree, and is as deep as it."""
    member = find_member(batch, by_job)
    if member is not None:
        join(batch, member, numbers, member.depth)
