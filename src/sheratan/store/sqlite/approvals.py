"""Reads of approvals."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import starmap

from sheratan.store.approval_rows import ApprovalAct, ApprovalRow
from sheratan.store.sqlite.scans import SqliteScans

__all__ = ["SqliteApprovals"]


class SqliteApprovals(SqliteScans):
    """Reads of requests for approval and of what was done with them."""

    def approval(self, entry: int) -> ApprovalRow | None:
        """A request, by the entry that records it."""
        for row in self._rows("select_approval", (entry,)):
            return ApprovalRow(*row)
        return None

    def approvals_of(self, number: int) -> list[ApprovalRow]:
        """The requests of a job, oldest first."""
        return list(starmap(ApprovalRow, self._rows("select_approvals_of", (number,))))

    def open_approvals(self) -> list[tuple[int, int]]:
        """(entry, job) of every open request, oldest first."""
        return list(self._rows("select_approvals_open"))

    def find_approvals(self, state: str | None, below: int, limit: int) -> list[ApprovalRow]:
        """Requests, or those in one state, whose entries are below this one, newest first."""
        if state is None:
            rows = self._rows("select_approvals_below", (below, limit))
        else:
            rows = self._rows("select_approvals_in", (state, below, limit))
        return list(starmap(ApprovalRow, rows))

    def approval_acts(self, approval: int) -> list[ApprovalAct]:
        """What was done with a request, oldest first."""
        return list(starmap(ApprovalAct, self._rows("select_approval_acts", (approval,))))

    def all_approvals(self) -> Iterator[ApprovalRow]:
        """Every request, in order."""
        yield from starmap(ApprovalRow, self._steps("select_approvals_from", 1))

    def all_approval_acts(self) -> Iterator[ApprovalAct]:
        """What was done with every request, by request."""
        yield from starmap(ApprovalAct, self._steps("select_approval_acts_from", 2))
