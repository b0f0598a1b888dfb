"""`why`: the story of a subject, from journal entries alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import msgspec

from sheratan.contracts.api import Story, StoryLine
from sheratan.contracts.errors import Archived, NotFound
from sheratan.contracts.jobs import JobError
from sheratan.contracts.journal import Entry
from sheratan.contracts.principal import DEFAULT_TENANT
from sheratan.engine.alert_views import newest_of_alert
from sheratan.engine.blockers import Blockers
from sheratan.engine.entries import LINES_MAX, archived, archived_line, read_entry, segment_of, story_line
from sheratan.engine.explain_ledger import account_story, charge_lines, transfer_story
from sheratan.engine.ids import find_remains
from sheratan.engine.quorum import find_approval
from sheratan.engine.run_ids import find_run_remains
from sheratan.engine.run_views import find_run, newest_run_entry
from sheratan.engine.schedule_views import schedule_state
from sheratan.engine.system_views import newest_of_system
from sheratan.engine.views import find_bulk, find_view, job_record, newest_entry
from sheratan.kernel.budgets import budget_subject
from sheratan.kernel.chain import decode_entry
from sheratan.kernel.fold_archive import newest_of_journal
from sheratan.kernel.story import tell
from sheratan.kernel.story_ledger import transfers_about
from sheratan.kernel.words import count, seconds
from sheratan.store.port import Reader
from sheratan.store.retention_rows import Remains

__all__ = ["previous_entry", "story"]

_SUB_RUNS_MAX: Final = 20
"""Runs of nodes that the story of a run names; `workflow show` and the index of runs know all."""


def story(reader: Reader, subject: str, offered: frozenset[str] | None = None) -> Story:
    """The story of whatever has an id, oldest line first; NotFound if there is none."""
    if subject.startswith("job_"):
        return _job_story(reader, subject, offered)
    if subject.startswith("transfer_"):
        return transfer_story(reader, subject)
    if subject.startswith("account:"):
        return account_story(reader, subject)
    if subject.startswith("workflow_"):
        return _run_story(reader, subject)
    if subject.startswith("entry:"):
        return _entry_story(reader, subject)
    newest, state = _newest_entry(reader, subject)
    lines = [] if newest is None else _walk(reader, newest, None)
    return Story(subject=subject, state=state, lines=lines)


def _entry_story(reader: Reader, subject: str) -> Story:
    """One entry by its number, as answers and lines of stories name it."""
    number = subject.removeprefix("entry:")
    newest = reader.shard().head.seq - 1
    if not (number.isascii() and number.isdecimal()) or int(number) > newest:
        raise NotFound(f"there is no such entry: the journal has those from 0 to {newest}", field="id")
    entry = read_entry(reader, int(number))
    transfers = transfers_about(entry) if entry.type == "ledger.transferred" else ""
    state = f"an entry of type {entry.type} about {entry.subject}"
    return Story(subject=subject, state=state, lines=[story_line(entry, tell(entry) + transfers)])


def _run_story(reader: Reader, subject: str) -> Story:
    left = find_run_remains(reader, subject)
    if left is None:
        row = find_run(reader, subject)
        number, (newest, state) = row.number, newest_run_entry(reader, row)
    else:
        number, newest, state = left.number, left.entry, left.state
    lines = _walk(reader, newest, None)
    # An ended run is continued after its end, and jobs of an open one propose others.
    lines += _lines_of(reader, reader.run_mentions(number), partial(_line_beside, subject=subject))
    lines += _sub_run_lines(reader, number)
    if left is not None:
        lines += _lines_of(reader, [left.pruned_by])
    return Story(subject=subject, state=state, lines=_in_order(lines))


def _line_beside(entry: Entry, subject: str) -> StoryLine:
    """A line of a run's story that may be about one of its jobs."""
    line = _line(entry)
    if entry.subject == subject:
        return line
    return msgspec.structs.replace(line, text=f"{entry.subject}, which is one of its jobs: {line.text}")


def _sub_run_lines(reader: Reader, number: int) -> list[StoryLine]:
    """The newest entry of each run that the nodes of a run have; with many, of the first ones."""
    rows = [view.row for view in reader.sub_runs([number], _SUB_RUNS_MAX)]
    places = [place for row in rows if (place := reader.run_place(row.job)) is not None]
    return _lines_of(reader, [place.entry for place in places], _line_of_sub_run)


def _lines_of(
    reader: Reader, seqs: Iterable[int], tell_line: Callable[[Entry], StoryLine] | None = None
) -> list[StoryLine]:
    """The lines of entries; where some are archived, a line says so for each file that they are in."""
    lines: list[StoryLine] = []
    for seq in seqs:
        try:
            lines.append((tell_line or _line)(read_entry(reader, seq)))
        except Archived:
            lines.append(archived_line(reader, seq))
    return lines


def _in_order(lines: list[StoryLine]) -> list[StoryLine]:
    """By their entries; several lines about the same file say the same, so one is enough."""
    return [line for _, line in sorted({(line.entry, line.text): line for line in lines}.items())]


def _line_of_sub_run(entry: Entry) -> StoryLine:
    line = _line(entry)
    return msgspec.structs.replace(
        line, text=f"{entry.subject}, which runs for one of its nodes: {line.text}"
    )


def _job_story(reader: Reader, subject: str, offered: frozenset[str] | None) -> Story:
    left = find_remains(reader, subject)
    if left is not None:
        return _story_of_pruned(reader, left)
    view = find_view(reader, subject)
    number = view.job.number
    lines = _job_lines(reader, newest_entry(reader, view.location), number)
    errors = reader.failures(number)
    told = [_with_error(line, errors) for line in lines]
    record = job_record(reader, view, Blockers(reader, offered), is_listed=True)
    return Story(
        subject=subject,
        state=record.state,
        lines=told,
        waiting_for=record.waiting_for,
        blocked_by=record.blocked_by,
    )


def _job_lines(reader: Reader, newest: int, number: int) -> list[StoryLine]:
    lines = _walk(reader, newest, number)
    lines += _lines_of(reader, reader.mentions(number))
    for charge in reader.charges_of(number):
        lines += charge_lines(reader, charge)
    return _in_order(lines)


def _story_of_pruned(reader: Reader, left: Remains) -> Story:
    """A job that was pruned has its entries still, and one more: that which pruned it."""
    lines = _job_lines(reader, left.entry, left.number) + _lines_of(reader, [left.pruned_by])
    return Story(subject=left.id, state=left.state, lines=_in_order(lines))


def _newest_of_retention(reader: Reader, subject: str) -> tuple[int, str]:
    scope = subject.partition(":")[2]
    for row in reader.retentions():
        if (row.tenant, row.scope) == (DEFAULT_TENANT, scope):
            return row.entry, "kept for ever" if row.keep_us is None else f"kept for {seconds(row.keep_us)}"
    raise NotFound(f"nothing was ever set for {subject}", field="id")


def _newest_of_price(reader: Reader, subject: str) -> tuple[int, str]:
    kind = subject.partition(":")[2]
    for row in reader.prices():
        if (row.tenant, row.kind) == (DEFAULT_TENANT, kind):
            cost = "nothing" if row.amount is None else f"{row.amount} minor units of {row.unit}"
            return row.entry, f"the price of {kind}, {cost}"
    raise NotFound(f"{kind} never had a price", field="id")


def _newest_of_budget(reader: Reader, subject: str) -> tuple[int, str]:
    for row in reader.budgets():
        if (row.tenant, budget_subject(row.subject, row.unit)) == (DEFAULT_TENANT, subject):
            per = f" per {row.per}" if row.per else ""
            most = "as much as there is" if row.amount is None else f"{row.amount} minor units{per}"
            return row.entry, f"the budget of {row.subject} in {row.unit}, {most}"
    raise NotFound(f"nothing was ever set for {subject}", field="id")


def _newest_entry(reader: Reader, subject: str) -> tuple[int | None, str]:
    shard = reader.shard()
    if subject == "engine" and shard.engine_entry is not None:
        return shard.engine_entry, "stopped" if shard.clean else "running"
    newest = _NEWEST.get(subject.partition(":")[0])
    if newest is not None:
        return newest(reader, subject)
    raise NotFound(
        f"nothing is recorded about {subject!r}; ids are job_…, workflow_…, queue:NAME, kind:NAME, tenant:NAME,"
        " schedule:NAME, worker:NAME/N, bulk:N, approval:N, transfer_…, account:NAME/UNIT, price:KIND,"
        " budget:SUBJECT/UNIT, alert:RULE, retention, retention:KIND, retention:workflow:NAME, journal,"
        " system, engine and entry:N",
        field="id",
    )


def _newest_of_journal(reader: Reader, subject: str) -> tuple[int, str]:
    last, kept = next(reversed(reader.segments()), None), reader.journal_kept()
    newest = newest_of_journal(last, kept)
    if newest is None:
        raise NotFound(f"nothing was archived, and nothing was ever set for the {subject}", field="id")
    state = "whole" if last is None else f"archived up to entry {last.end - 1}"
    time = "for ever" if kept.keep_us is None else f"for {seconds(kept.keep_us)}"
    return newest, f"{state}, kept {time}"


def _newest_of_bulk(reader: Reader, subject: str) -> tuple[int, str]:
    row = find_bulk(reader, subject)
    return row.ended or row.entry, "running" if row.ended is None else "over"


def _newest_of_approval(reader: Reader, subject: str) -> tuple[int, str]:
    row = find_approval(reader, subject)
    return row.newest, row.state


def _newest_of_flow(reader: Reader, subject: str) -> tuple[int | None, str]:
    for row in reader.flows():
        if row.subject == subject:
            return row.entry, "paused" if row.paused else "open"
    kind, _, name = subject.partition(":")
    if any(name == getattr(lane, kind) for lane in reader.lanes()):
        # In use, but nothing has been decided about the queue, kind or tenant itself.
        return None, "open"
    raise NotFound(f"there is no {kind} {name}", field="id")


def _newest_of_schedule(reader: Reader, subject: str) -> tuple[int | None, str]:
    name = subject.partition(":")[2]
    row = reader.schedule(DEFAULT_TENANT, name)
    if row is None:
        raise NotFound(f"there is no schedule {name}", field="id")
    return row.entry, row.state if row.state == "deleted" else schedule_state(row)


def _newest_of_worker(reader: Reader, subject: str) -> tuple[int, str]:
    """Workers keep no row of their own, so the journal is read from the entry that registered them."""
    _, _, number = subject.rpartition("/")
    if number.isdecimal():
        found = None
        for _, _, body in reader.pages(int(number)):
            for line in body.split(b"\n"):
                entry = decode_entry(line)
                found = entry.seq if entry.subject == subject else found
        if found is not None:
            return found, "known"
        segment = segment_of(reader, int(number))
        if segment is not None:
            raise archived(segment, int(number))
    raise NotFound(f"nothing is recorded about {subject!r}", field="id")


def _walk(reader: Reader, newest: int, number: int | None) -> list[StoryLine]:
    """From the newest entry back along `previous`; a lease entry covers many jobs and names each one's last entry."""
    lines: list[StoryLine] = []
    seq: int | None = newest
    while seq is not None and len(lines) < LINES_MAX:
        try:
            entry = read_entry(reader, seq)
        except Archived:
            lines.append(archived_line(reader, seq))
            break
        lines.append(_line(entry, number))
        seq = previous_entry(entry, number)
    lines.reverse()
    return lines


def previous_entry(entry: Entry, number: int | None) -> int | None:
    """The entry before, in the story of a job (by number) or of the entry's own subject."""
    if number is not None and entry.type == "worker.leased":
        return next(previous for job, _, previous in entry.data["jobs"] if job == number)
    return entry.previous


def _line(entry: Entry, number: int | None = None) -> StoryLine:
    text = tell(entry)
    decision = entry.decision or {}
    if number is not None and entry.type == "worker.leased":
        attempt = next(attempt for job, attempt, _ in entry.data["jobs"] if job == number)
        text = f"Attempt {attempt} was given to {entry.subject} under fence {entry.seq}{_together(entry, number)}."
        text += f" {decision['because']}"
    return story_line(entry, text)


def _together(entry: Entry, number: int) -> str:
    """With how many others a job runs in one call of its handler."""
    others = sum(len(group) - 1 for group in entry.data.get("groups", ()) if number in group)
    return f", together with {count(others, 'other')}" if others else ""


def _with_error(line: StoryLine, errors: dict[int, bytes]) -> StoryLine:
    if line.entry not in errors:
        return line
    error = msgspec.json.decode(errors[line.entry], type=JobError)
    if not error.message:
        return line
    return msgspec.structs.replace(line, text=f"{line.text} The error says: {error.message}")


_NEWEST: Final[dict[str, Callable[[Reader, str], tuple[int | None, str]]]] = {
    "queue": _newest_of_flow,
    "kind": _newest_of_flow,
    "tenant": _newest_of_flow,
    "schedule": _newest_of_schedule,
    "worker": _newest_of_worker,
    "bulk": _newest_of_bulk,
    "approval": _newest_of_approval,
    "retention": _newest_of_retention,
    "journal": _newest_of_journal,
    "price": _newest_of_price,
    "budget": _newest_of_budget,
    "system": newest_of_system,
    "alert": newest_of_alert,
}
"""By what a subject's id begins with: the newest entry about it, and how it stands."""
