"""Retention as people see it: what is set, and what setting something would prune."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.contracts.retention import PreviewRetention, RetentionPreview, RetentionRecord, SetRetention
from sheratan.engine.retention_state import is_old
from sheratan.kernel.retention import is_of_runs, scope_of_run, workflow_of
from sheratan.store.partition_rows import lane_of
from sheratan.store.port import Reader
from sheratan.store.retention_rows import EndedRow, EndedRunRow, RetentionRow

__all__ = ["check_whose", "list_retention", "preview_retention"]

_LOOKED_MAX = 1_000_000
"""Jobs or runs that a preview looks at, at most."""


_Row = TypeVar("_Row", EndedRow, EndedRunRow)


def list_retention(reader: Reader) -> list[RetentionRecord]:
    """How long jobs are kept, by kind, and runs, by workflow."""
    return [_record(row) for row in reader.retentions() if row.tenant == DEFAULT_TENANT]


def _record(row: RetentionRow) -> RetentionRecord:
    of_runs = is_of_runs(row.scope)
    return RetentionRecord(
        kind=None if of_runs else row.scope or None,
        keep_seconds=None if row.keep_us is None else row.keep_us // 1_000_000,
        pruned=row.pruned,
        entry=row.entry,
        workflow=workflow_of(row.scope) if of_runs else None,
    )


def check_whose(request: SetRetention | PreviewRetention) -> None:
    """Refuse what names both a kind and a workflow."""
    if request.kind is not None and request.workflow is not None:
        raise InvalidInput(
            "name a kind, whose jobs are meant, or a workflow, whose runs are", field="workflow"
        )


def preview_retention(
    reader: Reader, request: PreviewRetention, limits: Limits, now_us: int
) -> RetentionPreview:
    """How many jobs or runs would be pruned at once if this were set."""
    check_whose(request)
    if request.keep_seconds is None:
        return RetentionPreview(jobs=0, needed=0)
    keep_us, at_once = request.keep_seconds * 1_000_000, limits.prune_look_jobs_max
    if request.workflow is None:
        lanes = _lanes_meant(reader, request.kind)

        def is_job_due(row: EndedRow) -> bool:
            return lane_of(row.lane) in lanes and is_old(row, keep_us, now_us)

        free, needed, is_more = _count(reader.ended_jobs, is_job_due, reader.still_needed, at_once)
        return RetentionPreview(jobs=free, needed=needed, is_more=is_more)
    is_meant = _runs_meant(reader, request.workflow)

    def is_run_due(row: EndedRunRow) -> bool:
        return is_meant(row.workflow) and is_old(row, keep_us, now_us)

    free, needed, is_more = _count(reader.ended_runs, is_run_due, reader.runs_still_needed, at_once)
    return RetentionPreview(jobs=0, runs=free, needed=needed, is_more=is_more)


def _count(
    find: Callable[[int, int], Sequence[_Row]],
    is_due: Callable[[_Row], bool],
    find_needed: Callable[[Collection[int]], set[int]],
    at_once: int,
) -> tuple[int, int, bool]:
    """How many that are due may be pruned, how many are needed, and whether there are more than were looked at."""
    looked = above = free = needed = 0
    while looked < _LOOKED_MAX:
        found = find(above, at_once)
        due = [row.number for row in found if is_due(row)]
        kept = len(find_needed(due))
        free, needed = free + len(due) - kept, needed + kept
        if len(found) < at_once:
            return free, needed, False
        looked, above = looked + len(found), found[-1].number
    return free, needed, True


def _lanes_meant(reader: Reader, kind: str | None) -> set[int]:
    """The lanes of a kind, or of all kinds that nothing is set for."""
    if kind is not None:
        return {lane.lane for lane in reader.lanes() if lane.kind == kind}
    apart = {row.scope for row in reader.retentions()}
    return {lane.lane for lane in reader.lanes() if lane.kind not in apart}


def _runs_meant(reader: Reader, workflow: str) -> Callable[[str], bool]:
    """Whether the runs of a workflow are meant: of this one, or of all that nothing is set for."""
    if workflow:
        return lambda name: name == workflow
    apart = {row.scope for row in reader.retentions()}
    return lambda name: scope_of_run(name) not in apart
