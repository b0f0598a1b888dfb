"""Submissions through gates: a debounced job takes the place of the one that waits, a throttled one is not made."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sheratan.contracts.jobs import Receipt
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.by_jobs import submitting_job
from sheratan.engine.commands import SubmitGated
from sheratan.engine.ids import job_id
from sheratan.engine.intake import submit_one
from sheratan.engine.room import check_room
from sheratan.engine.submitted import Source
from sheratan.kernel.gates import DEBOUNCE, THROTTLE, debounce, debounced_us, throttle
from sheratan.kernel.rules import decision
from sheratan.store.gate_rows import GateKey, GateRow
from sheratan.store.rows import JobRow, Result, Timer

__all__ = ["submit"]


def submit(batch: Batch, command: SubmitGated, by: Principal) -> Receipt:
    """Take a job in, or not, as its gate says."""
    by = submitting_job(batch, command.by_job, command.fence, by)
    check_room(batch, (command.job,), by)
    gate = command.gate
    key = (by.tenant, command.job.kind, gate.what, bytes.fromhex(gate.key))
    known = batch.unit.gates.get(key) or batch.state.store.gate(key)
    if known is not None and known.until_us <= batch.at_us:
        # What was submitted under it starts in this very batch, or its period is over.
        known = None
    if gate.what == "debounce":
        return _debounce(batch, command, by, key, known)
    return _throttle(batch, command, by, key, known)


def _debounce(
    batch: Batch, command: SubmitGated, by: Principal, key: GateKey, known: GateRow | None
) -> Receipt:
    gate, at_us = command.gate, batch.at_us
    waiting = None if known is None else _waiting(batch, known)
    since_us, made = (at_us, 0) if known is None or waiting is None else (known.since_us, known.jobs)
    due_us = debounced_us(at_us, since_us, gate.period_us, gate.longest_us)
    bounds = {"window_us": gate.period_us}
    if gate.longest_us:
        bounds["longest_us"] = gate.longest_us
    told = {"debounce": {"key": gate.key, "since_us": since_us, **bounds}}
    new = replace(command.job, delay_us=due_us - at_us)
    job = submit_one(batch, new, by, Source(by_job=command.by_job, told=told))
    batch.unit.gates[key] = GateRow(*key, job.number, since_us, due_us, made + 1)
    if waiting is None:
        return Receipt(id=job_id(job))
    _supersede(batch, waiting, job, {"now_us": at_us, "since_us": since_us, **bounds}, by)
    return Receipt(id=job_id(job), supersedes=job_id(waiting))


def _waiting(batch: Batch, known: GateRow) -> JobRow | None:
    """The job under a key, if it still waits: somebody may have cancelled it."""
    job = batch.jobs([known.number]).get(known.number)
    return job if job is not None and type(batch.locate(job)) is Timer else None


def _supersede(batch: Batch, waiting: JobRow, job: JobRow, given: dict[str, Any], by: Principal) -> None:
    before = batch.locate(waiting)
    entry = batch.unit.record(
        "job.cancelled",
        job_id(waiting),
        {"superseded_by": job_id(job)},
        by,
        decision=decision(DEBOUNCE, given, debounce(given)),
        previous=before.entry,
        cause=batch.locate(job).entry,
    )
    batch.place(waiting, before, Result(waiting.number, "cancelled", 0, 0, batch.at_us, None, None, entry))


def _throttle(
    batch: Batch, command: SubmitGated, by: Principal, key: GateKey, known: GateRow | None
) -> Receipt:
    gate, at_us = command.gate, batch.at_us
    since_us, until_us, made = at_us, at_us + gate.period_us, 0
    if known is not None:
        since_us, until_us, made = known.since_us, known.until_us, known.jobs
        given = {"jobs": gate.jobs, "made": made, "now_us": at_us, "until_us": until_us}
        verdict = throttle(given)
        if verdict.chosen == "drop":
            _drop(batch, command, known, decision(THROTTLE, given, verdict), by)
            return Receipt(id=batch.trace(known.number).id, throttled=True)
    told = {"throttle": {"jobs": gate.jobs, "key": gate.key, "period_us": gate.period_us}}
    job = submit_one(batch, command.job, by, Source(by_job=command.by_job, told=told))
    batch.unit.gates[key] = GateRow(*key, job.number, since_us, until_us, made + 1)
    return Receipt(id=job_id(job))


def _drop(batch: Batch, command: SubmitGated, known: GateRow, record: dict[str, Any], by: Principal) -> None:
    """Write down that a submission was dropped, beside the story of the job that it was answered with."""
    new = command.job
    data = {"input": new.digest, "key": command.gate.key, "kind": new.kind, "queue": new.queue}
    entry = batch.unit.record("job.throttled", batch.trace(known.number).id, data, by, decision=record)
    batch.unit.mentions.append((known.number, entry))
