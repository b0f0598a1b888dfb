"""Leases: workers that wait get ready jobs, at the end of each batch."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.principal import ENGINE
from sheratan.contracts.tracing import unpack
from sheratan.contracts.worker import Assignment
from sheratan.engine.batch import Batch
from sheratan.engine.billing import start_charges
from sheratan.engine.collecting import are_known, collected, grouped, in_groups
from sheratan.engine.dispatch_ageing import are_ageing
from sheratan.engine.dispatch_partitions import are_among, choose
from sheratan.engine.flow_state import FlowKey
from sheratan.engine.funds import add_funds
from sheratan.engine.lease_input import (
    Usable,
    add_limits,
    add_shares,
    add_unread,
    heads_of,
    lanes_for,
    needed,
)
from sheratan.engine.run_budgets import pick_startable
from sheratan.engine.state import Session
from sheratan.kernel.billing import payee_of
from sheratan.kernel.collecting import COLLECTED_ORDER
from sheratan.kernel.routing import AGEING_ORDER, ORDER, PARTITION_ORDER
from sheratan.kernel.rules import decision, find_rule
from sheratan.kernel.sharing import Picked, pick
from sheratan.store.rows import JobRow, PaceRow, Ready, make_lease

__all__ = ["dispatch"]


def dispatch(batch: Batch) -> None:
    """Serve the workers that wait, first come first served, as long as there is ready work and room."""
    state = batch.state
    state.flow.next_start_us = None
    if state.allowed.dispatch != "allow" or not state.busy_lanes or batch.is_behind:
        return
    waiting = [session for session in state.sessions.values() if _is_waiting(session)]
    for session in sorted(waiting, key=lambda session: len(session.held)):
        room = state.limits.running_jobs_max - len(state.held)
        if room <= 0:
            return
        _serve(batch, session, room)
    batch.more |= _may_collect(waiting)


def _may_collect(waiting: list[Session]) -> bool:
    """Whether what others were given may have left a job in front that has waited for long enough to be collected."""
    left = [session for session in waiting if session.waiting is not None]
    return len(left) < len(waiting) and any(session.collects for session in left)


def _is_waiting(session: Session) -> bool:
    if session.waiting is not None and session.waiting.is_abandoned:
        # The worker has hung up; jobs given to it now would be lost until its session ends.
        session.waiting = None
    return session.waiting is not None


def _serve(batch: Batch, session: Session, room: int) -> None:
    slots = min(session.free_slots, batch.state.limits.lease_jobs_max)
    lanes, usable = lanes_for(batch, session)
    if not usable:
        return
    given: dict[str, Any] = {"worker": session.subject, "slots": slots, "room": room, "lanes": lanes}
    if session.collects:
        if not are_known(batch, session, usable):
            # What it collects may have waited for long enough, and may be more urgent than all else.
            batch.more = True
            return
        usable = _collected(batch, session, usable, given)
    places = min(slots, room)
    if are_ageing(batch.state.flow.ageing, usable) or are_among(batch.state.partitions.turns, usable):
        rows = choose(batch, usable, given, places)
    else:
        rows = _choose_alone(batch, usable, given, places) if usable else {}
    if rows:
        _give(batch, session, rows, given)


def _collected(batch: Batch, session: Session, usable: Usable, given: dict[str, Any]) -> Usable:
    """The lanes that are not being collected; the rule is told of those that may be."""
    usable, collects = collected(batch, session, usable)
    if collects:
        given["collects"], given["at_us"] = collects, batch.at_us
    return usable


def _choose_alone(batch: Batch, usable: Usable, given: dict[str, Any], places: int) -> dict[int, Ready]:
    """Complete what the rule is given where nobody has partitions; note what its choice makes of turns and rates.

    Returns the rows; without rows nothing can be chosen.
    """
    heads, rows = heads_of(batch, usable, places)
    given["heads"] = heads
    keys = add_limits(batch, usable, given)
    add_funds(batch, usable, given)
    if len(usable) > 1:
        add_shares(batch, usable, given)
        add_unread(batch, usable, given, places)
    if "limits" in given or len(usable) > 1:
        picked = pick_startable(batch, given, pick)
        if picked is None:
            return {}
        _wake_for(batch, picked)
        given["heads"] = needed(heads, picked.chosen)
        _settle_shares(batch, usable, keys, picked)
    elif heads:
        batch.state.flow.take_turns_alone(usable[0][1], min(places, len(heads)))
    return rows


def _rule_for(given: dict[str, Any]) -> str:
    """Which version of the rule decides."""
    if "collects" in given:
        return COLLECTED_ORDER
    if "ageing" in given:
        return AGEING_ORDER
    return PARTITION_ORDER if "partitions" in given else ORDER


def _give(batch: Batch, session: Session, rows: dict[int, Ready], given: dict[str, Any]) -> None:
    pending = session.waiting
    assert pending is not None
    rule = _rule_for(given)
    verdict = find_rule(rule)(given)
    if not verdict.chosen:
        # A worker waits on only while nothing that it may run is ready, or the rest is about to be read.
        assert batch.more or "limits" in given
        return
    chosen = [rows[number] for number in verdict.chosen]
    jobs = batch.jobs(verdict.chosen)
    data: dict[str, Any] = {"jobs": [[row.number, row.attempt, row.entry] for row in chosen]}
    if "collects" in given:
        data["groups"] = grouped(batch, session, [jobs[number] for number in verdict.chosen])
    fence = batch.unit.record(
        "worker.leased",
        session.subject,
        data,
        ENGINE,
        decision=decision(rule, given, verdict),
        previous=session.entry,
    )
    session.entry = fence
    session.waiting = None
    assignments = [_lease(batch, session, row, jobs[row.number], fence) for row in chosen]
    batch.leased += chosen
    if batch.state.billing.prices:
        assignments = start_charges(batch, assignments, payee_of(session.subject))
    if "groups" in data:
        assignments = in_groups(assignments, data["groups"])
    batch.answers.append((pending, assignments, None))


def _wake_for(batch: Batch, picked: Picked) -> None:
    """Wake up when the next job may start that only a rate holds up."""
    flow = batch.state.flow
    for stop in picked.stops.values():
        if stop.until_us is not None:
            flow.next_start_us = min(flow.next_start_us or stop.until_us, stop.until_us)


def _settle_shares(batch: Batch, usable: Usable, keys: list[FlowKey], picked: Picked) -> None:
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
    lane, held = batch.state.lane_of(job), batch.state.held[row.number]
    return Assignment(
        id=held.id,
        number=job.number,
        kind=lane.kind,
        queue=lane.queue,
        attempt=row.attempt,
        attempts_max=job.attempts_max,
        worker_losses=row.losses,
        fence=fence,
        input=msgspec.Raw(batch.body(job.input, job.payload)),
        run_timeout_us=held.run_due_us - held.began_us,
        created_us=job.created_us,
        steps=row.steps,
        version=lane.version,
        traceparent=unpack(job.trace),
    )
