"""Proposals at the edge: what is wrong with one is told to whoever has proposed it, and the call goes on."""

from __future__ import annotations

from typing import Final

import msgspec

from sheratan.contracts.errors import InvalidInput, TooLarge, UnknownKind
from sheratan.contracts.jobs import Name, Submission
from sheratan.contracts.limits import Limits
from sheratan.contracts.proposals import Proposal, ProposeJobs, Rejection, RejectionCode
from sheratan.engine.commands import NewJob, Propose
from sheratan.engine.prepare import KindRegistry, prepare_job

__all__ = ["prepare_proposals"]

_TEXT_MAX: Final = 500
"""Characters of a rejection's reason, which may quote what was proposed."""


def prepare_proposals(request: ProposeJobs, kinds: KindRegistry, limits: Limits) -> Propose:
    """Checked proposals; what only a handler at fault asks for is refused, and names the field."""
    proposals = request.proposals
    if not proposals:
        raise InvalidInput("at least one proposal is needed", field="proposals")
    if len(proposals) > limits.proposals_max:
        raise TooLarge(
            f"{len(proposals)} proposals in one call; at most {limits.proposals_max} (limits.proposals_max)",
            field="proposals",
        )
    if any(one.options.key is not None or one.options.after for one in proposals):
        text = "a proposal has no key and runs after no other job: it makes a job of its own, or none"
        raise InvalidInput(text, field="options")
    return Propose(
        number=request.number,
        fence=request.fence,
        step=request.step,
        name=request.name,
        occurrence=request.occurrence,
        proposals=tuple((_name(one.kind), _prepare(one, kinds, limits)) for one in proposals),
        budget=request.budget,
    )


def _prepare(proposal: Proposal, kinds: KindRegistry, limits: Limits) -> NewJob | Rejection:
    job = Submission(kind=proposal.kind, input=proposal.input, options=proposal.options)
    try:
        return prepare_job(job, kinds, limits)
    except UnknownKind as error:
        return _rejection("unknown_kind", error)
    except TooLarge as error:
        return _rejection("too_large", error)
    except InvalidInput as error:
        return _rejection("invalid_input", error)


def _rejection(code: RejectionCode, error: InvalidInput) -> Rejection:
    text = str(error).encode("utf-8", "backslashreplace").decode()
    return Rejection(code=code, because=text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}…")


def _name(kind: str) -> str:
    """The kind, if that is a name at all: nothing else is written into the journal."""
    try:
        return msgspec.convert(kind, Name)
    except msgspec.ValidationError:
        return ""
