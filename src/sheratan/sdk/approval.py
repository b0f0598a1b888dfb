"""What a handler gets that has asked for an approval."""

from __future__ import annotations

import msgspec

__all__ = ["Approval", "Approved"]


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """One person's approval: who, when (microseconds since the epoch), why, and the entry that records it."""

    actor: str
    at_us: int
    comment: str
    entry: int


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was approved. `digest` is that of what was asked, which each of these people has named."""

    id: str
    digest: str
    by: list[Approved]
