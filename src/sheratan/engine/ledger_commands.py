"""The commands of the ledger."""

from __future__ import annotations

import msgspec

from sheratan.contracts.ledger import Transfer

__all__ = ["ApplyTransfers", "OpenAccount"]


class OpenAccount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Open an account unless there is one; answered with the entry that has opened it."""

    account: str
    unit: str
    scale: int | None
    reason: str


class ApplyTransfers(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Apply transfers, checked, in this order; answered with what has become of each."""

    transfers: tuple[Transfer, ...]
    reason: str
