"""The tables that change, as they stand at one moment, against the journal up to that moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from sheratan.engine.compare_archive import compare_segments
from sheratan.engine.compare_ledger import compare_billing, compare_ledger
from sheratan.engine.compare_runs import compare_open_runs
from sheratan.engine.problems import Problems, kept_digest
from sheratan.kernel.approval import ApprovalFact
from sheratan.kernel.facts import Announced, OpenJob, ScheduleFact
from sheratan.kernel.fold import Fold
from sheratan.kernel.lifecycle import TERMINAL_STATES
from sheratan.store.approval_rows import ApprovalRow
from sheratan.store.partition_rows import lane_in
from sheratan.store.port import Reader, Shard
from sheratan.store.rows import (
    CODE_CHANGED,
    TIMER_DELAY,
    TIMER_RETRY,
    TIMER_WAIT,
    Blocked,
    JobRow,
    Lease,
    Location,
    Ready,
    Timer,
)

__all__ = ["compare_standing"]

_ALARMS_AT_ONCE: Final = 1_000
_RINGS_WITHIN_US: Final = 60_000_000
"""A timer rings in the first batch after it is due; a minute allows for a disk that was full."""


def compare_standing(reader: Reader, fold: Fold, problems: Problems) -> None:
    """Compare the tables with the fold, in both directions. The reader must stand where the fold has ended."""
    with problems.reading("shard"):
        _compare_shard(reader.shard(), fold, problems)
        ended = {state: fold.outcomes.count_of(state) for state in sorted(TERMINAL_STATES)}
        problems.differ("shard", _keyed(ended), _keyed(reader.ended_counts()))
    with problems.reading("locations"):
        _compare_locations(reader, fold, problems)
    with problems.reading("flow"):
        _compare_flows(reader, fold, problems)
    with problems.reading("partition"):
        _compare_partitions(reader, fold, problems)
    _compare_waits(reader, fold, problems)
    with problems.reading("approval"):
        _compare_approvals(reader, fold, problems)
    with problems.reading("dead_letter"):
        dead = dict.fromkeys((number,) for number in reader.dead_letters())
        problems.differ("dead_letter", dict.fromkeys((number,) for number in fold.dead), dead)
    with problems.reading("bulk"):
        bulks = {row[:1]: row[1:] for row in reader.all_bulks()}
        problems.differ("bulk", {(n,): (x.last, x.done, x.ended) for n, x in fold.bulks.items()}, bulks)
    with problems.reading("schedule"):
        _compare_schedules(reader, fold, problems)
    with problems.reading("retention"):
        kept = {row[:2]: row[2:] for row in reader.retentions()}
        problems.differ("retention", {key: tuple(fact) for key, fact in fold.retentions.items()}, kept)
    with problems.reading("system"):
        stands, said = reader.system(), fold.system
        problems.differ_in("system", said.entry or 0, stands._fields, said, stands)
    _compare_alerts(reader, fold, problems)
    with problems.reading("gate"):
        _compare_gates(reader, fold, problems)
    with problems.reading("proposal_tree"):
        _compare_trees(reader, fold, problems)
    with problems.reading("segment"):
        compare_segments(reader, fold, problems)
    with problems.reading("ledger"):
        compare_ledger(reader, fold, _overdue_us(reader.shard(), fold), problems)
        compare_billing(reader, fold, problems)
    with problems.reading("run_open"):
        compare_open_runs(reader, fold, problems)
    with problems.reading("alarm"):
        _compare_alarms(reader, fold, problems)


def _compare_shard(shard: Shard, fold: Fold, problems: Problems) -> None:
    pairs = {
        "next_number": (shard.next_number, fold.outcomes.newest + 1),
        "policy": (shard.policy, fold.policy or 0),
        "engine_entry": (shard.engine_entry, fold.engine_entry),
        "clean": (shard.clean, fold.last_type in ("", "engine.stopped")),
    }
    for name, (stands, said) in pairs.items():
        if stands != said:
            problems.add("J14", f"{name} is {stands}; by the journal it is {said}", row="shard")
    if shard.epoch < fold.epoch:
        problems.add("J16", f"its epoch is {shard.epoch}; by the journal it is {fold.epoch}", row="shard")


def _compare_alerts(reader: Reader, fold: Fold, problems: Problems) -> None:
    with problems.reading("alert"):
        stands = {(fact.subject,): fact[1:] for fact in reader.alerts()}
        problems.differ("alert", {(name,): fact[1:] for name, fact in fold.alerts.items()}, stands)


def _compare_gates(reader: Reader, fold: Fold, problems: Problems) -> None:
    at_us = reader.shard().head.at
    stands = {tuple(row[:4]): tuple(row[4:]) for row in reader.gates(at_us)}
    problems.differ("gate", {key: tuple(fact) for key, fact in fold.gates_at(at_us).items()}, stands)
    for number, entry in fold.superseding.items():
        problems.add("G1", f"job {number} waits on, and another one has taken its place", seq=entry)


def _compare_trees(reader: Reader, fold: Fold, problems: Problems) -> None:
    if fold.coming is not None:
        problems.add("P1", "jobs that it has accepted were not made", seq=fold.coming.entry)
    trees = {
        (root,): (tree.run[0] if tree.run else 0, tree.began_us, *tree.budget, tree.jobs, tree.members)
        for root, tree in fold.trees.items()
    }
    problems.differ("proposal_tree", trees, {row[:1]: row[1:] for row in reader.all_trees()})
    members = {
        (number,): (one.root, one.depth, one.made, one.fruitless) for number, one in fold.members.items()
    }
    problems.differ("proposal_member", members, {row[:1]: row[1:] for row in reader.all_tree_members()})
    made = {
        (root, bytes.fromhex(like)): (number,)
        for root, tree in fold.trees.items()
        for like, (number, _) in tree.made.items()
    }
    problems.differ("proposal_made", made, {row[:2]: row[2:] for row in reader.all_made()})


def _keyed(counts: dict[str, int]) -> dict[tuple[Any, ...], int]:
    return {(name,): count for name, count in counts.items()}


def _is_in_place(row: Location, expected: Location, job: OpenJob, problems: Problems) -> bool:
    """Whether an open job is where the journal says; facts that differ there are told one by one."""
    name = f"{type(row).__name__.lower()} {row.number}"
    if type(row) is not type(expected):
        text = f"job {row.number} is here; by the journal it is {job.state}"
        problems.add("E3", text, seq=job.entry, row=name)
        return False
    if row != expected:
        problems.differ_in(name, expected.entry, row._fields, expected, row)
    return True


def _overdue_us(shard: Shard, fold: Fold) -> int:
    """What was due before this instant should have rung: the engine has seen it come, and written on long enough."""
    latest_us = shard.head.at - _RINGS_WITHIN_US
    return latest_us if fold.rings and fold.ringing_us < latest_us else 0


def _compare_locations(reader: Reader, fold: Fold, problems: Problems) -> None:
    """Every open job is in one place, and it is the place and the facts that the journal says."""
    lanes = {tuple(lane[1:]): lane.lane for lane in reader.lanes()}
    overdue_us = _overdue_us(reader.shard(), fold)
    seen: set[int] = set()
    for row in reader.locations():
        name = f"{type(row).__name__.lower()} {row.number}"
        job = fold.open.get(row.number)
        if job is None:
            outcome = fold.outcomes.get(row.number)
            said = f"it has {outcome}" if outcome in TERMINAL_STATES else "nobody submitted it"
            problems.add(
                "E3" if outcome else "E2", f"job {row.number} waits here; by the journal {said}", row=name
            )
            continue
        if type(row) is Timer and row.due_us < overdue_us:
            problems.add("E9", f"job {row.number} was due at {row.due_us} and still waits", row=name)
        lane = lanes.get((job.tenant, job.queue, job.kind, job.version), 0)
        partition = fold.partitions.get((job.tenant, job.partition), 0)
        if _is_in_place(row, _expected(job, lane_in(lane, partition)), job, problems):
            seen.add(row.number)
    for number in fold.open.keys() - seen:
        job = fold.open[number]
        problems.add(
            "J5",
            f"job {number} is {job.state} and has no row that says so",
            seq=job.entry,
            row=f"job {number}",
        )


def _expected(job: OpenJob, lane: int) -> Location:
    number, attempt, losses = job.number, job.attempt, job.losses
    if job.state == "queued":
        return Ready(lane, job.priority, number, attempt, losses, job.since_us, job.entry, job.steps)
    if job.state == "scheduled":
        what = TIMER_RETRY if job.retrying else TIMER_DELAY
        return Timer(job.due_us, number, what, attempt, losses, job.since_us, job.entry, job.steps)
    if job.state == "waiting":
        return Timer(job.due_us, number, TIMER_WAIT, attempt, losses, job.since_us, job.entry, job.steps)
    if job.state == "running":
        asked_us, (entry, steps) = job.cancel_us, job.placed or (job.entry, job.steps)
        return Lease(number, attempt, losses, job.fence, job.session, job.since_us, asked_us, entry, steps)
    if job.is_code_changed:
        return Blocked(number, 0, 0, 0, job.since_us, job.entry, attempt, losses, job.steps, CODE_CHANGED)
    return Blocked(number, job.missing, job.parents_failed, job.due_us, job.since_us, job.entry)


def _compare_waits(reader: Reader, fold: Fold, problems: Problems) -> None:
    with problems.reading("wait"):
        stands = {row[:3]: row[3:] for row in reader.all_waits()}
        said = {wait[:3]: wait[3:8] for job in fold.open.values() for wait in job.waits}
        problems.differ("wait", said, stands)
    with problems.reading("awaited"):
        awaited = {(*key, number): () for key, left in fold.awaited.items() for number in left}
        problems.differ("awaited", awaited, {tuple(row): () for row in reader.all_awaited()})
    with problems.reading("blocking_code"):
        codes = {(job.number, code): () for job in fold.open.values() for code in job.blocking}
        problems.differ("blocking_code", codes, {tuple(row): () for row in reader.blocking_codes()})
    with problems.reading("signal"):
        _compare_signals(reader, fold, problems)


def _compare_signals(reader: Reader, fold: Fold, problems: Problems) -> None:
    stands = {row[:2]: (row.name, kept_digest(row.output, row.payload)) for row in reader.all_signals()}
    said = {fact[:2]: fact[2:] for job in fold.open.values() for fact in job.signals}
    problems.differ("signal", said, stands)


def _compare_approvals(reader: Reader, fold: Fold, problems: Problems) -> None:
    """Requests for approval and what was done with them; none is open whose job has ended."""
    stands = {(row.entry,): _approval_row(row) for row in reader.all_approvals()}
    said = {(entry,): _approval_fact(fact) for entry, fact in fold.approvals.items()}
    problems.differ("approval", said, stands)
    acts = {row[:2]: row[2:] for row in reader.all_approval_acts()}
    told = {(entry, act.entry): act[1:] for entry, fact in fold.approvals.items() for act in fact.acts}
    problems.differ("approval_act", told, acts)
    for entry, fact in fold.approvals.items():
        if fact.state == "open" and fact.number not in fold.open:
            text = f"it is open, and job {fact.number} has ended, which has asked for it"
            problems.add("A1", text, seq=fact.newest, row=f"approval {entry}")


def _approval_row(row: ApprovalRow) -> tuple[Any, ...]:
    approvers = tuple(msgspec.json.decode(row.approvers, type=list[str]))
    subject = kept_digest(row.subject, row.payload)
    return (*row[1:5], subject, approvers, *row[8:])


def _approval_fact(fact: ApprovalFact) -> tuple[Any, ...]:
    terms = fact.terms
    asked = (terms.name, terms.occurrence, terms.question, terms.subject, terms.approvers, terms.needed)
    return (fact.number, *asked, int(terms.self_approval), *fact[2:8])


def _compare_flows(reader: Reader, fold: Fold, problems: Problems) -> None:
    """What is set for queues, kinds and tenants, and how far their rates are used up."""
    stands = {row[:2]: row[2:] for row in reader.flows()}
    said = {
        key: (
            fact.paused,
            fact.reason,
            *fact.limits,
            fact.declared,
            fact.entry,
            *fact.per_partition,
            fact.ageing_us,
        )
        for key, fact in fold.flows.items()
    }
    problems.differ("flow", said, stands)
    paces = {row[:2]: row[2:] for row in reader.paces()}
    problems.differ("pace", {key: tuple(pace) for key, pace in fold.paces.items()}, paces)


def _compare_partitions(reader: Reader, fold: Fold, problems: Problems) -> None:
    """Partitions are numbered as their first jobs came in; and how far each has used up its rates."""
    stands = {row[:1]: row[1:] for row in reader.all_partitions()}
    problems.differ("partition_name", {(number,): key for key, number in fold.partitions.items()}, stands)
    paces = {row[:3]: row[3:] for row in reader.partition_paces(0)}
    said = {
        (tenant, subject, fold.partitions.get((tenant, name), 0)): tuple(pace)
        for (tenant, subject, name), pace in fold.partition_paces.items()
    }
    problems.differ("partition_pace", said, paces)


def _compare_schedules(reader: Reader, fold: Fold, problems: Problems) -> None:
    stands: dict[tuple[str, str], ScheduleFact] = {}
    kept: dict[bytes, str] = {}
    overdue_us = _overdue_us(reader.shard(), fold) if fold.fires else 0
    for row in reader.all_schedules():
        exists = row.definition is not None or row.payload is not None
        definition = kept_digest(row.definition, row.payload) if exists else None
        stands[row.tenant, row.name] = ScheduleFact(row.state, definition, *row[5:])
        if row.payload is not None:
            kept[row.payload] = row.name
        if row.due_us is not None and row.due_us < overdue_us:
            problems.add("E9", f"it was due at {row.due_us} and has not fired", row=f"schedule {row.name}")
    problems.differ("schedule", fold.schedules, stands)
    for payload in kept.keys() - reader.known_payloads(sorted(kept)):
        problems.add("J5", f"its definition {payload.hex()} is not kept", row=f"schedule {kept[payload]}")
    _say_announced("job", fold.announced, problems)
    _say_announced("run", fold.announced_runs, problems)


def _say_announced(what: str, announced: Mapping[int, Announced], problems: Problems) -> None:
    for number, told in announced.items():
        text = f"{what} {number} was to come of this firing, and did not"
        problems.add("E17", text, seq=told.entry, row=f"{what} {number}")


def _compare_alarms(reader: Reader, fold: Fold, problems: Problems) -> None:
    """Who waits in a queue for a first start, and may not wait for ever, has one alarm, which rings in time.

    The alarm of a job that was started stays until it rings, and a job that was handed back may have its alarm set
    anew; no entry tells of either. So an instant is known exactly only as long as the job waits for its first start.
    """
    alarms = reader.alarms()
    set_for: set[int] = set()
    deadlines: set[int] = set()
    while chunk := list(islice(alarms, _ALARMS_AT_ONCE)):
        jobs = {job.number: job for job in reader.jobs([number for _, number in chunk])}
        for due_us, number in chunk:
            job = jobs.get(number)
            if job is not None and due_us == job.deadline_us:
                deadlines.add(number)
                continue
            # One that was pruned may have left the alarm of its deadline, too.
            if job is not None and number in set_for:
                problems.add("E13", f"job {number} has another alarm", row=f"alarm {number}")
            _check_alarm(due_us, number, job, fold, problems)
            set_for.add(number)
    _find_missing_alarms(reader, fold, set_for, problems)
    _check_deadlines(_overdue_us(reader.shard(), fold), fold, deadlines, problems)


def _check_deadlines(overdue_us: int, fold: Fold, set_for: set[int], problems: Problems) -> None:
    """Who has a deadline has its alarm, unless an attempt runs: no entry tells of one that has rung meanwhile."""
    for job in fold.open.values():
        name = f"alarm {job.number}"
        if job.deadline_us and job.state != "running" and job.number not in set_for:
            text = f"job {job.number} has a deadline, and nothing ends it then"
            problems.add("J5", text, seq=job.entry, row=name)
        elif 0 < job.deadline_us < overdue_us and job.number in set_for:
            problems.add("E9", f"the deadline of job {job.number} was over at {job.deadline_us}", row=name)


def _check_alarm(due_us: int, number: int, job: JobRow | None, fold: Fold, problems: Problems) -> None:
    name = f"alarm {number}"
    if job is None and fold.pruned.get(number):
        # The alarm of a job that was started in time stays until it rings, and is dropped then.
        return
    if job is None or not job.queue_timeout_us:
        problems.add("E2", f"job {number} has no limit on its waiting", row=name)
        return
    wrong = _alarm_fault(due_us, job, fold.open.get(number))
    if wrong is not None:
        problems.add("E13", wrong, row=name)


def _alarm_fault(due_us: int, job: JobRow, waiting: OpenJob | None) -> str | None:
    if waiting is None or waiting.fence >= 0:
        # How long an ended job was delayed is not kept in memory.
        earliest_us = (job.created_us if waiting is None else waiting.delay_due_us) + job.queue_timeout_us
        return (
            f"it rings at {due_us}; the limit is not over before {earliest_us}"
            if due_us < earliest_us
            else None
        )
    if waiting.state != "queued":
        return f"job {job.number} is {waiting.state}: its time in the queue has not begun"
    over_us = waiting.since_us + job.queue_timeout_us
    return None if due_us == over_us else f"it rings at {due_us}; the limit is over at {over_us}"


def _find_missing_alarms(reader: Reader, fold: Fold, set_for: set[int], problems: Problems) -> None:
    for chunk in _chunks(job for job in fold.open.values() if _waits(job) and job.number not in set_for):
        limits = {row.number: row.queue_timeout_us for row in reader.jobs([job.number for job in chunk])}
        for job in chunk:
            over_us = job.since_us + limits.get(job.number, 0)
            if limits.get(job.number) and not 0 < job.deadline_us <= over_us:
                text = f"job {job.number} waits for its first start and nothing limits that"
                problems.add("J5", text, seq=job.entry, row=f"alarm {job.number}")


def _waits(job: OpenJob) -> bool:
    """Whether a job waits in its queue for its first start."""
    return job.state == "queued" and job.fence < 0


def _chunks(jobs: Iterable[OpenJob]) -> Iterator[list[OpenJob]]:
    source = iter(jobs)
    while chunk := list(islice(source, _ALARMS_AT_ONCE)):
        yield chunk
