"""Requests about approvals as commands."""

from __future__ import annotations

from sheratan.contracts.approvals import (
    AskApproval,
    DecideApproval,
    DelegateApproval,
)
from sheratan.contracts.errors import InvalidInput, TooLarge
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import Ask, Delegate, Vote
from sheratan.kernel.canonical import canonical

__all__ = ["Decision", "decision_command", "prepare_ask"]

Decision = DecideApproval | DelegateApproval
"""What people do with a request for approval, and no worker."""


def decision_command(request: Decision) -> Vote | Delegate:
    """The command for what somebody does with a request."""
    canonical(request.comment, field="comment")
    if isinstance(request, DecideApproval):
        return Vote(id=request.id, verdict=request.verdict, digest=request.digest, comment=request.comment)
    return Delegate(id=request.id, to=request.to, comment=request.comment)


def prepare_ask(request: AskApproval, limits: Limits) -> Ask:
    """A checked request for approval; the approvers in order, each once."""
    if request.seconds is not None and request.until_us is not None:
        raise InvalidInput("give the seconds or the instant, not both", field="until_us")
    canonical(request.question, field="question")
    subject = canonical(request.subject, field="subject")
    if len(subject) > limits.payload_bytes_max:
        most = f"at most {limits.payload_bytes_max} (limits.payload_bytes_max)"
        raise TooLarge(
            f"{len(subject)} bytes of canonical JSON; {most}: name it by its digest", field="subject"
        )
    approvers = tuple(sorted(set(request.approvers)))
    if approvers and len(approvers) < request.approvals:
        text = f"{request.approvals} must approve, and {len(approvers)} are named"
        raise InvalidInput(text, field="approvals")
    return Ask(
        number=request.number,
        fence=request.fence,
        name=request.name,
        occurrence=request.occurrence,
        question=request.question,
        subject=subject,
        approvers=approvers,
        needed=request.approvals,
        self_approval=request.self_approval,
        seconds=request.seconds,
        until_us=request.until_us,
    )
