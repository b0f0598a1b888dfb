"""What a client may do about retention."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.api import Transport
from sheratan.contracts.retention import (
    ListRetention,
    PreviewRetention,
    RetentionPreview,
    RetentionRecord,
    SetRetention,
)
from sheratan.contracts.values import convert

__all__ = ["RetentionCalls"]


class RetentionCalls:
    """The part of a client that says how long jobs and runs are kept after they have ended."""

    _transport: Transport

    async def set_retention(
        self,
        kind: str | None = None,
        *,
        workflow: str | None = None,
        keep_seconds: int | None,
        reason: str = "",
    ) -> int:
        """Keep jobs of a kind, or of all kinds for which nothing is set, for so long after they have ended.

        With a workflow, keep its runs, or with '' those of all workflows for which nothing is set; a run goes after its
        jobs. None keeps them for ever. What is older is pruned from now on, but for what is still needed; its entries
        stay. Returns the journal entry that records it.
        """
        wanted = _wanted(kind, workflow, keep_seconds) | {"reason": reason}
        entry: int = await self._transport.call(convert(wanted, SetRetention))
        return entry

    async def preview_retention(
        self, kind: str | None = None, *, workflow: str | None = None, keep_seconds: int | None
    ) -> RetentionPreview:
        """How many jobs or runs would be pruned at once if this were set; nothing is changed or recorded."""
        request = convert(_wanted(kind, workflow, keep_seconds), PreviewRetention)
        preview: RetentionPreview = await self._transport.call(request)
        return preview

    async def retention(self) -> list[RetentionRecord]:
        """How long jobs are kept, by kind, and runs, by workflow, and how many were pruned."""
        records: list[RetentionRecord] = await self._transport.call(ListRetention())
        return records


def _wanted(kind: str | None, workflow: str | None, keep_seconds: int | None) -> dict[str, Any]:
    return {"kind": kind, "workflow": workflow, "keep_seconds": keep_seconds}
