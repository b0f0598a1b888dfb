"""What a client may do about requests for approval."""

from __future__ import annotations

from sheratan.contracts.api import Transport
from sheratan.contracts.approvals import (
    ApprovalPage,
    ApprovalRecord,
    DecideApproval,
    DelegateApproval,
    GetApproval,
    ListApprovals,
    Verdict,
)
from sheratan.contracts.values import convert

__all__ = ["ApprovalCalls"]


class ApprovalCalls:
    """The part of a client that looks at requests for approval, and decides about them."""

    _transport: Transport

    async def approvals(self, request: ListApprovals | None = None) -> ApprovalPage:
        """A page of requests for approval, newest first; `ListApprovals(mine=True)`: those that wait for the caller."""
        page: ApprovalPage = await self._transport.call(request or ListApprovals())
        return page

    async def approval(self, approval_id: str) -> ApprovalRecord:
        """A request for approval (`approval:N`), with its subject in full."""
        record: ApprovalRecord = await self._transport.call(GetApproval(id=approval_id))
        return record

    async def approve(self, approval_id: str, digest: str, comment: str = "") -> int:
        """Approve a request that has this digest, as it was seen; returns the journal entry that records it.

        Conflict when it has another digest, or is not open any more; NotAllowed when the caller has no say in it.
        """
        return await self._decide(approval_id, "approve", digest, comment)

    async def deny(self, approval_id: str, digest: str, comment: str = "") -> int:
        """Deny a request that has this digest; returns the journal entry that records it. Refused as `approve` is."""
        return await self._decide(approval_id, "deny", digest, comment)

    async def delegate(self, approval_id: str, to: str, comment: str = "") -> int:
        """Hand the caller's say in a request to somebody else; returns the journal entry that records it."""
        wanted = convert({"id": approval_id, "to": to, "comment": comment}, DelegateApproval)
        entry: int = await self._transport.call(wanted)
        return entry

    async def _decide(self, approval_id: str, verdict: Verdict, digest: str, comment: str) -> int:
        given = {"id": approval_id, "verdict": verdict, "digest": digest, "comment": comment}
        entry: int = await self._transport.call(convert(given, DecideApproval))
        return entry
