"""Runs begin, and are stopped: by a person, or when a budget is used up."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.errors import AlreadyEnded, Conflict, LimitReached, NotFound, Unavailable
from sheratan.contracts.ids import SALT_BITS, look_up_run_id
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import CancelRun, StartRun
from sheratan.engine.control import cancel_job, check_reason
from sheratan.engine.runs import OpenRun
from sheratan.kernel.advance import STOP, decide_stop
from sheratan.kernel.canonical import digest
from sheratan.kernel.rules import decision
from sheratan.store.rows import Result
from sheratan.store.run_rows import RunOpen, RunRow

__all__ = ["cancel_run", "start_run", "stop_overdue", "stop_run"]


def start_run(batch: Batch, command: StartRun, by: Principal) -> str:
    """Begin a run and return its id; its first nodes start in the same batch."""
    state, runs = batch.state, batch.state.runs
    if state.intake != "open":
        raise Unavailable(f"Refused: the engine is {state.intake}.")
    most = state.limits.workflow_runs_max
    if len(runs.open) >= most:
        raise LimitReached(f"{most} runs are open already (limits.workflow_runs_max)", field="workflow")
    plan = bytes.fromhex(digest(command.plan))
    batch.unit.payloads[plan] = command.plan
    body, payload = batch.keep(command.input)
    row = RunRow(
        runs.next_number,
        batch.randomness.bits("run_salt", SALT_BITS),
        by.tenant,
        command.workflow,
        bytes.fromhex(command.version),
        plan,
        batch.at_us,
        batch.at_us + command.wall_us,
        by.on_behalf_of,
        None,
        body,
        payload,
    )
    entry = batch.unit.next_seq
    place = RunOpen(row.number, "running", "", 0, 0, batch.at_us, entry)
    run = OpenRun(row, place, runs.plan(plan, command.plan))
    data = {
        "number": row.number,
        "workflow": row.workflow,
        "version": command.version,
        "plan": plan.hex(),
        "input": digest(command.input),
        "due_us": row.due_us,
    }
    batch.unit.record("workflow.started", run.id, data, by)
    batch.unit.runs.append(row)
    batch.unit.move_run(None, place)
    runs.next_number += 1
    runs.add(run)
    runs.touched[row.number] = None
    return run.id


def cancel_run(batch: Batch, command: CancelRun, by: Principal) -> str:
    """Stop a run: what runs is cancelled, and nothing more starts. Returns its state, `stopping`."""
    check_reason(command.reason)
    run = _find(batch, command.id)
    given = {"what": "cancel", "state": run.place.state}
    verdict = decide_stop(given)
    if verdict.chosen == "refuse":
        raise Conflict(verdict.because, field="id")
    record = decision(STOP, given, verdict)
    data: dict[str, Any] = {"ending": "cancelled"}
    if command.reason:
        data["reason"] = command.reason
    if command.keeps:
        data["keeps"] = True
    stop_run(batch, run, data, by, record)
    return run.place.state


def stop_overdue(batch: Batch) -> None:
    """Stop the runs that have used up their time."""
    for run in batch.state.runs.take_due(batch.at_us):
        row = run.row
        given = {
            "what": "time",
            "state": run.place.state,
            "limit_us": row.due_us - row.created_us,
            "elapsed_us": batch.at_us - row.created_us,
        }
        verdict = decide_stop(given)
        # A run is not stopped before its time is over.
        assert verdict.chosen == "stop"
        stop_run(batch, run, {"ending": "out_of_time"}, run.by, decision(STOP, given, verdict))


def stop_run(batch: Batch, run: OpenRun, data: dict[str, Any], by: Principal, record: dict[str, Any]) -> None:
    """Start nothing more of a run and cancel what runs; once that has ended, the run ends.

    `data` says the state in which it is to end under `ending`, and whether what its nodes have done stays: `keeps`.
    """
    place = run.place
    entry = batch.unit.record("workflow.stopping", run.id, data, by, decision=record, previous=place.entry)
    run.place = place._replace(
        state="stopping",
        ending=data["ending"],
        keeps=int(data.get("keeps", False)),
        since_us=batch.at_us,
        entry=entry,
    )
    batch.unit.move_run(place, run.place)
    run.changed.clear()
    run.hungry.clear()
    batch.state.runs.touched[run.row.number] = None
    for node in run.nodes.values():
        if node.state == "started":
            _cancel_jobs(batch, run, node.jobs, entry)


def _cancel_jobs(batch: Batch, run: OpenRun, numbers: list[int], cause: int) -> None:
    open_jobs = [number for number in numbers if number in batch.state.runs.of_job]
    for job in batch.jobs(open_jobs).values():
        location = batch.locate(job)
        # Its end may be part of this very batch.
        if type(location) is not Result:
            cancel_job(batch, job, run.by, f"{run.id} was stopped", cause)


def _find(batch: Batch, text: str) -> OpenRun:
    """The open run with a public id; AlreadyEnded for one that has ended, NotFound for any other."""
    number = look_up_run_id(text).number
    run = batch.state.runs.open.get(number)
    if run is not None and run.id == text:
        return run
    found = batch.state.store.run_results([number]) if run is None else []
    if not found:
        raise NotFound(f"there is no run {text}", field="id")
    raise AlreadyEnded(f"Not cancelled: the run has ended as {found[0].state}.", field="id")
