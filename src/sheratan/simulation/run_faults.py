"""Stored runs held against the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sheratan.simulation.model import Model
from sheratan.simulation.model_run_state import ModelNode, ModelRun
from sheratan.store.run_rows import RunOpen
from sheratan.store.sqlite.reader import SqliteReader

__all__ = ["run_faults"]


def run_faults(reader: SqliteReader | None, model: Model) -> Iterator[str]:
    """In what the runs that were open when it was last asked are not stored as the model says."""
    assert reader is not None
    for number in sorted(model.watched_runs | {run.number for run in model.runs.values() if run.is_open}):
        run = model.runs[number]
        stored, meant = _stored(reader, number), _meant(run)
        if stored != meant:
            yield f"run {number} is stored as {stored}; the model says {meant}"
    model.watched_runs = {run.number for run in model.runs.values() if run.is_open}


def _stored(reader: SqliteReader, number: int) -> tuple[Any, ...]:
    place = reader.run_place(number)
    if place is None:
        return ("nowhere",)
    jobs = {(row.node, row.item): row.job for row, _, _ in reader.node_jobs([number])}
    decided = {row.name: (row.state, row.items, row.source) for row in reader.nodes([number])}
    ending = (place.ending, place.keeps) if isinstance(place, RunOpen) else ()
    runs = {(row.node, row.item): row.job for row, _, _ in reader.sub_runs([number])}
    return place.state, place.jobs, ending, decided, jobs, runs


def _meant(run: ModelRun) -> tuple[Any, ...]:
    is_waiting = run.state in ("stopping", "compensating")
    ending = (run.ending if is_waiting else "", int(run.keeps)) if run.is_open else ()
    decided = {
        name: (_row_state(node), node.items, node.source)
        for name, node in run.nodes.items()
        if node.state != "waiting"
    }
    jobs = {(name, item): job for name, node in run.nodes.items() for item, job in node.jobs.items()}
    runs = {(name, item): below for name, node in run.nodes.items() for item, below in node.runs.items()}
    return run.state, run.used, ending, decided, jobs, runs


def _row_state(node: ModelNode) -> str:
    if node.source is not None and node.state != "skipped":
        return "taken"
    return node.state if node.decided else "started"
