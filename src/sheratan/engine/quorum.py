"""Requests for approval as they stand: their terms, what was done with them, and how they end."""

from __future__ import annotations

from typing import Any

import msgspec

from sheratan.contracts.errors import NotFound
from sheratan.contracts.jobs import JobError
from sheratan.contracts.principal import ENGINE
from sheratan.engine.batch import Batch
from sheratan.engine.ids import job_id
from sheratan.kernel.approval import (
    QUORUM,
    ActFact,
    Terms,
    decide_quorum,
    give_approval,
    quorum_input,
)
from sheratan.kernel.canonical import digest
from sheratan.kernel.rules import Verdict, decision
from sheratan.store.approval_rows import ApprovalAct, ApprovalRow
from sheratan.store.port import Reader

__all__ = [
    "approval_id",
    "approval_number",
    "cancel_open",
    "end_approval",
    "facts_of",
    "find_approval",
    "given_by",
    "in_time",
    "terms_of",
    "weigh",
]

_PREFIX = "approval:"
_DIGITS_MAX = 18
"""A longer number is none of an entry, and does not fit into a row."""


def approval_id(entry: int) -> str:
    """The public id of a request: it is named after the entry that records it."""
    return f"{_PREFIX}{entry}"


def approval_number(text: str) -> int:
    """The entry that a public id names, or NotFound."""
    number = text.removeprefix(_PREFIX)
    if text.startswith(_PREFIX) and number.isdecimal() and number.isascii() and len(number) <= _DIGITS_MAX:
        return int(number)
    raise NotFound(f"there is no approval {text[:60]}", field="id")


def find_approval(where: Batch | Reader, text: str) -> ApprovalRow:
    """The request of a public id, as of this batch or as it is stored, or NotFound."""
    row = where.approval(approval_number(text))
    if row is None or approval_id(row.entry) != text:
        raise NotFound(f"there is no approval {text[:60]}", field="id")
    return row


def terms_of(row: ApprovalRow, public_id: str) -> Terms:
    """What a request asks, of whom; `public_id` is its job's."""
    return Terms(
        job=public_id,
        name=row.name,
        occurrence=row.occurrence,
        question=row.question,
        subject=row.payload.hex() if row.payload else digest(row.subject or b"null"),
        approvers=tuple(msgspec.json.decode(row.approvers, type=list[str])),
        needed=row.needed,
        self_approval=bool(row.self_approval),
    )


def facts_of(acts: list[ApprovalAct]) -> list[ActFact]:
    """What was done with a request, in the words of the kernel."""
    return [ActFact(*act[1:]) for act in acts]


def weigh(
    batch: Batch, row: ApprovalRow, terms: Terms, acts: list[ActFact]
) -> tuple[dict[str, Any], Verdict]:
    """What a request has come to, with the rule's input."""
    given = quorum_input(terms, row.requester, row.due_us, acts, batch.at_us)
    return given, decide_quorum(given)


def in_time(batch: Batch, row: ApprovalRow) -> ApprovalRow:
    """A request as it stands now: one that is open past its deadline ends here."""
    if row.state != "open" or row.due_us > batch.at_us:
        return row
    terms = terms_of(row, job_id(batch.job(row.number)))
    given, verdict = weigh(batch, row, terms, facts_of(batch.approval_acts(row.entry)))
    # Whoever had the last word has ended it at once.
    assert verdict.chosen == "expired"
    record = decision(QUORUM, given, verdict)
    data = {"due_us": row.due_us}
    entry = batch.unit.record(
        "approval.expired", approval_id(row.entry), data, ENGINE, decision=record, previous=row.newest
    )
    return end_approval(batch, row, "expired", entry)


def end_approval(batch: Batch, row: ApprovalRow, state: str, entry: int) -> ApprovalRow:
    """A request has ended, for good: it is used once."""
    ended = row._replace(state=state, ended=entry, newest=entry)
    batch.unit.approvals[row.entry] = ended
    batch.unit.mentions.append((row.number, entry))
    left = batch.state.asking[row.number]
    left.discard(row.entry)
    if not left:
        del batch.state.asking[row.number]
    return ended


def cancel_open(batch: Batch, number: int, cause: int) -> None:
    """A job has ended, by the entry `cause`: nobody needs to decide what it has asked for."""
    for entry in sorted(batch.state.asking[number]):
        row = batch.approval(entry)
        assert row is not None, "what is open was asked for"
        subject = approval_id(entry)
        written = batch.unit.record(
            "approval.cancelled", subject, {}, ENGINE, previous=row.newest, cause=cause
        )
        end_approval(batch, row, "cancelled", written)


def given_by(batch: Batch, row: ApprovalRow) -> tuple[bytes | None, JobError | None]:
    """What a request that has ended gives its handler."""
    asked = terms_of(row, job_id(batch.job(row.number))).digest()
    acts = facts_of(batch.approval_acts(row.entry))
    return give_approval(approval_id(row.entry), asked, row.state, acts)
