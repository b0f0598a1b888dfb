"""Retention as people see it: what is set, and what setting something would prune."""

from __future__ import annotations

from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.contracts.retention import PreviewRetention, RetentionPreview, RetentionRecord
from sheratan.engine.retention_state import is_old
from sheratan.store.partition_rows import lane_of
from sheratan.store.port import Reader

__all__ = ["list_retention", "preview_retention"]

_LOOKED_MAX = 1_000_000
"""Jobs that a preview looks at, at most."""


def list_retention(reader: Reader) -> list[RetentionRecord]:
    """How long jobs are kept, by kind."""
    return [
        RetentionRecord(
            kind=row.kind or None,
            keep_seconds=None if row.keep_us is None else row.keep_us // 1_000_000,
            pruned=row.jobs,
            entry=row.entry,
        )
        for row in reader.retentions()
        if row.tenant == DEFAULT_TENANT
    ]


def preview_retention(
    reader: Reader, request: PreviewRetention, limits: Limits, now_us: int
) -> RetentionPreview:
    """How many jobs would be pruned at once if this were set."""
    if request.keep_seconds is None:
        return RetentionPreview(jobs=0, needed=0)
    lanes = _lanes_meant(reader, request.kind)
    keep_us, looked, above = request.keep_seconds * 1_000_000, 0, 0
    jobs = needed = 0
    while looked < _LOOKED_MAX:
        found = reader.ended_jobs(above, limits.prune_look_jobs_max)
        due = [row.number for row in found if lane_of(row.lane) in lanes and is_old(row, keep_us, now_us)]
        kept = len(reader.still_needed(due))
        jobs, needed = jobs + len(due) - kept, needed + kept
        if len(found) < limits.prune_look_jobs_max:
            return RetentionPreview(jobs=jobs, needed=needed)
        looked, above = looked + len(found), found[-1].number
    return RetentionPreview(jobs=jobs, needed=needed, is_more=True)


def _lanes_meant(reader: Reader, kind: str | None) -> set[int]:
    """The lanes of a kind, or of all kinds that nothing is set for."""
    if kind is not None:
        return {lane.lane for lane in reader.lanes() if lane.kind == kind}
    apart = {row.kind for row in reader.retentions()}
    return {lane.lane for lane in reader.lanes() if lane.kind not in apart}
