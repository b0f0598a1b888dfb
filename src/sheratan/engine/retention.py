"""Retention: jobs that have ended are kept for as long as somebody has set, and then their rows are pruned.

Their entries stay in the journal, and of each job so much that its id and its story can be told. What is old enough
is looked for in the order of numbers, a piece in each batch; a piece commits with the entry that tells of it.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sheratan.contracts.errors import LimitReached
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.engine.batch import Batch
from sheratan.engine.retention_commands import KeepJobs
from sheratan.engine.retention_state import is_old
from sheratan.engine.words import check_reason
from sheratan.kernel.retention import PRUNE, decide_prune, ranges_of, subject_of
from sheratan.kernel.rules import decision
from sheratan.store.partition_rows import lane_of
from sheratan.store.retention_rows import EndedRow, RetentionRow

__all__ = ["keep_jobs", "prune"]


def keep_jobs(batch: Batch, command: KeepJobs, by: Principal) -> int:
    """Set how long jobs are kept; returns the entry that says so."""
    check_reason(command.reason)
    rows, most = batch.state.retention.rows, batch.state.limits.queues_max
    key = by.tenant, command.kind
    known = rows.get(key)
    if known is None and len(rows) >= most:
        raise LimitReached(
            f"how long jobs are kept was set for {most} kinds (limits.queues_max)", field="kind"
        )
    data: dict[str, Any] = {"keep_us": command.keep_us} | (
        {"reason": command.reason} if command.reason else {}
    )
    previous = None if known is None else known.entry
    entry = batch.unit.record("retention.set", subject_of(command.kind), data, by, previous=previous)
    _put(batch, RetentionRow(*key, command.keep_us, entry, entry, 0 if known is None else known.jobs))
    batch.state.retention.begin()
    return entry


def prune(batch: Batch) -> None:
    """Prune a piece of what is old enough, if it is time to look."""
    state = batch.state
    if state.allowed.upkeep != "allow" or not state.retention.is_due(batch.monotonic_us):
        return
    if any(row.source is not None for row in batch.unit.nodes):
        # A run takes over what another one has done: whose jobs these are, the next batch knows.
        return
    found = state.store.ended_jobs(state.retention.looked, state.limits.prune_look_jobs_max)
    due = _look_through(batch, found)
    needed = _needed(batch, [row.number for jobs in due.values() for row in jobs])
    for key, jobs in due.items():
        _prune(batch, state.retention.rows[key], [row for row in jobs if row.number not in needed])


def _look_through(batch: Batch, found: list[EndedRow]) -> dict[tuple[str, str], list[EndedRow]]:
    """Which of these jobs are old enough, by what is set for them; the walk comes as far as they were looked at."""
    retention, limits = batch.state.retention, batch.state.limits
    due: dict[tuple[str, str], list[EndedRow]] = {}
    shortest_us, left = retention.shortest_us or 0, limits.prune_jobs_max
    is_over = len(found) < limits.prune_look_jobs_max
    for row in found:
        if row.created_us + shortest_us > batch.at_us:
            # Jobs with higher numbers were submitted later still, so none of them has been kept for long enough.
            is_over = True
            break
        policy = retention.of(batch.state.lane_by_number[lane_of(row.lane)])
        if policy is not None and is_old(row, policy.keep_us, batch.at_us):
            due.setdefault((policy.tenant, policy.kind), []).append(row)
            left -= 1
        retention.go_on_from(row.number)
        if not left:
            return due
    if is_over:
        retention.rest(batch.monotonic_us)
    return due


def _needed(batch: Batch, numbers: list[int]) -> set[int]:
    """Those of these jobs that something open needs, and others, as of this batch."""
    if not numbers:
        return set()
    # Of what this batch brings, only a job that is to run after others needs what had ended before.
    return {row.parent for row in batch.unit.after} | batch.state.store.still_needed(numbers)


def _prune(batch: Batch, policy: RetentionRow, jobs: list[EndedRow]) -> None:
    if not jobs:
        return
    given = {
        "jobs": len(jobs),
        "keep_us": policy.keep_us,
        "newest_us": max(row.finished_us for row in jobs),
        "now_us": batch.at_us,
    }
    verdict = decide_prune(given)
    assert verdict.chosen == "prune", "each of them is old enough"
    numbers = [row.number for row in jobs]
    entry = batch.unit.record(
        "retention.pruned",
        subject_of(policy.kind),
        {"numbers": ranges_of(numbers)},
        replace(ENGINE, tenant=policy.tenant),
        decision=decision(PRUNE, given, verdict),
        previous=policy.entry,
        cause=policy.set_entry,
    )
    batch.unit.pruned[entry] = numbers
    _put(batch, policy._replace(entry=entry, jobs=policy.jobs + len(jobs)))


def _put(batch: Batch, row: RetentionRow) -> None:
    batch.state.retention.rows[row.tenant, row.kind] = row
    batch.unit.retentions[row.tenant, row.kind] = row
