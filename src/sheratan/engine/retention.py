"""Retention: jobs and runs that have ended are kept for as long as somebody has set, and then their rows are pruned.

Their entries stay in the journal, and of each so much that its id and its story can be told. What is old enough is
looked for in the order of numbers, a piece in each batch; a piece commits with the entry that tells of it. A run goes
after its jobs, each of which is kept as long as is set for its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from sheratan.contracts.errors import LimitReached
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.engine.batch import Batch
from sheratan.engine.retention_commands import KeepJobs, KeepRuns
from sheratan.engine.retention_state import Walk, is_old
from sheratan.engine.words import check_reason
from sheratan.kernel.retention import (
    PRUNE,
    PRUNE_RUNS,
    decide_prune,
    decide_prune_runs,
    is_of_runs,
    ranges_of,
    scope_of_run,
    subject_of,
)
from sheratan.kernel.rules import Verdict, decision
from sheratan.store.partition_rows import lane_of
from sheratan.store.retention_rows import EndedRow, EndedRunRow, RetentionRow

__all__ = ["keep_jobs", "keep_runs", "prune"]

Key = tuple[str, str]
"""A tenant and a scope."""
_Row = TypeVar("_Row", EndedRow, EndedRunRow)


class _Pruned(NamedTuple):
    """What an entry about jobs or runs that are pruned is called, and how it is decided."""

    entry_type: str
    what: str
    rule: str
    decide: Callable[[dict[str, Any]], Verdict]


_JOBS = _Pruned("retention.pruned", "jobs", PRUNE, decide_prune)
_RUNS = _Pruned("retention.runs_pruned", "runs", PRUNE_RUNS, decide_prune_runs)


def keep_jobs(batch: Batch, command: KeepJobs, by: Principal) -> int:
    """Set how long jobs are kept; returns the entry that says so."""
    entry = _keep(batch, command.kind, command, by)
    batch.state.retention.jobs.begin()
    return entry


def keep_runs(batch: Batch, command: KeepRuns, by: Principal) -> int:
    """Set how long runs are kept; returns the entry that says so."""
    entry = _keep(batch, scope_of_run(command.workflow), command, by)
    batch.state.retention.runs.begin()
    return entry


def prune(batch: Batch) -> None:
    """Prune a piece of what is old enough, if it is time to look."""
    state = batch.state
    due = [walk for walk in state.retention.walks if walk.is_due(batch.monotonic_us)]
    if not due or state.allowed.upkeep != "allow":
        return
    if any(row.source is not None for row in batch.unit.nodes):
        # A run takes over what another one has done: whose nodes and jobs these are, the next batch knows.
        return
    if state.retention.jobs in due:
        _prune_jobs(batch)
    if state.retention.runs in due:
        _prune_runs(batch)


def _prune_jobs(batch: Batch) -> None:
    state, retention = batch.state, batch.state.retention
    found = state.store.ended_jobs(retention.jobs.looked, state.limits.prune_look_jobs_max)
    lanes = state.lane_by_number
    due = _look_through(batch, retention.jobs, found, lambda row: retention.of_jobs(lanes[lane_of(row.lane)]))
    needed = _needed(batch, [row.number for _, row in due])
    free = [(key, row) for key, row in due if row.number not in needed]
    for entry, numbers in _record(batch, _JOBS, free):
        batch.unit.pruned[entry] = numbers


def _prune_runs(batch: Batch) -> None:
    """Whatever this batch brings, no run that had ended before is needed by it but for its nodes, as `prune` sees."""
    state, retention = batch.state, batch.state.retention
    found = state.store.ended_runs(retention.runs.looked, state.limits.prune_look_jobs_max)
    due = _look_through(batch, retention.runs, found, retention.of_run)
    needed = state.store.runs_still_needed([row.number for _, row in due]) if due else set[int]()
    free = [(key, row) for key, row in due if row.number not in needed]
    piece = free[: _as_many_as_fit([row for _, row in free], state.limits)]
    if len(piece) < len(free):
        retention.runs.go_on_from(piece[-1][1].number)
    for entry, numbers in _record(batch, _RUNS, piece):
        batch.unit.pruned_runs[entry] = numbers


def _as_many_as_fit(runs: Iterable[EndedRunRow], limits: Limits) -> int:
    """How many of these runs are pruned in one commit: one at least, however many jobs it had."""
    jobs = list(accumulate(row.jobs for row in runs))
    fit = sum(1 for count in jobs if count <= limits.prune_jobs_max)
    return min(max(fit, 1), limits.prune_runs_max)


def _look_through(
    batch: Batch, walk: Walk, found: Sequence[_Row], policy_of: Callable[[_Row], RetentionRow | None]
) -> list[tuple[Key, _Row]]:
    """Which of these are old enough, each by what is set for a scope; the walk comes as far as they were looked at."""
    limits, due = batch.state.limits, list[tuple[Key, _Row]]()
    shortest_us, is_over = walk.shortest_us or 0, len(found) < limits.prune_look_jobs_max
    for row in found:
        if row.created_us + shortest_us > batch.at_us:
            # Those with higher numbers have begun later still, so none of them has been kept for long enough.
            is_over = True
            break
        policy = policy_of(row)
        if policy is not None and is_old(row, policy.keep_us, batch.at_us):
            due.append(((policy.tenant, policy.scope), row))
        walk.go_on_from(row.number)
        if len(due) == limits.prune_jobs_max:
            return due
    if is_over:
        walk.rest(batch.monotonic_us)
    return due


def _needed(batch: Batch, numbers: list[int]) -> set[int]:
    """Those of these jobs that something open needs, and others, as of this batch."""
    if not numbers:
        return set()
    # Of what this batch brings, only a job that is to run after others needs what had ended before.
    return {row.parent for row in batch.unit.after} | batch.state.store.still_needed(numbers)


def _record(
    batch: Batch, pruned: _Pruned, rows: Iterable[tuple[Key, EndedRow | EndedRunRow]]
) -> Iterator[tuple[int, list[int]]]:
    """Record that these are pruned, by what is set for each; yields each entry with the numbers that it tells of."""
    by_key: dict[Key, list[EndedRow | EndedRunRow]] = {}
    for key, row in rows:
        by_key.setdefault(key, []).append(row)
    for key, some in by_key.items():
        policy = batch.state.retention.rows[key]
        given = {
            pruned.what: len(some),
            "keep_us": policy.keep_us,
            "newest_us": max(row.finished_us for row in some),
            "now_us": batch.at_us,
        }
        verdict = pruned.decide(given)
        assert verdict.chosen == "prune", "each of them is old enough"
        numbers = [row.number for row in some]
        entry = batch.unit.record(
            pruned.entry_type,
            subject_of(policy.scope),
            {"numbers": ranges_of(numbers)},
            replace(ENGINE, tenant=policy.tenant),
            decision=decision(pruned.rule, given, verdict),
            previous=policy.entry,
            cause=policy.set_entry,
        )
        _put(batch, policy._replace(entry=entry, pruned=policy.pruned + len(some)))
        yield entry, numbers


def _keep(batch: Batch, scope: str, command: KeepJobs | KeepRuns, by: Principal) -> int:
    check_reason(command.reason)
    rows, most = batch.state.retention.rows, batch.state.limits.queues_max
    known = rows.get((by.tenant, scope))
    if known is None and len(rows) >= most:
        text = f"how long they are kept was set for {most} kinds and workflows (limits.queues_max)"
        raise LimitReached(text, field="workflow" if is_of_runs(scope) else "kind")
    data: dict[str, Any] = {"keep_us": command.keep_us} | (
        {"reason": command.reason} if command.reason else {}
    )
    previous, pruned = (None, 0) if known is None else (known.entry, known.pruned)
    entry = batch.unit.record("retention.set", subject_of(scope), data, by, previous=previous)
    _put(batch, RetentionRow(by.tenant, scope, command.keep_us, entry, entry, pruned))
    return entry


def _put(batch: Batch, row: RetentionRow) -> None:
    batch.state.retention.rows[row.tenant, row.scope] = row
    batch.unit.retentions[row.tenant, row.scope] = row
