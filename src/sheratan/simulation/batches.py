"""What no model can know, read out of a batch: ids that were drawn, and seeds."""

from __future__ import annotations

from sheratan.contracts.ids import number_of
from sheratan.engine.batch import Batch

__all__ = ["made_of", "seeds_of"]


def made_of(batch: Batch) -> list[str]:
    """The jobs that bulk operations have made in a batch, in order: nothing else leads to a job by an entry."""
    entries = batch.unit.entries
    return [entry.subject for entry in entries if entry.type == "job.submitted" and entry.cause is not None]


def seeds_of(batch: Batch) -> dict[int, int]:
    """The seeds that a batch recorded with backoffs, by job."""
    seeds: dict[int, int] = {}
    for entry in batch.unit.entries:
        if entry.type == "job.retried" and entry.decision is not None:
            # By its id: within the batch the job may have moved on, and its last entry be another.
            seeds[number_of(entry.subject)] = entry.decision["input"]["seed"]
    return seeds
