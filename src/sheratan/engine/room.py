"""Room for jobs: refusals of those that would make too many lanes or partitions."""

from __future__ import annotations

from collections.abc import Sequence

from sheratan.contracts.errors import LimitReached
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import NewJob

__all__ = ["check_queue_count", "check_room", "has_partition_room"]


def check_room(batch: Batch, jobs: Sequence[NewJob], by: Principal) -> None:
    """Refuse jobs that would make too many lanes or partitions."""
    if len(batch.state.lanes) + len(jobs) > batch.state.limits.queues_max:
        check_queue_count(batch, jobs, by)
    for new in jobs:
        if new.partition:
            if not has_partition_room(batch, jobs, by):
                queued, most = batch.state.partitions.queued, batch.state.limits.partitions_queued_max
                raise LimitReached(
                    f"{queued} partitions have queued jobs and at most {most} may"
                    " (limits.partitions_queued_max)",
                    field="partition",
                )
            break


def check_queue_count(batch: Batch, jobs: Sequence[NewJob], by: Principal) -> None:
    """Refuse jobs that would make too many lanes."""
    state = batch.state
    wanted = {(by.tenant, new.queue, new.kind, new.version) for new in jobs} - state.lanes.keys()
    if len(state.lanes) + len(wanted) > state.limits.queues_max:
        raise LimitReached(
            f"there are {len(state.lanes)} combinations of queue and kind and at most"
            f" {state.limits.queues_max} may exist (limits.queues_max)",
            field="queue",
        )


def has_partition_room(batch: Batch, jobs: Sequence[NewJob], by: Principal) -> bool:
    """However many jobs of a partition wait, it counts once; what comes later than at once is not counted here."""
    state = batch.state
    wanted = {(new.queue, new.kind, new.version, new.partition) for new in jobs if new.partition}
    room = state.limits.partitions_queued_max - state.partitions.queued
    if len(wanted) <= room:
        return True
    return sum(not batch.is_queued((by.tenant, *one[:3]), one[3]) for one in wanted) <= room
