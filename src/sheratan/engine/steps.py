"""Steps of running attempts: each is recorded once, and every later attempt reads it instead of running it again."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from sheratan.contracts.errors import InvalidInput, TooLarge
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import NewStep, RecordSteps
from sheratan.engine.settle import keep_evidence
from sheratan.engine.state import Held
from sheratan.kernel.canonical import digest
from sheratan.store.rows import StepRow

__all__ = ["find_recorded", "record_steps", "write_step"]


def record_steps(batch: Batch, command: RecordSteps, by: Principal) -> list[bool]:
    """Record steps, all or none, and say of each whether it counted; a stale fence changes nothing."""
    _check(batch, command.steps)
    return [_record(batch, step, by) for step in command.steps]


def _check(batch: Batch, steps: tuple[NewStep, ...]) -> None:
    """Refuse what only a worker at fault sends, before anything is recorded."""
    counts: dict[int, int] = {}
    for step in steps:
        held = batch.state.held.get(step.number)
        if held is None or held.lease.fence != step.fence:
            continue
        if step.step <= held.lease.steps:
            # The answer was lost on the way, and it comes again.
            _check_same(batch, step)
            continue
        count = counts.get(step.number, held.lease.steps)
        if step.step != count + 1:
            raise InvalidInput(f"step {step.step} follows step {count}", field="steps")
        counts[step.number] = step.step
        most = batch.state.limits.steps_max
        if step.step > most:
            raise TooLarge(f"the job would have more than {most} steps (limits.steps_max)", field="steps")


def _record(batch: Batch, step: NewStep, by: Principal) -> bool:
    held = batch.state.held.get(step.number)
    if held is None or held.lease.fence != step.fence:
        keep_evidence(batch, step, by)
        return False
    if step.step > held.lease.steps:
        write_step(batch, held, step, by)
    return True


def find_recorded(batch: Batch, number: int, step: int) -> StepRow:
    """A step that a job has recorded, in this batch or before."""
    for row in batch.unit.steps:
        if (row.number, row.step) == (number, step):
            return row
    [row] = batch.state.store.steps(number, step - 1, 1)
    return row


def _check_same(batch: Batch, step: NewStep) -> None:
    row = find_recorded(batch, step.number, step.step)
    body = _body(step)
    kept = row.payload.hex() if row.payload else digest(row.output or b"")
    if (row.name, row.occurrence, kept) != (step.name, step.occurrence, digest(body)):
        raise InvalidInput(f"step {step.step} is recorded, and it is not this one", field="steps")


def _body(step: NewStep) -> bytes:
    return step.output if step.error is None else msgspec.json.encode(step.error)


def write_step(batch: Batch, held: Held, step: NewStep, by: Principal) -> None:
    """Record the next step of a running job."""
    lease, unit = held.lease, batch.unit
    data: dict[str, Any] = {"step": step.step, "name": step.name}
    if step.occurrence > 1:
        data["occurrence"] = step.occurrence
    body, error, payload = _body(step), step.error, None
    if error is None:
        data["output"] = digest(body)
    else:
        data["error"] = {"class": error.error_class, "type": error.type, "digest": digest(body)}
    if len(body) > batch.state.limits.inline_bytes_max:
        payload = bytes.fromhex(digest(body))
        unit.payloads[payload] = body
    entry = unit.record(
        "step.succeeded" if error is None else "step.failed", held.id, data, by, previous=lease.entry
    )
    unit.steps.append(
        StepRow(
            step.number,
            step.step,
            step.name,
            step.occurrence,
            int(error is not None),
            None if payload else body,
            payload,
            entry,
        )
    )
    if step.took_us is not None:
        batch.steps_run.append((held, step))
    after = lease._replace(entry=entry, steps=step.step)
    batch.state.held[step.number] = replace(held, lease=after)
