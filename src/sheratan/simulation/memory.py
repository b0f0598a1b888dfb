"""What an engine remembers must be what it would read from the database: said once, for the auditor and the tests."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from sheratan.engine.billing_state import left_of
from sheratan.engine.flow_state import FlowKey, subjects_of
from sheratan.engine.state import State, newest_leases
from sheratan.kernel.rate import Pace
from sheratan.store.partition_rows import PartitionKey, lane_of, partition_of

__all__ = ["memory_faults"]

_ALL: Final = 100_000
"""More ready jobs than any lane has where this is asked."""


def memory_faults(mine: State, fresh: State | None = None) -> list[str]:
    """In what a memory differs from what is stored, between two batches; empty when it does not.

    `fresh` is what an engine remembers that has just started, if that is known.
    """
    fresh = fresh or State(mine.store, mine.limits)
    faults = [
        f"{name}: {kept} in memory, {read} was to be expected"
        for name, kept, read in [*_kept_and_read(mine, fresh), *_depths(mine, fresh), *_held(mine)]
        if kept != read
    ]
    if fresh.awaiting and not mine.awaiting:
        faults.append("handlers that wait for other jobs are not in memory")
    # A timer that was cancelled may still wake the engine, too early; never too late.
    if fresh.next_due_us is not None and (mine.next_due_us is None or mine.next_due_us > fresh.next_due_us):
        faults.append(f"the next timer: {mine.next_due_us} in memory, {fresh.next_due_us} in the database")
    return faults + _ledger_faults(mine, fresh) + _window_faults(mine, fresh) + _turn_faults(mine)


def _kept_and_read(mine: State, fresh: State) -> list[tuple[str, Any, Any]]:
    leases = {held.lease for held in mine.held.values()}
    return [
        ("the end of the journal", mine.head, fresh.head),
        ("the next number", mine.next_number, fresh.next_number),
        ("the leases", leases, set(newest_leases(fresh.store))),
        ("the open approvals", mine.asking, fresh.asking),
        ("the bulk operations", _stored(mine), _stored(fresh)),
        ("the code that has blocked jobs", mine.blocking, fresh.blocking),
        ("the number of blocked jobs", mine.blocked, fresh.blocked),
        ("the lanes", mine.lanes, fresh.lanes),
        ("the lanes with ready jobs", mine.busy_lanes, fresh.busy_lanes),
        ("what is set for queues and kinds", mine.flow.rows, fresh.flow.rows),
        ("how far rates are used up", mine.flow.paces, fresh.flow.paces),
        ("the limits of the lanes", mine.flow.bound, fresh.flow.bound),
        ("the running jobs of what is limited", mine.flow.running, _running(mine)),
        ("the next number of a partition", mine.partitions.next_number, fresh.partitions.next_number),
        ("the partitions with ready jobs", _partitions(mine), _partitions(fresh)),
        ("whose limits hold per partition", mine.flow.each, fresh.flow.each),
        ("where priorities age", mine.flow.ageing, fresh.flow.ageing),
        ("the running jobs of partitions", mine.partitions.running, _running_in_partitions(mine)),
        ("how far partitions have used rates up", _unpaid(mine), _unpaid(fresh)),
        ("the system's state", (mine.system, mine.allowed), (fresh.system, fresh.allowed)),
        ("the alerts", mine.alerts, fresh.alerts),
        ("how long jobs are kept", mine.retention.rows, fresh.retention.rows),
        ("how long entries are kept", mine.journal_kept, fresh.journal_kept),
        (
            "what attempts cost",
            (mine.billing.rows, mine.billing.prices),
            (fresh.billing.rows, fresh.billing.prices),
        ),
        (
            "what may be spent",
            (mine.billing.budget_rows, mine.billing.budgets),
            (fresh.billing.budget_rows, fresh.billing.budgets),
        ),
        ("what is reserved for attempts", mine.billing.open, fresh.billing.open),
        ("the number of trees", mine.trees, fresh.trees),
        ("the next number of a run", mine.runs.next_number, fresh.runs.next_number),
        ("the open runs", _runs(mine), _runs(fresh)),
        ("the jobs of open runs", _run_jobs(mine), _run_jobs(fresh)),
        ("the policy", mine.policy, fresh.policy),
        ("the next firing", mine.next_firing_us, fresh.next_firing_us),
        ("the number of schedules", mine.schedule_count, fresh.schedule_count),
        ("the last entry about the engine", mine.engine_entry, fresh.engine_entry),
    ]


def _ledger_faults(mine: State, fresh: State) -> list[str]:
    """Accounts in memory are those that are stored; a wake-up for an expiry may come too early, never too late."""
    kept, read = mine.ledger, fresh.ledger
    faults = [
        f"the account {key}: {view} in memory, {read.find(key)} in the database"
        for key, view in kept.accounts.items()
        if view != read.find(key)
    ]
    if (kept.next_account, kept.next_transfer) != (read.next_account, read.next_transfer):
        faults.append("the next numbers of an account and a transfer are not those in the database")
    if (
        read.next_expiry_us is not None
        and (kept.next_expiry_us or read.next_expiry_us + 1) > read.next_expiry_us
    ):
        faults.append(
            f"the next expiry: {kept.next_expiry_us} in memory, {read.next_expiry_us} in the database"
        )
    return faults


def _stored(state: State) -> dict[int, Any]:
    """Bulk operations without how far they have looked in memory, which is never behind what is stored."""
    assert all(bulk.looked >= bulk.row.last for bulk in state.bulks.values())
    return {entry: (bulk.row, bulk.command, bulk.by, bulk.until) for entry, bulk in state.bulks.items()}


def _running(mine: State) -> dict[FlowKey, int]:
    lanes = [mine.lane_of(held.job) for held in mine.held.values()]
    counts = Counter(key for lane in lanes for key in subjects_of(lane))
    return {key: counts[key] for key, row in mine.flow.rows.items() if row.concurrency or row.rate_count}


def _partitions(state: State) -> dict[int, tuple[int, set[int]]]:
    """Of each lane with ready jobs in partitions, how many these are, and which partitions."""
    found = state.partitions.turns.items()
    return {lane: (turns.depth, turns.members) for lane, turns in found if turns.members or turns.depth}


def _running_in_partitions(mine: State) -> dict[PartitionKey, int]:
    lanes = [held.job.lane for held in mine.held.values()]
    return dict(Counter(key for lane in lanes for key in mine.partitions.keys(lane)))


def _unpaid(state: State) -> dict[PartitionKey, Pace]:
    """What is paid off may be remembered or not."""
    return {key: pace for key, pace in state.partitions.paces.items() if pace.at_us >= state.head.at}


def _turn_faults(mine: State) -> list[str]:
    """Whoever has ready jobs in memory comes up with its next one, unless a limit has set it aside."""
    faults: list[str] = []
    for lane, turns in mine.partitions.turns.items():
        ready = {number for number in turns.all_members() if mine.windows[number].depth}
        unread = {number for number in ready if not len(mine.windows[number])}
        coming = turns.coming()
        if turns.unread != unread or coming != ready - unread - turns.aside:
            faults.append(f"whose turn it may be in lane {lane} is {coming}, of {ready} with ready jobs")
        idle = turns.aside - turns.paced() - _waiting(mine, turns.aside)
        if idle:
            faults.append(f"{idle} of lane {lane} are set aside, and nothing will let them start")
    return faults


def _waiting(mine: State, aside: set[int]) -> set[int]:
    """Those that the end of an attempt will let start, or more of a budget."""
    return {member for member in aside if mine.partitions.is_full(member) or _is_short(mine, member)}


def _is_short(mine: State, member: int) -> bool:
    """Whether a partition is set aside until more of its budget is left."""
    price = mine.billing.price_of(mine.lane_by_number[lane_of(member)])
    if price is None or not partition_of(member):
        return False
    name = mine.partitions.name(partition_of(member))
    row = mine.billing.budget_of_partition(price.tenant, name, price.unit)
    return row is not None and left_of(row, mine.head.at) < (price.amount or 0)


def _runs(state: State) -> dict[int, Any]:
    return {number: run.summary() for number, run in state.runs.open.items()}


def _run_jobs(state: State) -> dict[int, Any]:
    return {job: (of.run.row.number, of.node, of.item) for job, of in state.runs.of_job.items()}


def _depths(mine: State, fresh: State) -> list[tuple[str, int, int]]:
    queues = dict.fromkeys((lane.tenant, lane.queue) for lane in fresh.lanes.values())
    return [(f"the ready jobs of queue {key[1]}", mine.depth(*key), fresh.depth(*key)) for key in queues]


def _held(mine: State) -> list[tuple[str, set[int], set[int]]]:
    """A worker on duty holds exactly the leases that name it."""
    return [
        (
            f"the jobs of {session.subject}",
            session.held,
            {number for number, held in mine.held.items() if held.lease.session == session.number},
        )
        for session in mine.sessions.values()
    ]


def _window_faults(mine: State, fresh: State) -> list[str]:
    faults: list[str] = []
    for lane, window in mine.windows.items():
        rows = fresh.store.ready_page(lane, (-1, -1), _ALL)
        if window.depth != len(rows) or window.head(_ALL) != rows[: len(window)]:
            faults.append(f"the ready jobs of lane {lane} in memory are not those in the database")
        if len(window) != len(rows) and window.whole:
            faults.append(f"lane {lane} is held to be whole in memory, and is not")
        firsts = {row.priority: row for row in reversed(rows)}
        if window.knows_levels and window.levels() != [firsts[priority] for priority in sorted(firsts)]:
            faults.append(f"the first jobs of the priorities of lane {lane} are not those in the database")
    return faults
