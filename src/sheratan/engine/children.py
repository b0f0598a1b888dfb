"""Jobs that a running job submits as one of its steps: both in one commit, so once however often it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sheratan.contracts.errors import InvalidInput, TooLarge
from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.contracts.proposals import PROPOSED, ProposalAnswer
from sheratan.contracts.worker import SPAWN_PREFIX
from sheratan.engine.batch import Batch
from sheratan.engine.by_jobs import find_running
from sheratan.engine.commands import NewStep, Propose, Spawn, Submit
from sheratan.engine.control import cancel_job
from sheratan.engine.ids import job_id
from sheratan.engine.intake import submit
from sheratan.engine.state import Held
from sheratan.engine.steps import find_recorded, write_step
from sheratan.store.rows import JobRow, Result, StepRow

__all__ = ["cancel_children", "find_known", "spawn", "write_answer"]

_ENDED: Final = {"succeeded": "has succeeded", "failed": "has failed", "cancelled": "was cancelled"}


def spawn(batch: Batch, command: Spawn, by: Principal) -> list[str]:
    """Take the jobs in and record the step; returns their ids. A step that is recorded already gives what it gave."""
    held = find_running(batch, command.number, command.fence)
    known = find_known(batch, held, command)
    if known is not None:
        return msgspec.json.decode(known, type=list[str])
    receipts = submit(batch, Submit(jobs=command.jobs, by_job=command.number, fence=command.fence), by)
    ids = [public_id for public_id, _ in receipts]
    write_answer(batch, command, ids, by)
    return ids


def write_answer(
    batch: Batch, command: Spawn | Propose, answer: list[str] | ProposalAnswer, by: Principal
) -> None:
    """Record what a call has come to as the step that it is."""
    step = NewStep(
        number=command.number,
        fence=command.fence,
        step=command.step,
        name=command.name,
        occurrence=command.occurrence,
        output=msgspec.json.encode(answer),
    )
    write_step(batch, batch.state.held[command.number], step, by)


def find_known(batch: Batch, held: Held, command: Spawn | Propose) -> bytes | None:
    """What the step of a call that comes again has given, for its answer was lost; None when it is the next step."""
    if command.step > held.lease.steps:
        _check(batch, held, command)
        return None
    row = find_recorded(batch, command.number, command.step)
    if (row.name, row.occurrence, row.failed) != (command.name, command.occurrence, 0):
        raise InvalidInput(f"step {command.step} is recorded, and it is not this one", field="step")
    return batch.body(row.output, row.payload)


def cancel_children(batch: Batch, parent: JobRow, result: Result) -> None:
    """A job has ended, so what was made of its proposals is not wanted any more.

    When it has not succeeded, neither are the jobs that it has spawned.
    """
    for row in _spawn_steps(batch, parent.number):
        has_proposed = row.name == PROPOSED
        if not has_proposed and result.state == "succeeded":
            continue
        how = "proposed" if has_proposed else "spawned"
        reason = f"{job_id(parent)}, which had {how} it, {_ENDED[result.state]}"
        for job in _spawned(batch, parent, row):
            if type(batch.locate(job)) is not Result:
                cancel_job(batch, job, ENGINE, reason, result.entry)


def _spawned(batch: Batch, parent: JobRow, row: StepRow) -> Iterator[JobRow]:
    """The jobs of a step. One that was there before, under its key, is none of them; it may have been pruned."""
    for number in [parse_job_id(text).number for text in _ids(batch, row)]:
        job = batch.jobs([number]).get(number)
        if job is not None and job.submitted_by == parent.number:
            yield job


def _spawn_steps(batch: Batch, number: int) -> list[StepRow]:
    """The steps of a job that have spawned others, as of this batch."""
    fresh = [row for row in batch.unit.steps if row.number == number and not row.failed]
    return [
        *batch.state.store.spawn_steps(number),
        *(row for row in fresh if row.name.startswith(SPAWN_PREFIX)),
    ]


def _check(batch: Batch, held: Held, command: Spawn | Propose) -> None:
    if command.step != held.lease.steps + 1:
        raise InvalidInput(f"step {command.step} follows step {held.lease.steps}", field="step")
    most = batch.state.limits.steps_max
    if command.step > most:
        raise TooLarge(f"the job would have more than {most} steps (limits.steps_max)", field="step")


def _ids(batch: Batch, row: StepRow) -> list[str]:
    data = batch.body(row.output, row.payload)
    if row.name != PROPOSED:
        return msgspec.json.decode(data, type=list[str])
    verdicts = msgspec.json.decode(data, type=ProposalAnswer).verdicts
    return [verdict for verdict in verdicts if isinstance(verdict, str)]
