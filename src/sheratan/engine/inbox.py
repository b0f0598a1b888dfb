"""Requests for approval as people see them: one, and the inbox."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sheratan.contracts.approvals import Act, ApprovalPage, ApprovalRecord, GetApproval, ListApprovals
from sheratan.contracts.errors import CorruptData, InvalidInput, NotFound
from sheratan.contracts.limits import Limits
from sheratan.engine.ids import ids_of
from sheratan.engine.quorum import approval_id, approval_number, facts_of, find_approval, terms_of
from sheratan.kernel.approval import has_say, people, quorum_input
from sheratan.store.approval_rows import ApprovalRow
from sheratan.store.port import Reader
from sheratan.store.rows import NEVER_US

__all__ = ["approval_record", "list_approvals", "waits_for"]

_ROWS_AT_ONCE = 500
_NEWEST = (1 << 53) - 1


def approval_record(reader: Reader, request: GetApproval) -> ApprovalRecord:
    """One request with its subject in full, or NotFound."""
    row = find_approval(reader, request.id)
    body = reader.payload(row.payload) if row.payload else row.subject
    return msgspec.structs.replace(_record(reader, row), subject=msgspec.json.decode(body or b"null"))


def list_approvals(reader: Reader, request: ListApprovals, limits: Limits, who: str | None) -> ApprovalPage:
    """A page of requests, newest first; `who` asks."""
    if request.mine and who is None:
        raise InvalidInput("whose they are is known to a running server only", field="mine")
    limit = min(request.limit, limits.list_jobs_max)
    found: list[ApprovalRecord] = []
    for row in _rows(reader, request):
        if request.mine and not _is_mine(reader, row, who or ""):
            continue
        if len(found) == limit:
            return ApprovalPage(items=found, next_cursor=found[-1].id)
        found.append(_record(reader, row))
    return ApprovalPage(items=found)


def waits_for(reader: Reader, text: str) -> str:
    """What a handler waits for, in words: an approval by whom, of what."""
    row = find_approval(reader, text)
    record = _record(reader, row)
    whom = " or ".join(record.waits_for) or "anyone"
    return f"{record.id} by {whom} of {row.question!r}"


def _rows(reader: Reader, request: ListApprovals) -> Iterator[ApprovalRow]:
    state = request.state
    if request.mine:
        if state not in (None, "open"):
            raise InvalidInput(f"nobody has to decide what is {state}; leave the state out", field="state")
        state = "open"
    below = _NEWEST if request.cursor is None else _cursor(request.cursor)
    while rows := reader.find_approvals(state, below, _ROWS_AT_ONCE):
        yield from rows
        below = rows[-1].entry


def _cursor(text: str) -> int:
    try:
        return approval_number(text)
    except NotFound:
        raise InvalidInput(f"{text[:60]!r} is no cursor of a page", field="cursor") from None


def _is_mine(reader: Reader, row: ApprovalRow, who: str) -> bool:
    """Whether somebody may decide, and has not."""
    acts = facts_of(reader.approval_acts(row.entry))
    given = quorum_input(terms_of(row, ""), row.requester, row.due_us, acts, 0)
    return has_say(given, who) and not any(voter == who for voter, *_ in given["votes"])


def _record(reader: Reader, row: ApprovalRow) -> ApprovalRecord:
    ids = ids_of(reader, [row.number])
    if not ids:
        raise CorruptData(f"approval {row.entry} names job number {row.number}, which is not there")
    terms = terms_of(row, ids[row.number])
    acts = reader.approval_acts(row.entry)
    given = quorum_input(terms, row.requester, row.due_us, facts_of(acts), 0)
    voted = {voter for voter, *_ in given["votes"]}
    return ApprovalRecord(
        id=approval_id(row.entry),
        job=terms.job,
        name=row.name,
        question=row.question,
        digest=terms.digest(),
        subject_digest=terms.subject,
        approvers=list(terms.approvers),
        approvals=row.needed,
        self_approval=terms.self_approval,
        requester=row.requester,
        state=row.state,  # type: ignore[arg-type]
        asked_us=row.asked_us,
        due_us=None if row.due_us == NEVER_US else row.due_us,
        ended=row.ended,
        waits_for=[who for who in people(given) if who not in voted] if row.state == "open" else [],
        acts=[
            Act(
                entry=act.entry,
                at_us=act.at_us,
                actor=act.actor,
                what=act.what,  # type: ignore[arg-type]
                to=act.receiver,
                comment=act.comment,
            )
            for act in acts
        ],
    )
