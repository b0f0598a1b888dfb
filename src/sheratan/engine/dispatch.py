"""Leases: workers that wait get ready jobs, at the end of each batch."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.principal import ENGINE
from sheratan.contracts.worker import Assignment
from sheratan.engine.batch import Batch
from sheratan.engine.flow_state import FlowKey
from sheratan.engine.state import Session
from sheratan.kernel.routing import ORDER, share_jobs
from sheratan.kernel.rules import decision
from sheratan.kernel.sharing import Picked, pick
from sheratan.store.rows import JobRow, Lane, PaceRow, Ready, make_lease

__all__ = ["dispatch"]

_LANES_NAMED_MAX = 64
"""Lanes that a decision lists; the reasons of more would not be read, and an entry has a size."""

_Usable = list[tuple[int, Lane]]
"""The lanes that may be served, each with its place in the list of all."""


def dispatch(batch: Batch) -> None:
    """Serve the workers that wait, first come first served, as long as there is ready work and room."""
    state = batch.state
    state.flow.next_start_us = None
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
    slots = min(session.free_slots, batch.state.limits.lease_jobs_max)
    lanes, usable = _lanes_for(batch, session)
    if not usable:
        return
    places = min(slots, room)
    heads, rows = _heads(batch, usable, places)
    given = {"worker": session.subject, "slots": slots, "room": room, "lanes": lanes, "heads": heads}
    keys = _add_limits(batch, usable, given)
    if len(usable) > 1:
        _add_shares(batch, usable, given, places)
    if keys or len(usable) > 1:
        picked = pick(given)
        _wake_for(batch, picked)
        given["heads"] = _needed(heads, picked)
        _settle_shares(batch, usable, keys, picked)
    elif heads:
        batch.state.flow.take_turns_alone(usable[0][1], min(places, len(heads)))
    _give(batch, session, given, rows)


def _give(batch: Batch, session: Session, given: dict[str, Any], rows: dict[int, Ready]) -> None:
    pending = session.waiting
    assert pending is not None
    verdict = share_jobs(given)
    if not verdict.chosen:
        # A worker waits on only while nothing that it may run is ready, or the rest is about to be read.
        assert batch.more or "limits" in given
        return
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


def _lanes_for(batch: Batch, session: Session) -> tuple[list[list[Any]], _Usable]:
    """Every lane with ready jobs as the rule sees it, and the open ones with their place in that list."""
    state = batch.state
    named: list[list[Any]] = []
    usable: _Usable = []
    for lane in state.busy_lanes.values():
        depth = state.windows[lane.lane].depth
        status = state.flow.pause(lane) or ("open" if lane.offered_as in session.offers else "not_offered")
        if status == "open":
            usable.append((len(named), lane))
        elif len(named) >= _LANES_NAMED_MAX:
            continue
        named.append([lane.queue, lane.offered_as, depth, status])
    return named, usable


def _heads(batch: Batch, usable: _Usable, places: int) -> tuple[list[list[int]], dict[int, Ready]]:
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
    return heads, rows


def _add_limits(batch: Batch, usable: _Usable, given: dict[str, Any]) -> list[FlowKey]:
    """Add to what the rule is given what limits the usable lanes, if anything does; returns those limits."""
    flow = batch.state.flow
    if not flow.bound:
        return []
    lanes: dict[FlowKey, list[int]] = {}
    for index, lane in usable:
        for key in flow.bound.get(lane.lane, ()):
            lanes.setdefault(key, []).append(index)
    if not lanes:
        return []
    given["at_us"] = batch.at_us
    given["limits"] = [[key[1], indexes, *flow.limit(key)] for key, indexes in lanes.items()]
    _add_costs(batch, given, {index for key in lanes if flow.rows[key].rate_count for index in lanes[key]})
    return list(lanes)


def _add_costs(batch: Batch, given: dict[str, Any], paced: set[int]) -> None:
    """Add what jobs count for, where that is not 1 and a rate limits their start."""
    heads = [head for head in given["heads"] if head[0] in paced]
    jobs = batch.jobs([head[2] for head in heads]) if heads else {}
    for head in heads:
        if jobs[head[2]].cost != 1:
            head.append(jobs[head[2]].cost)


def _add_shares(batch: Batch, usable: _Usable, given: dict[str, Any], places: int) -> None:
    """Add to what the rule is given whose turn it is, and of which lanes only a part is in memory."""
    state = batch.state
    shares = [[index, *state.flow.share(lane)] for index, lane in usable]
    uneven = [share for share in shares if share[1:] != [1, 0]]
    if uneven:
        given["shares"] = uneven
    windows = {index: state.windows[lane.lane] for index, lane in usable}
    unread = [index for index, window in windows.items() if not window.whole and len(window) <= places]
    if unread:
        given["unread"] = unread


def _needed(heads: list[list[int]], picked: Picked) -> list[list[int]]:
    """The heads that decide: those that are chosen, and the next one of each lane."""
    chosen = {head[2] for head in picked.chosen}
    kept: list[list[int]] = []
    seen: set[int] = set()
    for head in heads:
        if head[2] not in chosen:
            if head[0] in seen:
                continue
            seen.add(head[0])
        kept.append(head)
    return kept


def _wake_for(batch: Batch, picked: Picked) -> None:
    """Wake up when the next job may start that only a rate holds up."""
    flow = batch.state.flow
    for stop in picked.stops.values():
        if stop.until_us is not None:
            flow.next_start_us = min(flow.next_start_us or stop.until_us, stop.until_us)


def _settle_shares(batch: Batch, usable: _Usable, keys: list[FlowKey], picked: Picked) -> None:
    """Note what the choice makes of turns and rates."""
    flow, lanes = batch.state.flow, dict(usable)
    if len(usable) > 1:
        flow.take_turns({lanes[index].lane: tag for index, tag in picked.tags.items()}, picked.turn)
    elif picked.chosen:
        flow.take_turns_alone(usable[0][1], len(picked.chosen))
    for index, pace in picked.paces.items():
        flow.paces[keys[index]] = pace
        batch.unit.paces[keys[index]] = PaceRow(*keys[index], *pace)


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
        input=msgspec.Raw(batch.body(job.input, job.payload)),
        run_timeout_us=job.run_timeout_us,
        created_us=job.created_us,
        steps=row.steps,
        version=lane.version,
    )
