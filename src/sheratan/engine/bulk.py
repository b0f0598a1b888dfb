"""Bulk operations: one thing done to many jobs, in pieces between which everybody else has their turn.

A piece is a part of a batch, so it commits with its entries or not at all. How far an operation has come is a row
(`bulk`); an engine that starts reads it and goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from sheratan.contracts.errors import LimitReached, Unavailable
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import StartBulk
from sheratan.engine.control import cancel_job
from sheratan.engine.dead_letters import Again, discard_job, replay_job, retry_job
from sheratan.engine.follow import follow
from sheratan.engine.state import Bulk
from sheratan.engine.words import check_reason
from sheratan.kernel.dead_letters import BULK, decide_bulk
from sheratan.kernel.rules import decision
from sheratan.store.port import Search, Standing
from sheratan.store.rows import BulkRow, JobRow, Lease, Result

__all__ = ["STANDING", "go_on", "search_for", "start"]

STANDING: dict[str, Standing] = {"cancel": "open", "retry": "ended", "replay": "dead", "discard": "dead"}
"""Which jobs an action is for."""


def start(batch: Batch, command: StartBulk, by: Principal) -> int:
    """Record a bulk operation and return its entry; its first piece is done in the next batch."""
    state = batch.state
    check_reason(command.reason)
    check_reason(command.filter.text or "", "filter.text")
    most = state.limits.bulk_open_max
    if len(state.bulks) >= most:
        raise LimitReached(
            f"{most} bulk operations go on (limits.bulk_open_max); wait until one has ended", field="action"
        )
    number = batch.unit.next_seq
    data: dict[str, Any] = {
        "action": command.action,
        "filter": msgspec.to_builtins(command.filter),
        "until": batch.unit.next_number,
    }
    given = {"limit": command.limit, "poison": command.poison or None, "reason": command.reason or None}
    data |= {name: value for name, value in given.items() if value is not None}
    batch.unit.record("bulk.started", f"bulk:{number}", data, by)
    row = batch.unit.bulks[number] = BulkRow(number, 0, 0, None)
    state.bulks[number] = Bulk(row, command, by, batch.unit.next_number)
    return number


def go_on(batch: Batch, numbers: Iterable[int], done: int) -> int:
    """Do a piece of each of these bulk operations, and what follows from it; returns how many ends were followed.

    In some states of the system they stand still: what is left is done once it allows it again.
    """
    state = batch.state
    waiting = [] if state.allowed.upkeep != "allow" else [state.bulks[number] for number in numbers]
    for bulk in waiting:
        done = _piece(batch, bulk, max(1, state.limits.bulk_jobs_max // len(waiting)), done)
    return done


def search_for(command: StartBulk) -> Search:
    """The jobs that a bulk operation is for."""
    is_poison_left_out = command.action in ("retry", "replay") and not command.poison
    return Search(
        command.filter,
        0,
        standing=STANDING[command.action],
        is_poison_left_out=is_poison_left_out,
        is_oldest_first=True,
    )


def _piece(batch: Batch, bulk: Bulk, share: int, done: int) -> int:
    state, command = batch.state, bulk.command
    if command.limit is not None:
        share = min(share, command.limit - bulk.row.done)
    below = min(bulk.looked + state.limits.bulk_look_jobs_max + 1, bulk.until)
    search = search_for(command)._replace(limit=share, above=bulk.looked, below=below, is_window=True)
    numbers = state.store.find_jobs(search)
    jobs = batch.jobs(numbers)
    row, looked, refused = bulk.row, numbers[-1] if len(numbers) == share else below - 1, None
    for number in numbers:
        try:
            is_done = _do(batch, jobs[number], bulk)
        except (LimitReached, Unavailable) as error:
            refused = str(error)
            break
        done = follow(batch, done)
        if is_done:
            row = row._replace(last=number, done=row.done + 1)
    given = {
        "done": row.done,
        "limit": command.limit,
        "is_left": looked < bulk.until - 1,
        "refused": refused,
    }
    _note(batch, bulk, row, looked, given)
    return done


def _note(batch: Batch, bulk: Bulk, row: BulkRow, looked: int, given: dict[str, Any]) -> None:
    """Keep how far a bulk operation has come, or that it is over."""
    verdict, entry = decide_bulk(given), row.entry
    if verdict.chosen != "go_on":
        record = decision(BULK, given, verdict)
        ended = batch.unit.record("bulk.ended", f"bulk:{entry}", {}, ENGINE, decision=record, previous=entry)
        batch.unit.bulks[entry] = row._replace(ended=ended)
        del batch.state.bulks[entry]
        return
    if row != bulk.row:
        batch.unit.bulks[entry] = row
    batch.state.bulks[entry] = msgspec.structs.replace(bulk, row=row, looked=looked)


def _do(batch: Batch, job: JobRow, bulk: Bulk) -> bool:
    """Do it to a job, unless this very batch has made it pointless."""
    command, by, cause = bulk.command, bulk.by, bulk.row.entry
    again = Again(poison=command.poison, reason=command.reason, cause=cause)
    if command.action == "retry":
        retry_job(batch, job, by, again)
        return True
    if command.action == "cancel":
        location = batch.locate(job)
        if type(location) is Result or (type(location) is Lease and location.cancel_us):
            return False
        cancel_job(batch, job, by, command.reason, cause)
        return True
    if not batch.is_dead_letter(job.number):
        return False
    if command.action == "replay":
        replay_job(batch, job, by, again)
    else:
        discard_job(batch, job, by, command.reason, cause)
    return True
