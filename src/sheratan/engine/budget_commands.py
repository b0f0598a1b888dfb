"""The command of budgets of money."""

from __future__ import annotations

import msgspec

from sheratan.contracts.spending import Window

__all__ = ["LimitSpending"]


class LimitSpending(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs of a tenant, queue or kind may spend so many minor units of a unit, or all there are (amount None)."""

    subject: str
    unit: str
    per: Window | None
    amount: int | None
    reason: str
