"""Ends of attempts: reports of workers, lost workers, time limits; and what follows from each."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.engine.batch import Batch
from sheratan.engine.billing import due_of
from sheratan.engine.code import block
from sheratan.engine.commands import Ending, NewStep, Settle
from sheratan.engine.job_budgets import told_budgets
from sheratan.engine.state import Held
from sheratan.engine.waits import check_waits, park
from sheratan.kernel.canonical import digest
from sheratan.kernel.outcome import SETTLE, settle
from sheratan.kernel.retry import BACKOFF, BACKOFF_IN_TIME, BACKOFF_WITHIN
from sheratan.kernel.rules import decision, find_rule
from sheratan.store.rows import TIMER_RETRY, FailureRow, Lease, Ready, Timer, make_result

__all__ = ["Said", "decide_again", "end", "keep_evidence", "lose", "settle_reports"]

_SEED_BITS = 52
"""Seeds are JSON integers, so they stay below 2^53."""


def settle_reports(batch: Batch, command: Settle, by: Principal) -> list[bool]:
    """Apply reports and say of each whether it counted; a stale fence changes nothing."""
    for report in command.reports:
        if report.waits:
            check_waits(batch, report)
    session = batch.state.sessions.get(command.session)
    if session is not None:
        # The slots of a lease call that still waits grow by what has just been freed.
        session.free_slots += len(command.reports)
        if session.waiting is not None and any(one.outcome == "released" for one in command.reports):
            # Only a worker that stops hands jobs back: given them again, it would lose them.
            batch.answers.append((session.waiting, [], None))
            session.waiting = None
    return [_settle_report(batch, report, by) for report in command.reports]


def _settle_report(batch: Batch, report: Ending, by: Principal) -> bool:
    held = batch.state.held.get(report.number)
    given = _given(report, held.lease if held else None)
    verdict = settle(given)
    if held is None or verdict.chosen == "fenced_off":
        keep_evidence(batch, report, by)
        return False
    if report.charge is not None:
        batch.reported[report.number] = report.charge
    record = decision(SETTLE, given, verdict)
    if verdict.chosen == "succeeded":
        _succeed(batch, held, report.output, record, by)
    else:
        _stop(batch, held, report, (verdict.chosen, record), by)
    return True


def _stop(
    batch: Batch, held: Held, report: Ending, decided: tuple[str, dict[str, Any]], by: Principal
) -> None:
    """An attempt has not succeeded: what becomes of its job."""
    chosen, record = decided
    if chosen == "cancelled":
        end(batch, held, "cancelled", Said({"attempt": held.lease.attempt}, record, by))
    elif chosen == "released":
        _hand_back(batch, held, record, by)
    elif chosen == "waiting":
        park(batch, held, report.waits, record, by)
    elif chosen == "code_changed":
        block(batch, held, report, record, by)
    else:
        error = report.error or JobError(
            error_class="bug", type="UnknownError", message="the worker gave no error"
        )
        decide_again(batch, held, error, by)


def _given(report: Ending | NewStep, lease: Lease | None) -> dict[str, Any]:
    return {
        "outcome": report.outcome,
        "attempt": lease.attempt if lease else None,
        "fence": report.fence,
        "fence_current": lease.fence if lease else None,
        "cancel_requested": bool(lease and lease.cancel_us),
    }


class Said(msgspec.Struct, frozen=True, gc=False):
    """What an entry says: its data, the decision, who caused it, and an entry that led to it."""

    data: dict[str, Any]
    decision: dict[str, Any]
    by: Principal
    cause: int | None = None


def end(
    batch: Batch,
    held: Held,
    state: str,
    said: Said,
    *,
    output: bytes | None = None,
    losses: int | None = None,
) -> int:
    """End a running job and return the entry that says so."""
    lease, job = held.lease, held.job
    entry = _write(batch, held, f"job.{state}", said)
    payload = None
    if output is not None and len(output) > batch.state.limits.inline_bytes_max:
        payload = bytes.fromhex(digest(output))
        batch.unit.payloads[payload] = output
        output = None
    losses = lease.losses if losses is None else losses
    finished = make_result((job.number, state, lease.attempt, losses, batch.at_us, output, payload, entry))
    batch.place(job, lease, finished)
    return entry


def decide_again(
    batch: Batch, held: Held, error: JobError, by: Principal = ENGINE, *, cause: int | None = None
) -> None:
    """An attempt has failed: try again later, at once, or give up."""
    lease, job = held.lease, held.job
    losses = lease.losses + (error.error_class == "lost_lease")
    given = _given_again(batch, held, error, losses)
    rule = BACKOFF_IN_TIME if job.deadline_us else BACKOFF_WITHIN if "budget" in given else BACKOFF
    verdict = find_rule(rule)(given)
    record = decision(rule, given, verdict)
    text = msgspec.json.encode(error)
    data = {
        "attempt": lease.attempt,
        "fence": lease.fence,
        "error": {"class": error.error_class, "type": error.type, "digest": digest(text)},
    }
    said = Said(data, record, by, cause)
    action = verdict.chosen["action"]
    # No job is tried more often than it may be.
    assert action != "retry" or given["failures"] < job.attempts_max
    assert action != "requeue" or losses < batch.state.limits.worker_losses_max
    if action == "fail":
        entry = end(batch, held, "failed", said, losses=losses)
        batch.bury(job.number, error)
    elif action == "retry":
        entry = _write(batch, held, "job.retried", said)
        due_us = batch.at_us + verdict.chosen["delay_us"]
        timer = Timer(
            due_us, job.number, TIMER_RETRY, lease.attempt + 1, losses, batch.at_us, entry, lease.steps
        )
        batch.place(job, lease, timer)
    else:
        entry = _write(batch, held, "job.requeued", said)
        ready = Ready(
            job.lane, job.priority, job.number, lease.attempt + 1, losses, batch.at_us, entry, lease.steps
        )
        batch.place(job, lease, ready)
    batch.unit.failures.append(FailureRow(job.number, entry, text))


def _given_again(batch: Batch, held: Held, error: JobError, losses: int) -> dict[str, Any]:
    """What the rule is told."""
    lease, job, asked = held.lease, held.job, error.retry_after_seconds
    given: dict[str, Any] = {
        "error_class": error.error_class,
        "failures": lease.attempt - losses,
        "attempts_max": job.attempts_max,
        "losses": losses,
        "losses_max": batch.state.limits.worker_losses_max,
        "base_us": job.backoff_base_us,
        "cap_us": job.backoff_cap_us,
        "retry_after_us": None if asked is None else int(asked * 1_000_000),
        "seed": batch.randomness.bits("backoff", _SEED_BITS),
    }
    budget = told_budgets(batch, [job]).get(job.number)
    charge = batch.state.billing.open.get(job.number)
    if budget is not None:
        if charge is not None and charge.unit == budget["unit"]:
            budget["charged"] += due_of(batch, charge)
        given["budget"] = budget
    if job.deadline_us:
        given["left_us"] = job.deadline_us - batch.at_us
    return given


def lose(
    batch: Batch, held: Held, error: JobError, by: Principal = ENGINE, *, cause: int | None = None
) -> None:
    """An attempt was lost with its worker: try again, unless the job was to be cancelled anyway."""
    lease = held.lease
    if not lease.cancel_us:
        decide_again(batch, held, error, by, cause=cause)
        return
    given = {
        "outcome": "released",
        "attempt": lease.attempt,
        "fence": lease.fence,
        "fence_current": lease.fence,
        "cancel_requested": True,
    }
    record = decision(SETTLE, given, settle(given))
    end(batch, held, "cancelled", Said({"attempt": lease.attempt}, record, by, cause))


def _write(batch: Batch, held: Held, entry_type: str, said: Said) -> int:
    return batch.unit.record(
        entry_type,
        held.id,
        said.data,
        said.by,
        decision=said.decision,
        previous=held.lease.entry,
        cause=said.cause,
    )


def _succeed(batch: Batch, held: Held, output: bytes, record: dict[str, Any], by: Principal) -> None:
    data = {"attempt": held.lease.attempt, "output": digest(output)}
    end(batch, held, "succeeded", Said(data, record, by), output=output)


def _hand_back(batch: Batch, held: Held, record: dict[str, Any], by: Principal) -> None:
    """The attempt was not finished through no fault of the job: it goes back with the same attempt number."""
    lease, job = held.lease, held.job
    entry = _write(batch, held, "job.requeued", Said({"attempt": lease.attempt}, record, by))
    attempt, losses, steps = lease.attempt, lease.losses, lease.steps
    ready = Ready(job.lane, job.priority, job.number, attempt, losses, batch.at_us, entry, steps)
    batch.place(job, lease, ready)


def keep_evidence(batch: Batch, report: Ending | NewStep, by: Principal) -> None:
    """A stale report changes no state; that it came is written down, beside the job's own story."""
    if not 0 < report.number < batch.unit.next_number:
        return
    job, held = batch.trace(report.number).id, batch.state.held.get(report.number)
    data = {"job": job, "outcome": report.outcome, "output": digest(report.output)}
    given = _given(report, held.lease if held else None)
    record = decision(SETTLE, given, settle(given))
    entry = batch.unit.record(
        "job.fenced_off", by.actor, data, by, decision=record, cause=_cause(batch, report.fence)
    )
    batch.unit.mentions.append((report.number, entry))


def _cause(batch: Batch, fence: int) -> int | None:
    return fence if 0 <= fence < batch.unit.next_seq else None
