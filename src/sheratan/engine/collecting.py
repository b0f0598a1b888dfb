"""Lanes whose jobs are collected: which of them may be served now, and which jobs run together."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from sheratan.contracts.worker import Assignment
from sheratan.engine.batch import Batch
from sheratan.engine.lease_input import Usable
from sheratan.engine.state import Session
from sheratan.kernel.collecting import Member, groups_of, waits_until
from sheratan.store.rows import JobRow, Lane, Ready

__all__ = ["are_known", "collected", "grouped", "in_groups"]


def are_known(batch: Batch, session: Session, usable: Usable) -> bool:
    """Whether the next jobs of all lanes that collect are in memory; else they are read after this batch."""
    lanes = (lane for _, lane in usable if lane.offered_as in session.collects)
    return not any(None in _firsts(batch, lane) for lane in lanes)


def collected(batch: Batch, session: Session, usable: Usable) -> tuple[Usable, list[list[int]]]:
    """The lanes that may be served of those that are open; and of those that collect, what the rule has to know."""
    served: Usable = []
    told: list[list[int]] = []
    flow = batch.state.flow
    for index, lane in usable:
        wanted = session.collects.get(lane.offered_as)
        until_us = None
        if wanted is not None:
            since_us = _since(batch, lane)
            told.append([index, *wanted, since_us])
            until_us = waits_until(*wanted, _depth(batch, lane), since_us, batch.at_us)
        if until_us is None:
            served.append((index, lane))
        else:
            flow.next_start_us = min(flow.next_start_us or until_us, until_us)
    return served, told


def grouped(batch: Batch, session: Session, jobs: Sequence[JobRow]) -> list[list[int]]:
    """Which of the jobs that a worker is given run together."""
    lanes = [batch.state.lane_of(job) for job in jobs]
    return groups_of(
        Member(job.number, lane.lane, session.collects.get(lane.offered_as, (None,))[0])
        for job, lane in zip(jobs, lanes, strict=True)
    )


def in_groups(assignments: list[Assignment], groups: list[list[int]]) -> list[Assignment]:
    """What a worker is given, told with what it runs together."""
    first = {number: group[0] for group in groups for number in group}
    return [replace(one, group=first.get(one.number, 0)) for one in assignments]


def _depth(batch: Batch, lane: Lane) -> int:
    return batch.state.windows[lane.lane].depth + batch.state.partitions.depth(lane.lane)


def _since(batch: Batch, lane: Lane) -> int:
    """Since when the next job of a lane is ready; where it has partitions, of the one that has the oldest."""
    return min(row.since_us for row in _firsts(batch, lane) if row is not None)


def _firsts(batch: Batch, lane: Lane) -> list[Ready | None]:
    """The next job of a lane, or of each of its partitions; None where it is not in memory."""
    state = batch.state
    turns = state.partitions.turns.get(lane.lane)
    members = [lane.lane, *(turns.members if turns is not None else ())]
    return [state.windows[member].first for member in members if state.windows[member].depth]
