"""The command of prices."""

from __future__ import annotations

import msgspec

__all__ = ["PriceKind"]


class PriceKind(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts at jobs of a kind cost so many minor units of a unit from now on, or nothing (amount None).

    With `worker_share` a part of what an attempt is charged goes on to its worker.
    """

    kind: str
    unit: str | None
    amount: int | None
    metered: bool
    reason: str
    worker_share: bool = False
