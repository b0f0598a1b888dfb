"""Approvals: a running job asks, people decide or hand their say on, and the handler that waits goes on."""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from sheratan.contracts.errors import Conflict, InvalidInput, LimitReached, LostLease, NotAllowed
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Ask, Delegate, Vote
from sheratan.engine.quorum import (
    approval_id,
    end_approval,
    facts_of,
    find_approval,
    terms_of,
    weigh,
)
from sheratan.engine.requester import find_requester
from sheratan.engine.state import Held
from sheratan.engine.waits import wake
from sheratan.engine.words import check_reason
from sheratan.kernel.approval import (
    QUORUM,
    ActFact,
    Terms,
    has_say,
    people,
    quorum_input,
    why_no_delegation,
)
from sheratan.kernel.canonical import digest
from sheratan.kernel.rules import decision
from sheratan.store.approval_rows import ApprovalAct, ApprovalRow
from sheratan.store.rows import NEVER_US, TIMER_WAIT, Timer

__all__ = ["ask", "delegate", "vote"]


def ask(batch: Batch, command: Ask, by: Principal) -> str:
    """Record what a running job asks people for, once; returns the request's id."""
    held = batch.state.held.get(command.number)
    if held is None or held.lease.fence != command.fence:
        raise LostLease("the job that asks has lost its lease, so it asks for nothing", field="fence")
    check_reason(command.question, "question")
    terms = Terms(
        job=held.id,
        name=command.name,
        occurrence=command.occurrence,
        question=command.question,
        subject=digest(command.subject),
        approvers=command.approvers,
        needed=command.needed,
        self_approval=command.self_approval,
    )
    for row in batch.approvals_of(command.number):
        if (row.name, row.occurrence) == (command.name, command.occurrence):
            _check_same(terms, terms_of(row, held.id), row)
            return approval_id(row.entry)
    requester = find_requester(batch, held.job)
    _check_askable(batch, terms, requester)
    return _record(batch, held, command, (terms, requester), by)


def _check_same(terms: Terms, asked: Terms, row: ApprovalRow) -> None:
    """A handler that is run again and asks for something else does not get what was decided about the first."""
    if terms == asked:
        return
    field = next(name for name, a, b in zip(terms._fields, terms, asked, strict=True) if a != b)
    raise Conflict(
        f"{approval_id(row.entry)} was asked for with another {field}; ask for what has changed under another name",
        field=field,
        asked=asked.digest(),
        given=terms.digest(),
    )


def _check_askable(batch: Batch, terms: Terms, requester: str) -> None:
    """Refuse what nobody could ever approve, and what would be one too many."""
    left = people(quorum_input(terms, requester, NEVER_US, (), batch.at_us))
    if terms.approvers and len(left) < terms.needed:
        raise InvalidInput(
            f"{terms.needed} must approve, and {len(left)} of the approvers may: {requester}, who has asked for the"
            " job, does not count without self_approval",
            field="approvals",
        )
    most = batch.state.limits.approvals_open_max
    if sum(map(len, batch.state.asking.values())) >= most:
        raise LimitReached(
            f"{most} requests for approval are open (limits.approvals_open_max)", field="approvals"
        )


def _record(batch: Batch, held: Held, command: Ask, asked: tuple[Terms, str], by: Principal) -> str:
    terms, requester = asked
    due_us = NEVER_US if command.until_us is None else command.until_us
    if command.seconds is not None:
        due_us = batch.at_us + int(command.seconds * 1_000_000)
    data: dict[str, Any] = terms._asdict() | {
        "approvers": list(terms.approvers),
        "digest": terms.digest(),
        "requester": requester,
        "due_us": due_us,
    }
    public_id = approval_id(batch.unit.next_seq)
    entry = batch.unit.record("approval.asked", public_id, data, by)
    body, payload = batch.keep(command.subject)
    batch.unit.approvals[entry] = ApprovalRow(
        entry=entry,
        number=command.number,
        name=terms.name,
        occurrence=terms.occurrence,
        question=terms.question,
        subject=body,
        payload=payload,
        approvers=msgspec.json.encode(terms.approvers).decode(),
        needed=terms.needed,
        self_approval=int(terms.self_approval),
        requester=requester,
        asked_us=batch.at_us,
        due_us=due_us,
        state="open",
        ended=None,
        newest=entry,
    )
    batch.unit.mentions.append((command.number, entry))
    batch.state.asking.setdefault(command.number, set()).add(entry)
    return public_id


def vote(batch: Batch, command: Vote, by: Principal) -> int:
    """Somebody approves or denies; returns the entry that says so, the same one when they say it again."""
    check_reason(command.comment, "comment")
    row = find_approval(batch, command.id)
    terms = _terms(batch, row)
    _check_digest(command, terms)
    acts = facts_of(batch.approval_acts(row.entry))
    said = next((act for act in acts if act.actor == by.actor and act.what != "delegate"), None)
    if said is not None:
        if said.what == command.verdict:
            return said.entry
        raise Conflict(
            f"{by.actor} has said {said.what} (entry {said.entry}), and that stands", field="verdict"
        )
    _check_open(batch, row)
    given, _ = weigh(batch, row, terms, acts)
    if not has_say(given, by.actor):
        _refuse(row, by.actor, acts)
    act = ActFact(batch.unit.next_seq, batch.at_us, by.actor, command.verdict, None, command.comment)
    given, verdict = weigh(batch, row, terms, [*acts, act])
    data = {"verdict": command.verdict, "digest": command.digest, "comment": command.comment}
    record = decision(QUORUM, given, verdict)
    entry = batch.unit.record("approval.voted", command.id, data, by, decision=record, previous=row.newest)
    batch.unit.approval_acts.append(ApprovalAct(row.entry, *act))
    if verdict.chosen == "open":
        _goes_on(batch, row, entry)
    else:
        end_approval(batch, row, verdict.chosen, entry)
        _wake(batch, row.number)
    return entry


def delegate(batch: Batch, command: Delegate, by: Principal) -> int:
    """Somebody hands their say on; returns the entry that says so, the same one when they say it again."""
    check_reason(command.comment, "comment")
    row = find_approval(batch, command.id)
    acts = facts_of(batch.approval_acts(row.entry))
    handed = next((act for act in acts if act.actor == by.actor and act.what == "delegate"), None)
    if handed is not None and handed.receiver == command.to:
        return handed.entry
    _check_open(batch, row)
    given, _ = weigh(batch, row, _terms(batch, row), acts)
    if not has_say(given, by.actor):
        _refuse(row, by.actor, acts)
    reason = why_no_delegation(given, by.actor, command.to)
    if reason is not None:
        raise Conflict(f"not handed on: {reason}", field="to")
    act = ActFact(batch.unit.next_seq, batch.at_us, by.actor, "delegate", command.to, command.comment)
    data = {"to": command.to, "comment": command.comment}
    entry = batch.unit.record("approval.delegated", command.id, data, by, previous=row.newest)
    batch.unit.approval_acts.append(ApprovalAct(row.entry, *act))
    _goes_on(batch, row, entry)
    return entry


def _terms(batch: Batch, row: ApprovalRow) -> Terms:
    return terms_of(row, batch.trace(row.number).id)


def _check_digest(command: Vote, terms: Terms) -> None:
    asked = terms.digest()
    if command.digest != asked:
        raise Conflict(
            f"this is about {command.digest}, and {command.id} asks for {asked}; look at it again",
            field="digest",
            asked=asked,
            given=command.digest,
        )


def _check_open(batch: Batch, row: ApprovalRow) -> None:
    if row.state != "open":
        raise Conflict(
            f"{approval_id(row.entry)} is {row.state} (entry {row.ended}); it is used once", field="id"
        )
    if row.due_us <= batch.at_us:
        raise Conflict(
            f"{approval_id(row.entry)} has expired: its deadline was {row.due_us} µs since the epoch, and it is"
            f" {batch.at_us}",
            field="id",
        )


def _refuse(row: ApprovalRow, who: str, acts: list[ActFact]) -> NoReturn:
    if who == row.requester and not row.self_approval:
        reason = "has asked for the job; somebody else must decide"
    elif any(act.actor == who and act.what == "delegate" for act in acts):
        reason = "has handed their say on"
    else:
        reason = "is none of those who may decide"
    raise NotAllowed(f"{who} {reason} (`sheratan approval show {approval_id(row.entry)}`)", field="id")


def _goes_on(batch: Batch, row: ApprovalRow, entry: int) -> None:
    batch.unit.approvals[row.entry] = row._replace(newest=entry)
    batch.unit.mentions.append((row.number, entry))


def _wake(batch: Batch, number: int) -> None:
    """Let the handler go on, if it waits; one that does not yet finds what was decided once it does."""
    job = batch.job(number)
    location = batch.locate(job)
    if type(location) is Timer and location.what == TIMER_WAIT:
        wake(batch, job, location)
