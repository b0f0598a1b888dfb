"""Approvals: what a handler asks people to decide, what they decide, and what is asked about it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from sheratan.contracts.patterns import DIGEST, PRINCIPAL
from sheratan.contracts.request import Reason, Request

__all__ = [
    "APPROVERS_MAX",
    "DELEGATIONS_MAX",
    "Act",
    "ApprovalPage",
    "ApprovalRecord",
    "ApprovalState",
    "AskApproval",
    "DecideApproval",
    "DelegateApproval",
    "GetApproval",
    "ListApprovals",
    "PrincipalName",
    "Verdict",
]

APPROVERS_MAX: Final = 100
"""People that one request may name: its entry names them all, and whoever reads it should know them."""

DELEGATIONS_MAX: Final = 5
"""Through how many hands one say may go: a request that is only passed on is decided by nobody."""

ApprovalState = Literal["open", "approved", "denied", "expired", "cancelled"]
"""Where a request is. All but `open` are final."""

Verdict = Literal["approve", "deny"]

PrincipalName = Annotated[str, msgspec.Meta(min_length=3, max_length=128, pattern=PRINCIPAL)]
"""Who may decide: the name of a person's principal, as `local:anna`. Workers and the engine never may."""

Question = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
Digest = Annotated[str, msgspec.Meta(pattern=DIGEST)]
Instant = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]


class AskApproval(Request, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A running job asks for an approval, as what will be its step `name`, `occurrence`; answered with its id.

    Asked again by a later attempt, the same request gives the same id and its deadline holds; another one is refused
    with Conflict. Without `approvers` anyone may decide, but for whoever asked for the job (`self_approval`).
    """

    session: int
    number: int
    fence: int
    name: Annotated[str, msgspec.Meta(max_length=200, pattern="^wait:approval")]
    occurrence: Annotated[int, msgspec.Meta(ge=1)] = 1
    question: Question
    subject: Any = None
    """What exactly is to be approved: any JSON value."""
    approvers: Annotated[tuple[PrincipalName, ...], msgspec.Meta(max_length=APPROVERS_MAX)] = ()
    approvals: Annotated[int, msgspec.Meta(ge=1, le=APPROVERS_MAX)] = 1
    """How many people must approve."""
    self_approval: bool = False
    seconds: Annotated[float, msgspec.Meta(ge=0, le=3_155_760_000.0)] | None = None
    """How long it stays open, from the instant at which it is first asked for."""
    until_us: Instant | None = None


class DecideApproval(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Approve or deny a request, whose digest is named as it was seen; answered with the entry that records it.

    The same decision by the same person again is answered with the same entry. Refused with Conflict: another digest
    (the error names both), another decision, a request that is not open. With NotAllowed: whoever has no say in it.
    """

    id: str
    verdict: Verdict
    digest: Digest
    comment: Reason = ""


class DelegateApproval(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Hand one's say in a request to somebody else, who then decides instead; answered with the entry."""

    id: str
    to: PrincipalName
    comment: Reason = ""


class GetApproval(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One request with its subject in full."""

    id: str


class ListApprovals(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Requests, newest first; `mine`: those that are open and wait for the caller. `cursor` continues a page."""

    state: ApprovalState | None = None
    mine: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1)] = 50
    cursor: str | None = None


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did with a request: approved or denied it, or handed their say `to` somebody else."""

    entry: int
    at_us: int
    actor: str
    what: Literal["approve", "deny", "delegate"]
    to: str | None = None
    comment: str = ""


class ApprovalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it stands. Instants are microseconds since the epoch.

    `digest` is the SHA-256 of what is asked: job, name, question, the subject's own SHA-256 (`subject_digest`), who may
    decide and how many must. `waits_for` are those who may decide now; empty and `open`: anyone. `subject` is given for
    a single one only.
    """

    id: str
    job: str
    name: str
    question: str
    digest: str
    subject_digest: str
    approvers: list[str]
    approvals: int
    self_approval: bool
    requester: str
    state: ApprovalState
    asked_us: int
    due_us: int | None
    ended: int | None
    """The entry that ended it."""
    waits_for: list[str] = []
    acts: list[Act] = []
    subject: Any = None


class ApprovalPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of requests; `next_cursor` is None on the last one."""

    items: list[ApprovalRecord]
    next_cursor: str | None = None
