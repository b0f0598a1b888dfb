"""Leases: workers that wait get ready jobs, at the end of each batch."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.principal import ENGINE
from sheratan.contracts.worker import Assignment
from sheratan.engine.batch import Batch
from sheratan.engine.state import Session
from sheratan.kernel.routing import ORDER, choose_jobs
from sheratan.kernel.rules import decision
from sheratan.store.rows import JobRow, Lane, Ready, make_lease

__all__ = ["dispatch"]

_LANES_NAMED_MAX = 64
"""Lanes that a decision lists; the reasons of more would not be read, and an entry has a size."""


def dispatch(batch: Batch) -> None:
    """Serve the workers that wait, first come first served, as long as there is ready work and room."""
    state = batch.state
    if state.intake != "open" or not state.busy_lanes:
        return
    waiting = [session for session in state.sessions.values() if _is_waiting(session)]
    for session in sorted(waiting, key=lambda session: len(session.held)):
        room = state.limits.running_jobs_max - len(state.held)
        if room <= 0:
            return
        _serve(batch, session, room)


def _is_waiting(session: Session) -> bool:
    if session.waiting is not None and session.waiting.is_abandoned:
        # The worker has hung up; jobs given to it now would be lost until its session ends.
        session.waiting = None
    return session.waiting is not None


def _serve(batch: Batch, session: Session, room: int) -> None:
    pending = session.waiting
    assert pending is not None
    slots = min(session.free_slots, batch.state.limits.lease_jobs_max)
    lanes, usable = _lanes_for(batch, session)
    heads, rows = _heads(batch, usable, min(slots, room))
    if not rows:
        # A worker waits on only while nothing that it may run is ready, or the rest is about to be read.
        assert batch.more or not usable
        return
    given = {"worker": session.subject, "slots": slots, "room": room, "lanes": lanes, "heads": heads}
    verdict = choose_jobs(given)
    chosen = [rows[number] for number in verdict.chosen]
    jobs = batch.jobs(verdict.chosen)
    fence = batch.unit.record(
        "worker.leased",
        session.subject,
        {"jobs": [[row.number, row.attempt, row.entry] for row in chosen]},
        ENGINE,
        decision=decision(ORDER, given, verdict),
        previous=session.entry,
    )
    session.entry = fence
    session.waiting = None
    assignments = [_lease(batch, session, row, jobs[row.number], fence) for row in chosen]
    batch.answers.append((pending, assignments, None))


def _lanes_for(batch: Batch, session: Session) -> tuple[list[list[Any]], list[tuple[int, Lane]]]:
    """Every lane with ready jobs as the rule sees it, and the open ones with their place in that list."""
    state = batch.state
    named: list[list[Any]] = []
    usable: list[tuple[int, Lane]] = []
    for lane in state.busy_lanes.values():
        depth = state.windows[lane.lane].depth
        if state.paused(lane.tenant, lane.queue):
            status = "paused"
        else:
            status = "open" if lane.kind in session.kinds else "not_offered"
        if status == "open":
            usable.append((len(named), lane))
        elif len(named) >= _LANES_NAMED_MAX:
            continue
        named.append([lane.queue, lane.kind, depth, status])
    return named, usable


def _heads(
    batch: Batch, usable: list[tuple[int, Lane]], places: int
) -> tuple[list[list[int]], dict[int, Ready]]:
    """The first jobs of the usable lanes: those that can be chosen, and the best of each lane that cannot."""
    heads: list[list[int]] = []
    rows: dict[int, Ready] = {}
    for index, lane in usable:
        window = batch.state.windows[lane.lane]
        for row in window.head(places + 1):
            heads.append([index, row.priority, row.number])
            rows[row.number] = row
        # The window runs low but the lane does not: more is read once this batch is committed.
        batch.more |= window.wants_refill
    if len(usable) > 1:
        heads = _without_hopeless(_known_order(batch, usable, heads, places), places)
    return heads, {head[2]: rows[head[2]] for head in heads}


def _known_order(
    batch: Batch, usable: list[tuple[int, Lane]], heads: list[list[int]], places: int
) -> list[list[int]]:
    """Leave out what may come after jobs of another lane that are only in the database."""
    windows = [batch.state.windows[lane.lane] for _, lane in usable]
    edges = [window.edge for window in windows if not window.whole and len(window) <= places]
    if not edges:
        return heads
    edge = min(edges)
    return [head for head in heads if (head[1], head[2]) <= edge]


def _without_hopeless(heads: list[list[int]], places: int) -> list[list[int]]:
    heads.sort(key=lambda head: (head[1], head[2]))
    kept, seen = heads[:places], set()
    for head in heads[places:]:
        if head[0] not in seen:
            seen.add(head[0])
            kept.append(head)
    return kept


def _lease(batch: Batch, session: Session, row: Ready, job: JobRow, fence: int) -> Assignment:
    lease = make_lease(
        (row.number, row.attempt, row.losses, fence, session.number, batch.at_us, 0, fence, row.steps)
    )
    batch.place(job, row, lease)
    session.held.add(row.number)
    lane = batch.state.lane_by_number[job.lane]
    return Assignment(
        id=batch.state.held[row.number].id,
        number=job.number,
        kind=lane.kind,
        queue=lane.queue,
        attempt=row.attempt,
        attempts_max=job.attempts_max,
        worker_losses=row.losses,
        fence=fence,
        input=msgspec.Raw(_input(batch, job)),
        run_timeout_us=job.run_timeout_us,
        created_us=job.created_us,
        steps=row.steps,
    )


def _input(batch: Batch, job: JobRow) -> bytes:
    if job.payload is None:
        return job.input or b"null"
    return batch.unit.payloads.get(job.payload) or batch.state.store.payload(job.payload)
