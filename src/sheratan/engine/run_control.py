"""Runs are stopped: by a person, or when a budget is used up."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.errors import AlreadyEnded, Conflict
from sheratan.contracts.ids import look_up_run_id
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import CancelRun
from sheratan.engine.control import cancel_job, check_reason
from sheratan.engine.run_ids import absent_run
from sheratan.engine.runs import OpenRun
from sheratan.kernel.advance import STOP, decide_stop
from sheratan.kernel.rules import decision
from sheratan.store.rows import Result

__all__ = ["cancel_open_run", "cancel_run", "stop_overdue", "stop_run"]


def cancel_run(batch: Batch, command: CancelRun, by: Principal) -> str:
    """Stop a run: what runs is cancelled, and nothing more starts. Returns its state, `stopping`."""
    check_reason(command.reason)
    run = _find(batch, command.id)
    told: dict[str, Any] = {}
    if command.reason:
        told["reason"] = command.reason
    if command.keeps:
        told["keeps"] = True
    refusal = cancel_open_run(batch, run, told, by)
    if refusal is not None:
        raise Conflict(refusal, field="id")
    return run.place.state


def cancel_open_run(
    batch: Batch, run: OpenRun, told: dict[str, Any], by: Principal, cause: int | None = None
) -> str | None:
    """Stop a run, unless it stops or compensates already: then says so, and does nothing."""
    given = {"what": "cancel", "state": run.place.state}
    verdict = decide_stop(given)
    if verdict.chosen == "refuse":
        return verdict.because
    stop_run(batch, run, {"ending": "cancelled", **told}, by, decision(STOP, given, verdict), cause)
    return None


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


def stop_run(
    batch: Batch,
    run: OpenRun,
    data: dict[str, Any],
    by: Principal,
    record: dict[str, Any] | None,
    cause: int | None = None,
) -> None:
    """Start nothing more of a run and cancel what runs, the runs of its nodes, too; once that has ended, the run ends.

    `data` says the state in which it is to end under `ending`, and whether what its nodes have done stays: `keeps`.
    """
    place = run.place
    entry = batch.unit.record(
        "workflow.stopping", run.id, data, by, decision=record, previous=place.entry, cause=cause
    )
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
    for name, node in run.nodes.items():
        if node.state != "started":
            continue
        if run.plan.nodes[name].workflow is None:
            _cancel_jobs(batch, run, node.jobs, entry)
        else:
            _stop_sub_runs(batch, run, node.jobs, entry)


def _stop_sub_runs(batch: Batch, run: OpenRun, numbers: list[int], cause: int) -> None:
    """Stop the runs of a node; those that are stopped already, or compensate, go on to their end."""
    data: dict[str, Any] = {"ending": "cancelled", "reason": f"{run.id} was stopped"}
    if run.place.keeps:
        data["keeps"] = True
    for number in numbers:
        sub_run = batch.state.runs.open.get(number)
        if sub_run is not None and sub_run.place.state in ("running", "blocked"):
            stop_run(batch, sub_run, data, sub_run.by, None, cause)


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
        raise absent_run(batch.state.store, text)
    raise AlreadyEnded(f"Not cancelled: the run has ended as {found[0].state}.", field="id")
