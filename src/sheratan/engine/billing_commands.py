"""The command of prices."""

from __future__ import annotations

import msgspec

__all__ = ["PriceKind"]


class PriceKind(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts at jobs of a kind cost so many minor units of a unit from now on, or nothing (amount None)."""

    kind: str
    unit: str | None
    amount: int | None
    metered: bool
    reason: str
