"""Reads of runs for people and programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

import msgspec

from sheratan.contracts.api import ListRuns, RunPage
from sheratan.contracts.errors import InvalidInput, NotFound
from sheratan.contracts.ids import JOB_NUMBER_MAX, look_up_run_id, parse_run_id
from sheratan.contracts.jobs import JobRecord
from sheratan.contracts.limits import Limits
from sheratan.contracts.runs import NodeRecord, RunRecord, RunState
from sheratan.contracts.workflows import NodeState
from sheratan.engine.ids import ids_of
from sheratan.engine.own_budget_views import run_spend
from sheratan.engine.proposal_views import calls_in_run
from sheratan.engine.run_ids import absent_run, run_id, run_ids
from sheratan.engine.runs import PlanInUse, load_plan
from sheratan.kernel.chain import decode_entry
from sheratan.store.port import NodeJobView, Reader
from sheratan.store.run_rows import ITEM_ONLY, ITEM_UNDO, NodeRow, RunOpen, RunPlace, RunResult, RunRow

__all__ = ["find_run", "list_run_records", "newest_run_entry", "run_record", "with_node"]

_JOBS_SHOWN_MAX = 10
_NOT_RUN = ("skipped", "failed", "blocked")


def find_run(reader: Reader, text: str) -> RunRow:
    """The run with a public id, or NotFound."""
    for row in reader.runs([look_up_run_id(text).number]):
        if run_id(row) == text:
            return row
    raise absent_run(reader, text)


def newest_run_entry(reader: Reader, row: RunRow) -> tuple[int, str]:
    """The newest entry about a run, and the state that it has led to."""
    place = _place(reader, row)
    return place.entry, place.state


def run_record(reader: Reader, text: str) -> RunRecord:
    """A run as users see it, with its nodes."""
    row = find_run(reader, text)
    place = _place(reader, row)
    plan = load_plan(reader.payload(row.plan), row.workflow)
    record = _record(row, place, plan)
    nodes = _Nodes(reader, row, place, plan)
    output = None
    if isinstance(place, RunResult) and place.state == "succeeded":
        output = _value(reader, place.output, place.payload)
    return msgspec.structs.replace(
        record,
        reason=_reason(reader, place),
        origin=_other(reader, row.origin),
        parent=_other(reader, row.parent),
        node=row.node,
        item=row.item if row.item is not None and row.item >= 0 else None,
        declared=plan.workflow,
        nodes=[nodes.record(name) for name in plan.nodes],
        proposals=calls_in_run(reader, row.number),
        spend=run_spend(reader, row.tenant, row.number),
        input=_value(reader, row.input, row.payload),
        output=output,
    )


def list_run_records(reader: Reader, request: ListRuns, limits: Limits) -> RunPage:
    """A page of runs, newest first, without their nodes and values."""
    limit = request.limit
    if limit > limits.list_jobs_max:
        raise InvalidInput(f"{limit} is above {limits.list_jobs_max} (limits.list_jobs_max)", field="limit")
    below = JOB_NUMBER_MAX + 1
    if request.cursor is not None:
        try:
            below = parse_run_id(request.cursor).number
        except InvalidInput as error:
            error.field = "cursor"
            raise
    numbers = reader.list_runs(state=request.state, workflow=request.workflow, below=below, limit=limit + 1)
    rows = {row.number: row for row in reader.runs(numbers[:limit])}
    plans: dict[tuple[bytes, str], PlanInUse] = {}
    items = []
    for number in numbers[:limit]:
        row = rows[number]
        key = row.plan, row.workflow
        if key not in plans:
            plans[key] = load_plan(reader.payload(row.plan), row.workflow)
        items.append(_record(row, _place(reader, row), plans[key]))
    more = len(numbers) > limit
    return RunPage(items=items, next_cursor=items[-1].id if more else None)


def with_node(reader: Reader, record: JobRecord, number: int) -> JobRecord:
    """A job's record with the node that it was made for."""
    for found in reader.nodes_of_jobs([number])[:1]:
        row = reader.runs([found.run])[0]
        item = found.item if found.item >= 0 else None
        return msgspec.structs.replace(record, workflow=run_id(row), node=found.node, item=item)
    return record


def _other(reader: Reader, number: int | None) -> str | None:
    """The public id of another run that a run names."""
    return None if number is None else run_ids(reader, [number])[number]


def _place(reader: Reader, row: RunRow) -> RunPlace:
    place = reader.run_place(row.number)
    if place is None:
        raise NotFound(f"{run_id(row)} stands nowhere; `sheratan journal verify` says more", field="id")
    return place


def _value(reader: Reader, body: bytes | None, payload: bytes | None) -> Any:
    return msgspec.json.decode(reader.payload(payload) if payload else body or b"null")


def _record(row: RunRow, place: RunPlace, plan: PlanInUse) -> RunRecord:
    return RunRecord(
        id=run_id(row),
        workflow=row.workflow,
        version=row.version.hex(),
        state=cast(RunState, place.state),
        jobs=place.jobs,
        jobs_max=plan.workflow.budget.jobs_max,
        created_us=row.created_us,
        due_us=row.due_us,
        entry=place.entry,
        started_by=row.started_by,
        ending=cast(RunState, place.ending) if isinstance(place, RunOpen) and place.ending else None,
        finished_us=place.finished_us if isinstance(place, RunResult) else None,
    )


def _reason(reader: Reader, place: RunPlace) -> str | None:
    """Why a run stands where it does: what was decided since it last advanced."""
    told: list[str] = []
    seq: int | None = place.entry if place.state != "running" else None
    while seq is not None:
        line = reader.entry_line(seq)
        entry = None if line is None else decode_entry(line)
        if entry is None or entry.decision is None or entry.type == "workflow.advanced":
            break
        told.append(entry.decision["because"])
        seq = entry.previous
    return " ".join(reversed(told)) or None


class _Nodes:
    """What the rows say about the nodes of one run."""

    def __init__(self, reader: Reader, row: RunRow, place: RunPlace, plan: PlanInUse) -> None:
        self._plan = plan
        self._place = place
        self._rows = {node.name: node for node in reader.nodes([row.number])}
        self._jobs: defaultdict[str, list[NodeJobView]] = defaultdict(list)
        self._undo: dict[str, NodeJobView] = {}
        for view in reader.node_jobs([row.number]):
            if view.row.item == ITEM_UNDO:
                self._undo[view.row.node] = view
            else:
                self._jobs[view.row.node].append(view)
        self._sub_runs: defaultdict[str, list[NodeJobView]] = defaultdict(list)
        for view in reader.sub_runs([row.number]):
            self._sub_runs[view.row.node].append(view)
        shown = [view.row.job for jobs in self._jobs.values() for view in jobs[:_JOBS_SHOWN_MAX]]
        shown += [view.row.job for view in self._undo.values()]
        self._taken = _taken_over(reader, self._rows.values())
        self._ids = ids_of(reader, shown)
        self._run_ids = run_ids(
            reader, [view.row.job for views in self._sub_runs.values() for view in views[:_JOBS_SHOWN_MAX]]
        )
        self._reasons = _reasons(reader, self._rows.values())

    def record(self, name: str) -> NodeRecord:
        """One node as users see it."""
        return self._taken[name] if name in self._taken else self._own(name)

    def _own(self, name: str) -> NodeRecord:
        row = self._rows.get(name)
        if row is None:
            return self._undecided(name)
        jobs, sub_runs, undo = self._jobs[name], self._sub_runs[name], self._undo.get(name)
        ended = _ends((*jobs, *sub_runs))
        is_list = row.items != ITEM_ONLY
        state = _state(row, ended, undo)
        if state == "running" and isinstance(self._place, RunResult):
            # What had not run when the run was stopped never will.
            state = "cancelled"
        return NodeRecord(
            name=name,
            state=state,
            reason=self._reasons.get(name),
            items=row.items if is_list else None,
            items_ended=len(ended) if is_list else 0,
            jobs=[self._ids[view.row.job] for view in jobs[:_JOBS_SHOWN_MAX]],
            runs=[self._run_ids[view.row.job] for view in sub_runs[:_JOBS_SHOWN_MAX]],
            undone_by=None if undo is None else self._ids[undo.row.job],
            entry=row.entry,
        )

    def _undecided(self, name: str) -> NodeRecord:
        if self._place.state in ("running", "blocked"):
            parents = ", ".join(self._plan.graph.parents[name])
            return NodeRecord(name=name, state="blocked", reason=f"waits for {parents}")
        return NodeRecord(name=name, state="cancelled")


def _ends(views: Iterable[NodeJobView]) -> list[str]:
    return [view.state for view in views if view.state is not None]


def _taken_over(reader: Reader, rows: Iterable[NodeRow]) -> dict[str, NodeRecord]:
    """Nodes that were taken over, as users see them."""
    sources = run_ids(reader, sorted({row.source for row in rows if row.source is not None}))
    return {
        row.name: _taken_node(reader, row, row.source, sources[row.source])
        for row in rows
        if row.source is not None
    }


def _taken_node(reader: Reader, row: NodeRow, source: int, taken_from: str) -> NodeRecord:
    """A node that was taken over, with the jobs that it has in the other run."""
    jobs = reader.jobs_of_node(source, row.name, _JOBS_SHOWN_MAX)
    ids = ids_of(reader, jobs)
    sub_runs = reader.runs_of_node(source, row.name, _JOBS_SHOWN_MAX)
    sub_run_ids = run_ids(reader, sub_runs)
    is_list = row.items != ITEM_ONLY
    return NodeRecord(
        name=row.name,
        state="skipped" if row.state == "skipped" else "succeeded",
        reason=f"taken over from {taken_from}",
        items=row.items if is_list else None,
        items_ended=row.items if is_list else 0,
        jobs=[ids[number] for number in jobs],
        runs=[sub_run_ids[number] for number in sub_runs],
        taken_from=taken_from,
        entry=row.entry,
    )


def _state(row: NodeRow, ended: list[str], undo: NodeJobView | None) -> NodeState:
    if row.state != "started":
        return cast(NodeState, row.state)
    if len(ended) < (1 if row.items == ITEM_ONLY else row.items):
        return "running"
    if undo is not None:
        return "compensated" if undo.state == "succeeded" else "compensating"
    return "failed" if "failed" in ended else "cancelled" if "cancelled" in ended else "succeeded"


def _reasons(reader: Reader, rows: Iterable[NodeRow]) -> dict[str, str]:
    """Why nodes did not start, as the entries say that decided about them."""
    found: dict[str, str] = {}
    for entry in sorted(
        {row.entry for row in rows if row.state in ("skipped", "failed", "blocked") and row.source is None}
    ):
        line = reader.entry_line(entry)
        decided = decode_entry(line).decision if line is not None else None
        found.update(decided.get("rejected", ()) if decided else ())
    return found
