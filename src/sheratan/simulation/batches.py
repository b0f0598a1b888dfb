"""What no model can know, read out of a batch: ids that were drawn, and seeds."""

from __future__ import annotations

from typing import Final

from sheratan.contracts.ids import number_of, parse_run_id
from sheratan.contracts.schedules import KEY_PREFIX
from sheratan.engine.batch import Batch
from sheratan.engine.ids import job_id
from sheratan.engine.run_ids import run_id
from sheratan.simulation.model_state import Drawn, NewRun, NodeJobs

__all__ = ["drawn_in", "seeds_of"]

_TURNS: Final = ("workflow.advance@", "workflow.end@", "workflow.undo@")
"""Rules by which a run advances by itself."""


def drawn_in(batch: Batch) -> Drawn:
    """What a batch has drawn."""
    return Drawn(
        seeds_of(batch),
        _made_in_bulk(batch),
        _firing_ids(batch),
        _node_jobs(batch),
        _run_turns(batch),
        _pruned(batch, batch.unit.pruned),
        _pruned(batch, batch.unit.pruned_runs),
        frozenset(batch.state.billing.overdrawn),
        frozenset(batch.state.billing.overspent),
    )


def _made_in_bulk(batch: Batch) -> list[str]:
    """The jobs that bulk operations have made in a batch, in order."""
    submitted = [
        entry for entry in batch.unit.entries if entry.type == "job.submitted" and entry.cause is not None
    ]
    # Firings, nodes and proposals lead to jobs by an entry, too.
    return [entry.subject for entry in submitted if not {"firing", "node", "by_job"} & entry.data.keys()]


def _firing_ids(batch: Batch) -> dict[str, str]:
    ids = {job.number: job_id(job) for job in batch.unit.jobs}
    runs = {row.number: run_id(row) for row in batch.unit.runs}
    made = {row.key: ids[row.number] for row in batch.unit.keys.values()}
    made |= {row.key: runs[row.run] for row in batch.unit.run_keys.values()}
    return {key: public_id for key, public_id in made.items() if key.startswith(KEY_PREFIX)}


def _node_jobs(batch: Batch) -> NodeJobs:
    jobs = {job.number: job for job in batch.unit.jobs}
    return {(row.run, row.node, row.item): (row.job, job_id(jobs[row.job])) for row in batch.unit.node_jobs}


def _run_turns(batch: Batch) -> list[int | NewRun]:
    rows = {run_id(row): row for row in batch.unit.runs}
    turns: list[int | NewRun] = []
    for entry in batch.unit.entries:
        decided = entry.decision or {}
        if entry.type == "workflow.started":
            row = rows[entry.subject]
            if row.parent is not None and row.node is not None and row.item is not None:
                turns.append(NewRun(row.parent, row.node, row.item, row.number, entry.subject))
        elif decided.get("rule", "").startswith(_TURNS):
            turns.append(parse_run_id(decided["input"].get("run", entry.subject)).number)
    return turns


def _pruned(batch: Batch, pruned: dict[int, list[int]]) -> dict[str, list[int]]:
    """By the name of a kind or workflow, `retention:KIND` or `retention:workflow:NAME`, what was pruned."""
    names = {entry.seq: "".join(entry.subject.split(":")[1:][-1:]) for entry in batch.unit.entries}
    return {names[entry]: numbers for entry, numbers in pruned.items()}


def seeds_of(batch: Batch) -> dict[int, int]:
    """The seeds that a batch recorded with backoffs, by job."""
    seeds: dict[int, int] = {}
    for entry in batch.unit.entries:
        if entry.type in ("job.retried", "job.failed") and entry.decision is not None:
            # By its id: within the batch the job may have moved on, and its last entry be another. Where a deadline
            # forbids another attempt, the delay that it would have had was drawn all the same.
            seeds[number_of(entry.subject)] = entry.decision["input"].get("seed", 0)
    return seeds
