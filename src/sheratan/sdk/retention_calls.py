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
    """The part of a client that says how long jobs are kept after they have ended."""

    _transport: Transport

    async def set_retention(
        self, kind: str | None = None, *, keep_seconds: int | None, reason: str = ""
    ) -> int:
        """Keep jobs of a kind, or of all kinds for which nothing is set, for so long after they have ended.

        None keeps them for ever. What is older is pruned from now on, but for what is still needed; its entries stay.
        Returns the journal entry that records it.
        """
        wanted = _wanted(kind, keep_seconds) | {"reason": reason}
        entry: int = await self._transport.call(convert(wanted, SetRetention))
        return entry

    async def preview_retention(
        self, kind: str | None = None, *, keep_seconds: int | None
    ) -> RetentionPreview:
        """How many jobs would be pruned at once if this were set; nothing is changed or recorded."""
        request = convert(_wanted(kind, keep_seconds), PreviewRetention)
        preview: RetentionPreview = await self._transport.call(request)
        return preview

    async def retention(self) -> list[RetentionRecord]:
        """How long jobs are kept, by kind, and how many were pruned."""
        records: list[RetentionRecord] = await self._transport.call(ListRetention())
        return records


def _wanted(kind: str | None, keep_seconds: int | None) -> dict[str, Any]:
    return {"kind": kind, "keep_seconds": keep_seconds}
