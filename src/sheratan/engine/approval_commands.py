"""Commands about approvals."""

from __future__ import annotations

import msgspec

__all__ = ["Ask", "Delegate", "Vote"]


class Ask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A running job asks for an approval, checked: `subject` is canonical JSON, the approvers are in order, once each.

    Answered with the request's id, which is the same however often it is asked.
    """

    number: int
    fence: int
    name: str
    occurrence: int
    question: str
    subject: bytes
    approvers: tuple[str, ...] = ()
    needed: int = 1
    self_approval: bool = False
    seconds: float | None = None
    until_us: int | None = None


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody approves or denies the request that has this digest; answered with the entry."""

    id: str
    verdict: str
    digest: str
    comment: str = ""


class Delegate(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody hands their say in a request on; answered with the entry."""

    id: str
    to: str
    comment: str = ""
