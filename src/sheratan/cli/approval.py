"""`sheratan approval`: what handlers ask people to decide, and the decisions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import msgspec

from sheratan.cli.output import draw_pairs, draw_table, emit, line, talk
from sheratan.cli.pages import page_options, show_pages
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import instant
from sheratan.contracts.api import Transport
from sheratan.contracts.approvals import (
    Act,
    ApprovalPage,
    ApprovalRecord,
    DecideApproval,
    DelegateApproval,
    GetApproval,
    ListApprovals,
    Verdict,
)

__all__ = ["approval"]

_STATES = ("open", "approved", "denied", "expired", "cancelled")
_DID = {"approve": "approved", "deny": "denied", "delegate": "handed their say to"}
_HEADERS = ("ID", "STATE", "ASKED", "DEADLINE", "WAITS FOR", "JOB", "QUESTION")
_QUESTION_LENGTH_MAX = 60

_digest_option = click.option(
    "--digest", metavar="SHA256", help="Decide about this digest only; without it, about the one just shown."
)
_comment_option = click.option("--comment", default="", help="Why; it goes into the journal.")


@click.group()
def approval() -> None:
    """What handlers ask people to decide."""


@approval.command("list")
@click.option("--mine", is_flag=True, help="Only those that are open and wait for you.")
@click.option("--state", type=click.Choice(_STATES), help="Only those in one state.")
@page_options("Requests")
@command_options
def list_command(session: Session, **wanted: Any) -> None:
    """List requests for approval, newest first."""
    show_pages(session, ListApprovals, _draw_page, **wanted)


def _draw_page(page: ApprovalPage) -> None:
    draw_table(_HEADERS, [_row(one) for one in page.items])


@approval.command()
@click.argument("approval_id", metavar="ID")
@command_options
def show(session: Session, approval_id: str) -> None:
    """Show a request: what exactly is to be approved, who may decide, until when, and what was done with it."""
    wanted = request(GetApproval, id=approval_id)
    found: ApprovalRecord = ask(session, lambda transport: transport.call(wanted), offline=True)
    emit(session, found, lambda: draw_pairs(_pairs(found)))


@approval.command()
@click.argument("approval_id", metavar="ID")
@_digest_option
@_comment_option
@command_options
def approve(session: Session, approval_id: str, digest: str | None, comment: str) -> None:
    """Approve a request. Its digest is shown, and the approval counts for nothing else."""
    _decide(session, approval_id, "approve", digest, comment)


@approval.command()
@click.argument("approval_id", metavar="ID")
@_digest_option
@_comment_option
@command_options
def deny(session: Session, approval_id: str, digest: str | None, comment: str) -> None:
    """Deny a request: one denial is enough, and its handler goes on with ApprovalDenied."""
    _decide(session, approval_id, "deny", digest, comment)


@approval.command()
@click.argument("approval_id", metavar="ID")
@click.argument("to", metavar="TO")
@_comment_option
@command_options
def delegate(session: Session, approval_id: str, to: str, comment: str) -> None:
    """Hand your say in a request to TO (as local:ben), who then decides instead of you."""
    wanted = request(DelegateApproval, id=approval_id, to=to, comment=comment)
    entry: int = ask(session, lambda transport: transport.call(wanted))
    emit(session, {"id": approval_id, "to": to, "entry": entry}, lambda: line(f"entry {entry}"))


def _decide(session: Session, approval_id: str, verdict: Verdict, digest: str | None, comment: str) -> None:
    async def work(transport: Transport) -> tuple[str, int]:
        seen = digest
        if seen is None:
            found: ApprovalRecord = await transport.call(request(GetApproval, id=approval_id))
            seen = found.digest
            talk(f"{found.question}\nsubject  {_json(found.subject)}\ndigest   {seen}")
        wanted = request(DecideApproval, id=approval_id, verdict=verdict, digest=seen, comment=comment)
        return seen, await transport.call(wanted)

    decided, entry = ask(session, work)
    told = {"id": approval_id, "verdict": verdict, "digest": decided, "entry": entry}
    emit(session, told, lambda: line(f"entry {entry}"))


def _row(found: ApprovalRecord) -> tuple[str, ...]:
    question = found.question.partition("\n")[0]
    if len(question) > _QUESTION_LENGTH_MAX:
        question = f"{question[:_QUESTION_LENGTH_MAX]}…"
    return (
        found.id,
        found.state,
        instant(found.asked_us),
        "-" if found.due_us is None else instant(found.due_us),
        _waits_for(found),
        found.job,
        question,
    )


def _waits_for(found: ApprovalRecord) -> str:
    if found.state != "open":
        return "-"
    return ", ".join(found.waits_for) or "anyone"


def _pairs(found: ApprovalRecord) -> Iterator[tuple[str, object]]:
    yield "id", found.id
    yield "state", found.state if found.ended is None else f"{found.state} (entry {found.ended})"
    yield "question", found.question
    yield "subject", _json(found.subject)
    yield "digest", found.digest
    yield "subject digest", found.subject_digest
    yield "job", f"{found.job}, asked for by {found.requester}"
    whom = ", ".join(found.approvers) or "anyone"
    alone = "" if found.self_approval else f", but not {found.requester}"
    yield "approvers", f"{found.approvals} of {whom}{alone}"
    yield "waits for", _waits_for(found)
    yield "asked", instant(found.asked_us)
    yield "deadline", "none" if found.due_us is None else instant(found.due_us)
    for act in found.acts:
        yield instant(act.at_us), _told(act)


def _told(act: Act) -> str:
    to = f" {act.to}" if act.to else ""
    comment = f": {act.comment}" if act.comment else ""
    return f"{act.actor} {_DID[act.what]}{to}{comment} (entry {act.entry})"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
