"""How runs end: with an output, with a reason, or after what they have done is compensated."""

from __future__ import annotations

from typing import Any

from sheratan.engine.batch import Batch
from sheratan.engine.runs import OpenRun
from sheratan.engine.values import Missing, RunValues
from sheratan.kernel.advance import END, UNDO, end_run, undo_next
from sheratan.kernel.canonical import digest
from sheratan.kernel.rules import decision
from sheratan.store.run_rows import RunResult

__all__ = ["compensate", "finish", "give_up"]


def finish(batch: Batch, run: OpenRun) -> None:
    """Nothing of a run runs any more: it ends, or waits for a person, or compensates first."""
    given, output = _given(batch, run)
    verdict = end_run(given)
    record = decision(END, given, verdict)
    state = verdict.chosen["state"]
    if state == "compensating":
        _begin_to_compensate(batch, run, verdict.chosen["ending"], record)
    elif state == "blocked":
        _block(batch, run, record)
    else:
        _end(batch, run, state, record, output if state == "succeeded" else None)


def _given(batch: Batch, run: OpenRun) -> tuple[dict[str, Any], bytes | None]:
    """What the rule is told, and the output that the run would have."""
    children, order = run.plan.graph.children, run.plan.graph.order
    failed = [name for name in order if run.nodes[name].state in ("failed", "cancelled")]
    given: dict[str, Any] = {
        "failed": [name for name in failed if not children[name]],
        "blocked": [name for name in order if run.nodes[name].state == "blocked"],
        "undo": 0 if run.place.keeps else len(run.undo_order()),
    }
    if run.place.state == "stopping":
        given["ending"] = run.place.ending
        return given, None
    try:
        return given, RunValues(batch, run).output()
    except Missing as missing:
        given["output"] = str(missing)
        return given, None


def compensate(batch: Batch, run: OpenRun) -> None:
    """A compensation has ended: the one before it comes next, or the run ends."""
    order = run.undo_order()
    ended = {name: undo[1] for name in order if (undo := run.nodes[name].undo) is not None}
    name = next(reversed(ended))
    state = ended[name]
    assert state is not None, "one compensation runs at a time"
    given = {
        "node": name,
        "state": state,
        "left": len(order) - len(ended),
        "ending": run.place.ending,
    }
    verdict = undo_next(given)
    if verdict.chosen == "next":
        batch.state.runs.unfed[run.row.number] = None
        return
    ending = run.place.ending if verdict.chosen == "end" else "compensation_failed"
    _end(batch, run, ending, decision(UNDO, given, verdict), None)


def give_up(batch: Batch, run: OpenRun, name: str, reason: str) -> None:
    """A compensation cannot start: the run ends, and a person must see to it."""
    given = {
        "node": name, "state": "unresolved", "left": 0, "ending": run.place.ending, "reason": reason,
    }  # fmt: skip
    _end(batch, run, "compensation_failed", decision(UNDO, given, undo_next(given)), None)


def _begin_to_compensate(batch: Batch, run: OpenRun, ending: str, record: dict[str, Any]) -> None:
    place = run.place
    data = {"nodes": run.undo_order(), "ending": ending}
    entry = _note(batch, run, "workflow.compensating", data, record)
    run.place = place._replace(state="compensating", ending=ending, since_us=batch.at_us, entry=entry)
    batch.unit.move_run(place, run.place)
    batch.state.runs.unfed[run.row.number] = None


def _block(batch: Batch, run: OpenRun, record: dict[str, Any]) -> None:
    place = run.place
    entry = _note(batch, run, "workflow.blocked", {}, record)
    run.place = place._replace(state="blocked", since_us=batch.at_us, entry=entry)
    batch.unit.move_run(place, run.place)


def _end(batch: Batch, run: OpenRun, state: str, record: dict[str, Any], output: bytes | None) -> None:
    data: dict[str, Any] = {"state": state}
    body = payload = None
    if output is not None:
        data["output"] = digest(output)
        body, payload = batch.keep(output)
    entry = _note(batch, run, "workflow.ended", data, record)
    place = run.place
    ended = RunResult(place.number, state, place.jobs, batch.at_us, body, payload, entry)
    batch.unit.move_run(place, ended)
    batch.runs_ended.append(ended)
    batch.state.runs.drop(run)
    batch.state.runs.sub_run_ended(run, state, entry)


def _note(batch: Batch, run: OpenRun, entry_type: str, data: dict[str, Any], record: dict[str, Any]) -> int:
    return batch.unit.record(
        entry_type, run.id, data, run.by, decision=record, previous=run.place.entry, cause=run.cause
    )
