"""Who asked for a job: whoever submitted it, or the first of the jobs that it descends from."""

from __future__ import annotations

from sheratan.contracts.errors import CorruptData
from sheratan.engine.batch import Batch
from sheratan.engine.entries import first_since
from sheratan.engine.ids import Trace
from sheratan.kernel.chain import decode_entry
from sheratan.store.port import Reader
from sheratan.store.rows import JobRow

__all__ = ["find_requester"]


def find_requester(batch: Batch, job: JobRow) -> str:
    """On whose behalf a job was asked for; for one that a job has submitted, on whose behalf that was."""
    first = batch.trace(job.number)
    while first.submitted_by is not None:
        first = batch.trace(first.submitted_by)
    return _submitted_for(batch.state.store, first)


def _submitted_for(store: Reader, job: Trace) -> str:
    """Entries are in the order of their instants, and the one about a new job has the instant of that job.

    It is in the journal: what an open job comes from is not archived.
    """
    low = first_since(store, job.created_us)
    subject = job.id
    needle = f'"subject":"{subject}"'.encode()
    for first_seq, _, body in store.pages(low):
        lines = body.split(b"\n")
        for line in lines[max(0, low - first_seq) :]:
            if needle in line and (entry := decode_entry(line)).type == "job.submitted":
                return entry.on_behalf_of
    raise CorruptData(f"no entry says who has submitted {subject}")
