"""Prices: what an attempt at a job of some kind may cost its tenant, and what it did cost."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sheratan.contracts.jobs import Name
from sheratan.contracts.ledger import AMOUNT_MAX, Unit
from sheratan.contracts.request import Reason, Request

__all__ = ["Charge", "ListCharges", "ListPrices", "PriceRecord", "RemovePrice", "SetPrice"]


class SetPrice(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Attempts at jobs of a kind cost this from now on; answered with the entry that says so.

    `amount` is in minor units: what an attempt that succeeds costs or, when it is `metered`, the most that an attempt
    may say that it has cost. So much is reserved before an attempt starts. Attempts that run cost what was set when
    they started. With `worker_share` a part of what an attempt is charged goes on to `worker:NAME`, in the same commit,
    where the worker that ran it has such an account.
    """

    kind: Name
    unit: Unit
    amount: Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]
    metered: bool = False
    worker_share: bool = False
    reason: Reason = ""


class RemovePrice(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Attempts at jobs of a kind cost nothing from now on; answered with the entry that says so."""

    kind: Name
    reason: Reason = ""


class ListPrices(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What attempts at jobs cost, by kind."""


class ListCharges(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the attempts at a job have cost."""

    id: str


class PriceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt at a job of a kind costs, in minor units; `scale` of a unit's digits stand after the point."""

    kind: str
    unit: str
    scale: int
    amount: int
    metered: bool
    entry: int
    worker_share: bool = False


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt at a job was charged, in minor units.

    `fence` names the attempt, `transfer` what was reserved for it, and `settlement` what has moved the amount or given
    all of it back; both it and `amount` are None while the attempt runs. `refunded` went back to the tenant since.
    `payout` has moved the worker's `share` of the amount.
    """

    fence: int
    transfer: str
    unit: str
    scale: int
    reserved: int
    amount: int | None
    settlement: str | None = None
    refunded: int = 0
    payout: str | None = None
    share: int = 0
