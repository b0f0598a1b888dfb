"""What the engine asks of a database about approvals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sheratan.store.approval_rows import ApprovalAct, ApprovalRow

__all__ = ["ApprovalReader"]


class ApprovalReader(Protocol):
    """Reads of requests for approval and of what was done with them."""

    def approval(self, entry: int) -> ApprovalRow | None:
        """A request, by the entry that records it."""
        ...

    def approvals_of(self, number: int) -> list[ApprovalRow]:
        """The requests of a job, oldest first."""
        ...

    def open_approvals(self) -> list[tuple[int, int]]:
        """(entry, job) of every open request, oldest first."""
        ...

    def find_approvals(self, state: str | None, below: int, limit: int) -> list[ApprovalRow]:
        """Requests, or those in one state, whose entries are below this one, newest first."""
        ...

    def approval_acts(self, approval: int) -> list[ApprovalAct]:
        """What was done with a request, oldest first."""
        ...

    def all_approvals(self) -> Iterator[ApprovalRow]:
        """Every request, in order."""
        ...

    def all_approval_acts(self) -> Iterator[ApprovalAct]:
        """What was done with every request, by request."""
        ...
