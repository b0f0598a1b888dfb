"""Rows of requests for approval, and of what people did with them."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ApprovalAct", "ApprovalRow"]


class ApprovalRow(NamedTuple):
    """A request for approval, by the entry that records it. Its last three columns change, the others never."""

    entry: int
    number: int
    """The job whose handler asks, and below as which of its steps."""
    name: str
    occurrence: int
    question: str
    subject: bytes | None
    payload: bytes | None
    """The SHA-256 of a subject that is too large for the row."""
    approvers: str
    """The names as a JSON list; an empty one: anyone."""
    needed: int
    self_approval: int
    requester: str
    """Who asked for the job."""
    asked_us: int
    due_us: int
    state: str
    ended: int | None
    """The entry that ended it."""
    newest: int
    """The newest entry about it."""


class ApprovalAct(NamedTuple):
    """What somebody did with a request: `approve`, `deny`, or `delegate` to a receiver."""

    approval: int
    entry: int
    at_us: int
    actor: str
    what: str
    receiver: str | None
    comment: str
