"""The tables that change, as they stand at one moment, against the journal up to that moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from sheratan.engine.compare import FactCount
from sheratan.engine.problems import Problems
from sheratan.kernel.canonical import digest
from sheratan.kernel.facts import OpenJob
from sheratan.kernel.fold import Fold
from sheratan.kernel.lifecycle import TERMINAL_STATES
from sheratan.store.port import Reader, Shard
from sheratan.store.rows import TIMER_DELAY, TIMER_RETRY, Blocked, JobRow, Lease, Location, Ready, Timer

__all__ = ["compare_standing"]

_ALARMS_AT_ONCE: Final = 1_000
_RINGS_WITHIN_US: Final = 60_000_000
"""A timer rings in the first batch after it is due; a minute allows for a disk that was full."""


def compare_standing(reader: Reader, fold: Fold, expected: FactCount, problems: Problems) -> None:
    """Compare the tables with the fold, in both directions. The reader must stand where the fold has ended."""
    with problems.reading("shard"):
        _compare_shard(reader.shard(), fold, problems)
    with problems.reading("locations"):
        _compare_locations(reader, fold, problems)
    with problems.reading("jobs and results"):
        _compare_numbers(reader, fold, problems)
    with problems.reading("queue"):
        _compare_queues(reader, fold, problems)
    with problems.reading("idempotency"):
        _compare_keys(reader, fold, problems)
    with problems.reading("mention"):
        _compare_mentions(reader, fold, problems)
    with problems.reading("alarm"):
        _compare_alarms(reader, fold, problems)
    with problems.reading("after and failure"):
        _compare_count("after", reader.after_keys(), expected.after, problems)
        _compare_count("failure", reader.failure_keys(), expected.failures, problems)
    with problems.reading("payload"):
        for kept_as, body in reader.payloads():
            if digest(body) != kept_as.hex():
                problems.add(
                    "J14", "the bytes that are kept are not those that were", row=f"payload {kept_as.hex()}"
                )


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


def _is_in_place(row: Location, expected: Location, job: OpenJob, problems: Problems) -> bool:
    """Whether an open job is where the journal says; facts that differ there are told one by one."""
    name = f"{type(row).__name__.lower()} {row.number}"
    if type(row) is not type(expected):
        text = f"job {row.number} is here; by the journal it is {job.state}"
        problems.add("E3", text, seq=job.entry, row=name)
        return False
    if row != expected:
        _say_fields(row, expected, name, problems)
    return True


def _overdue_us(shard: Shard, fold: Fold) -> int:
    """What was due before this instant should have rung: the engine has been up, and writing, for long enough since."""
    latest_us = shard.head.at - _RINGS_WITHIN_US
    return latest_us if fold.started_us < latest_us else 0


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
        if _is_in_place(row, _expected(job, lanes.get((job.tenant, job.queue, job.kind), 0)), job, problems):
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
        return Ready(lane, job.priority, number, attempt, losses, job.since_us, job.entry)
    if job.state == "scheduled":
        what = TIMER_RETRY if job.retrying else TIMER_DELAY
        return Timer(job.due_us, number, what, attempt, losses, job.since_us, job.entry)
    if job.state == "running":
        return Lease(number, attempt, losses, job.fence, job.session, job.since_us, job.cancel_us, job.entry)
    return Blocked(number, job.missing, job.parents_failed, job.due_us, job.since_us, job.entry)


def _say_fields(row: Location, expected: Location, name: str, problems: Problems) -> None:
    for field, stands, said in zip(row._fields, row, expected, strict=True):
        if stands != said:
            problems.add(
                "J14", f"{field} is {stands}; by the journal it is {said}", seq=expected.entry, row=name
            )


def _compare_numbers(reader: Reader, fold: Fold, problems: Problems) -> None:
    """Every job and every result was made by an entry. That each entry has its row was seen while walking."""
    outcomes = fold.outcomes
    for number in reader.job_numbers():
        if not outcomes.get(number):
            problems.add("E2", "nobody submitted this job", row=f"job {number}")
    for number in reader.result_numbers():
        outcome = outcomes.get(number)
        if outcome in TERMINAL_STATES:
            continue
        said = f"it is {fold.open[number].state}" if outcome else "nobody submitted it"
        problems.add(
            "E3" if outcome else "E2",
            f"job {number} has a result; by the journal {said}",
            row=f"result {number}",
        )


def _compare_queues(reader: Reader, fold: Fold, problems: Problems) -> None:
    stands = {(row.tenant, row.queue): (bool(row.paused), row.reason, row.entry) for row in reader.queues()}
    said = {key: tuple(fact) for key, fact in fold.queues.items()}
    _compare_maps("queue", said, stands, problems)


def _compare_keys(reader: Reader, fold: Fold, problems: Problems) -> None:
    count = 0
    for row in reader.key_rows():
        count += 1
        number = fold.keys.get((row.tenant, bytes.fromhex(digest(row.key.encode()))))
        if number != row.number:
            text = f"it stands for job {row.number}; by the journal it is that of {number}"
            problems.add("E7", text, row=f"idempotency {row.tenant}/{row.key}")
    if count != len(fold.keys):
        text = f"there are {count} keys; the journal tells of {len(fold.keys)}"
        problems.add("E7", text, row="idempotency")


def _compare_mentions(reader: Reader, fold: Fold, problems: Problems) -> None:
    said: dict[tuple[Any, ...], None] = {tuple(mention): None for mention in fold.mentions}
    _compare_maps("mention", said, dict.fromkeys(reader.all_mentions()), problems)


def _compare_maps(
    table: str, said: dict[tuple[Any, ...], Any], stands: dict[tuple[Any, ...], Any], problems: Problems
) -> None:
    for key in sorted(said.keys() | stands.keys()):
        name = f"{table} {'/'.join(map(str, key))}"
        if key not in stands:
            problems.add("J5", "the journal tells of it and it is not there", row=name)
        elif key not in said:
            problems.add("J5", "the journal does not tell of it", row=name)
        elif said[key] != stands[key]:
            problems.add("J14", f"it is {stands[key]}; by the journal it is {said[key]}", row=name)


def _compare_alarms(reader: Reader, fold: Fold, problems: Problems) -> None:
    """Who waits for a first start, and may not wait for ever, has one alarm that rings in time.

    An alarm that rings while it is not yet the job's turn is set anew, and one that rings after the start is
    dropped; no entry tells of either. So an instant is known only as far as entries bound it.
    """
    alarms = reader.alarms()
    set_for: set[int] = set()
    while chunk := list(islice(alarms, _ALARMS_AT_ONCE)):
        jobs = {job.number: job for job in reader.jobs([number for _, number in chunk])}
        for due_us, number in chunk:
            if number in set_for:
                problems.add("E13", f"job {number} has another alarm", row=f"alarm {number}")
            _check_alarm(due_us, number, jobs.get(number), fold.open.get(number), problems)
            set_for.add(number)
    _find_missing_alarms(reader, fold, set_for, problems)


def _check_alarm(
    due_us: int, number: int, job: JobRow | None, waiting: OpenJob | None, problems: Problems
) -> None:
    name = f"alarm {number}"
    if job is None or not job.queue_timeout_us:
        problems.add("E2", f"job {number} has no limit on its waiting", row=name)
        return
    # How long an ended job was delayed is not kept in memory.
    earliest_us = (job.created_us if waiting is None else waiting.delay_due_us) + job.queue_timeout_us
    if due_us < earliest_us:
        problems.add("E13", f"it rings at {due_us}; the limit is not over before {earliest_us}", row=name)
    if waiting is not None and waiting.state == "queued" and waiting.fence < 0:
        latest_us = waiting.since_us + job.queue_timeout_us
        if due_us > latest_us:
            problems.add("E13", f"it rings at {due_us}; the limit is over at {latest_us}", row=name)


def _find_missing_alarms(reader: Reader, fold: Fold, set_for: set[int], problems: Problems) -> None:
    for chunk in _chunks(job for job in fold.open.values() if job.fence < 0 and job.number not in set_for):
        limited = {row.number for row in reader.jobs([job.number for job in chunk]) if row.queue_timeout_us}
        for job in chunk:
            if job.number in limited:
                text = f"job {job.number} waits for its first start and nothing limits that"
                problems.add("J5", text, seq=job.entry, row=f"alarm {job.number}")


def _chunks(jobs: Iterable[OpenJob]) -> Iterator[list[OpenJob]]:
    source = iter(jobs)
    while chunk := list(islice(source, _ALARMS_AT_ONCE)):
        yield chunk


def _compare_count(table: str, keys: Iterable[tuple[int, int]], expected: int, problems: Problems) -> None:
    """Each expected row was found while walking, so one more than that is a row that no entry made."""
    count = sum(1 for _ in keys)
    if count != expected:
        problems.add("J5", f"there are {count} rows; the journal tells of {expected}", row=table)
