"""Workers on duty: they register, are heard of, and go."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.code import versioned
from sheratan.contracts.errors import NotFound
from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import EndSession, Heartbeat, LeaseJobs, Pending, RegisterWorker
from sheratan.engine.flow import declare, declared
from sheratan.engine.settle import lose
from sheratan.engine.state import Session

__all__ = ["end_session", "heartbeat", "lose_worker", "register", "session_of", "wait_for_jobs"]


def register(batch: Batch, command: RegisterWorker, by: Principal) -> int:
    """A worker comes on duty; its session number is the entry that says so."""
    wanted = command.registration
    limited = declared(batch, wanted.kinds, by)
    number = batch.unit.next_seq
    offers = {versioned(kind.name, kind.version): kind.code for kind in wanted.kinds}
    data: dict[str, Any] = {"kinds": sorted(offers), "slots": wanted.slots}
    codes = {kind: code for kind, code in offers.items() if code}
    if codes:
        data["codes"] = codes
    collects = {
        versioned(kind.name, kind.version): (
            kind.collect.jobs_max,
            round(kind.collect.wait_seconds * 1_000_000),
        )
        for kind in wanted.kinds
        if kind.collect is not None
    }
    if collects:
        data["collects"] = {kind: list(wanted) for kind, wanted in collects.items()}
    subject = f"worker:{wanted.name}/{number}"
    entry = batch.unit.record("worker.registered", subject, data, by)
    session = Session(
        number, wanted.name, offers, local=command.local, entry=entry, heard_us=batch.monotonic_us
    )
    session.collects = collects
    batch.state.sessions[number] = session
    batch.state.look_again(offers)
    batch.more |= bool(batch.state.looks)
    for kind in limited:
        declare(batch, kind, by, entry)
    return number


def session_of(batch: Batch, number: int) -> Session:
    """A worker on duty, which has just been heard of."""
    session = batch.state.sessions.get(number)
    if session is None:
        raise NotFound(f"there is no worker session {number}; register again", field="session")
    session.heard_us = batch.monotonic_us
    return session


def wait_for_jobs(batch: Batch, pending: Pending, command: LeaseJobs) -> None:
    """A worker has free slots; a later wish replaces an earlier one."""
    session = session_of(batch, command.session)
    if session.waiting is not None:
        batch.answers.append((session.waiting, [], None))
    session.waiting, session.free_slots = pending, command.slots


def heartbeat(batch: Batch, command: Heartbeat, by: Principal) -> None:
    """A worker is alive, and says which of its breakers are not closed."""
    session_of(batch, command.session).breakers = command.breakers


def end_session(batch: Batch, command: EndSession, by: Principal) -> None:
    """A worker goes; what it still held is lost with it."""
    session = batch.state.sessions.get(command.session)
    if session is not None:
        lose_worker(batch, session, by, reason="the worker went away")


def lose_worker(
    batch: Batch,
    session: Session,
    by: Principal = ENGINE,
    *,
    reason: str,
    record: dict[str, Any] | None = None,
) -> None:
    """Take a worker off duty and decide anew about the jobs that it held."""
    held = sorted(session.held)
    data = {"reason": reason, "held": len(held)}
    entry = batch.unit.record(
        "worker.ended", session.subject, data, by, decision=record, previous=session.entry
    )
    del batch.state.sessions[session.number]
    batch.state.look_again(session.offers)
    batch.more |= bool(batch.state.looks)
    if session.waiting is not None:
        batch.answers.append((session.waiting, [], None))
    error = JobError(error_class="lost_lease", type="WorkerLost", message=f"{session.subject}: {reason}")
    for number in held:
        lose(batch, batch.state.held[number], error, cause=entry)
