"""Runs of workflows as tables and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from sheratan.cli.output import draw_pairs, draw_table, line
from sheratan.cli.text import instant, own_budget
from sheratan.contracts.api import RunPage
from sheratan.contracts.budgets import ProposalCall
from sheratan.contracts.runs import NodeRecord, RunRecord
from sheratan.contracts.workflows import Workflow
from sheratan.kernel.picture import NodeStatus
from sheratan.kernel.picture_svg import draw_svg
from sheratan.kernel.picture_text import draw_text

__all__ = ["draw_run", "draw_runs", "picture_of"]

_HEADERS = ("ID", "WORKFLOW", "STATE", "JOBS", "STARTED", "ENDED")
_NODE_HEADERS = ("NODE", "STATE", "ITEMS", "JOB", "REASON")
_PROPOSAL_HEADERS = ("PROPOSED BY", "ENTRY", "ACCEPTED", "REJECTED")
_encode = msgspec.json.Encoder().encode


def draw_runs(page: RunPage) -> None:
    """Draw a page of runs."""
    rows = [
        (
            record.id,
            record.workflow,
            record.state,
            str(record.jobs),
            instant(record.created_us),
            instant(record.finished_us),
        )
        for record in page.items
    ]
    draw_table(_HEADERS, rows)


def draw_run(record: RunRecord, below: Mapping[str, RunRecord] | None = None) -> None:
    """Draw one run with its nodes, and under them the runs below it, as far as they are given."""
    draw_pairs(_pairs(record))
    line()
    draw_table(_NODE_HEADERS, list(_nodes(record, below or {}, "")))
    if record.proposals:
        line()
        draw_table(_PROPOSAL_HEADERS, [_proposals(call) for call in record.proposals])


def _pairs(record: RunRecord) -> Iterator[tuple[str, object]]:
    yield "id", record.id
    yield "workflow", f"{record.workflow} (version {record.version[:12]})"
    yield "state", f"{record.state} (entry {record.entry})"
    if record.origin is not None:
        yield "continues", record.origin
    if record.parent is not None:
        item = "" if record.item is None else f", item {record.item}"
        yield "runs for", f"node {record.node}{item} of {record.parent}"
    if record.ending is not None:
        yield "ends as", record.ending
    if record.reason is not None:
        yield "reason", record.reason
    yield "jobs", f"{record.jobs} of {record.jobs_max}"
    yield from (("budget", own_budget(one)) for one in record.spend)
    yield "started", f"{instant(record.created_us)} by {record.started_by}"
    if record.finished_us is not None:
        yield "ended", instant(record.finished_us)
    else:
        yield "time until", instant(record.due_us)
    yield "input", _encode(record.input).decode()
    if record.state == "succeeded":
        yield "output", _encode(record.output).decode()


def _nodes(record: RunRecord, below: Mapping[str, RunRecord], indent: str) -> Iterator[tuple[str, ...]]:
    for node in record.nodes:
        yield _node(node, indent)
        for run in [below[one] for one in node.runs if one in below]:
            item = "" if run.item is None else f"[{run.item}] "
            yield f"{indent}  {item}{run.workflow}", run.state, "", run.id, run.reason or ""
            yield from _nodes(run, below, f"{indent}    ")


def _node(node: NodeRecord, indent: str) -> tuple[str, ...]:
    items = "" if node.items is None else f"{node.items_ended}/{node.items}"
    return f"{indent}{node.name}", node.state, items, next(iter(node.jobs), ""), node.reason or ""


def _proposals(call: ProposalCall) -> tuple[str, ...]:
    return call.job, str(call.entry), f"{call.accepted} of {call.proposed}", "; ".join(call.rejected)


def picture_of(workflow: Workflow, record: RunRecord | None, *, svg: bool, ascii_only: bool) -> str:
    """A workflow as text or SVG, with the state of each node when it is that of a run."""
    statuses = {
        node.name: NodeStatus(state=node.state, items=node.items, items_ended=node.items_ended)
        for node in (record.nodes if record is not None else ())
    }
    if svg:
        return draw_svg(workflow, statuses)
    return draw_text(workflow, statuses, ascii_only=ascii_only)
