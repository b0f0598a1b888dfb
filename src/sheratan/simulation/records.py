"""What a batch has recorded, looked at with nobody else's code: its bytes, its chain, for whom, because of what."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sheratan.contracts.journal import Entry
from sheratan.contracts.principal import ENGINE
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Pending

__all__ = ["CLOCK_STEP_US", "Befallen", "record_faults"]

CLOCK_STEP_US: Final = 1_000_000
"""A step of the wall clock by more than this is an entry (docs/explanation/delivery-guarantees.md)."""

_NOTED: Final = frozenset((
    "job.cancel_requested", "job.fenced_off", "job.timed_out", "step.succeeded", "step.failed", "signal.sent",
    "approval.asked", "approval.voted", "approval.delegated", "approval.expired", "approval.cancelled",
    "job.throttled", "job.proposed", "job.replayed", "job.discarded", "bulk.started", "bulk.ended",
    "queue.paused", "queue.resumed", "kind.paused", "kind.resumed",
    "tenant.paused", "tenant.resumed", "flow.limited",
    "schedule.created", "schedule.changed", "schedule.missed", "schedule.fired", "schedule.skipped",
    "retention.set", "retention.pruned", "retention.runs_pruned", "journal.kept", "journal.archived", "system.changed",
    "ledger.account_opened", "ledger.transferred", "ledger.refused", "ledger.expired", "ledger.shared",
    "price.set", "budget.set", "alert.raised", "alert.cleared", "alert.notified",
    "schedule.postponed", "schedule.backfilled", "schedule.triggered", "schedule.paused", "schedule.resumed",
    "schedule.deleted",
))  # fmt: skip
"""Entries that move no job, so that nothing else would show that one is missing."""

_CHOSEN: Final[dict[str, tuple[str, ...]]] = {
    "job.cancel_requested": ("request",),
    "job.fenced_off": ("fenced_off",),
    "job.timed_out": ("expire",),
    "job.throttled": ("drop",),
    "job.replayed": ("replay",),
    "job.discarded": ("discard",),
    "bulk.ended": ("end", "stop"),
    "job.unblocked": ("queue", "schedule", "unblock"),
    "job.blocked": ("code_changed",),
    "schedule.fired": ("submit", "cancel_previous"),
    "schedule.skipped": ("skip",),
    "schedule.postponed": ("refuse",),
    "approval.voted": ("open", "approved", "denied"),
    "approval.expired": ("expired",),
    "retention.pruned": ("prune",),
    "retention.runs_pruned": ("prune",),
    "journal.archived": ("archive",),
    "alert.raised": ("raise",),
    "alert.cleared": ("clear",),
    "system.changed": ("change", "operational", "degraded_minor", "degraded_critical"),
}
"""What must have been chosen where an entry of this type says what was done."""


class Befallen(NamedTuple):
    """What has befallen the engine before a batch: a step of its clock, and a time in which nothing was written."""

    step_us: int = 0
    since_us: int | None = None
    refused: int = 0


def record_faults(
    batch: Batch,
    commands: Sequence[Pending],
    noted: Mapping[str, int],
    befallen: Befallen,
    others: Iterable[str] = (),
) -> Iterator[str]:
    """What is wrong with the entries of a batch. `noted` are those that must be there besides what has befallen it.

    `others` have asked for something before that still goes on.
    """
    yield from _form(batch)
    whom = {ENGINE.on_behalf_of, *others, *(pending.by.on_behalf_of for pending in commands)}
    subjects = {entry.seq: entry.subject for entry in batch.unit.entries}
    for entry in batch.unit.entries:
        if entry.on_behalf_of not in whom:
            yield f"entry {entry.seq} was made on behalf of {entry.on_behalf_of}, who asked for nothing"
        yield from _decided(entry, subjects)
    yield from _counted(batch.unit.entries, noted)
    yield from _befallen(batch.unit.entries, befallen)


def _counted(entries: Sequence[Entry], noted: Mapping[str, int]) -> Iterator[str]:
    counts = Counter([entry.type for entry in entries])
    said = {name: count for name, count in noted.items() if count and name in _NOTED}
    if said != {name: count for name, count in counts.items() if name in _NOTED}:
        yield f"{dict(counts)} were recorded; the model says {dict(noted)}"


def _befallen(entries: Sequence[Entry], befallen: Befallen) -> Iterator[str]:
    step_us, since_us, refused = befallen
    steps = [entry.data["step_us"] for entry in entries if entry.type == "clock.stepped"]
    if steps != ([step_us] if abs(step_us) > CLOCK_STEP_US else []):
        yield f"steps of the clock: {steps} were recorded, {step_us} has happened"
    said = [
        (entry.data["since_us"], entry.data["refused"]) for entry in entries if entry.type == "engine.resumed"
    ]
    if said != ([] if since_us is None else [(since_us, refused)]):
        yield f"outages: {said} were recorded; one since {since_us} has happened, with {refused} refused"


def _decided(entry: Entry, subjects: Mapping[int, str]) -> Iterator[str]:
    """A decision chose what its entry says; what follows from an end, or from a firing, names that."""
    if entry.decision is None:
        return
    if entry.decision["chosen"] not in _CHOSEN.get(entry.type, (entry.decision["chosen"],)):
        yield f"entry {entry.seq} says {entry.type}, its decision says {entry.decision['chosen']}"
    ended = None
    if entry.decision["rule"].startswith("job.after@"):
        ended = entry.data["ended"]
    elif entry.decision["rule"].startswith("job.cancel@") and entry.actor == ENGINE.actor:
        ended = entry.data["reason"].replace(",", " ").split()[0]
    cause = -1 if entry.cause is None else entry.cause
    if ended is not None and subjects.get(cause) != ended:
        yield f"entry {entry.seq} names {cause} as its cause, which is not about {ended}"


def _form(batch: Batch) -> Iterator[str]:
    last = batch.unit.head.hash
    for line in batch.unit.lines:
        entry = json.loads(line)
        if json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() != line:
            yield f"entry {entry['seq']} is not in its canonical form"
        if entry["prev"] != last:
            yield f"entry {entry['seq']} does not name the hash of the entry before"
        last = hashlib.sha256(line).hexdigest()
    if last != batch.unit.end.hash:
        yield "the head is not the hash of the last entry"
