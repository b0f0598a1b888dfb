"""Lease calls where attempts cost something: what the accounts of those who pay let start."""

from __future__ import annotations

from typing import Any

from sheratan.engine.batch import Batch
from sheratan.kernel.accounts import account_subject
from sheratan.kernel.billing import payer_of
from sheratan.store.billing_rows import PriceRow
from sheratan.store.rows import Lane

__all__ = ["add_funds", "can_pay"]


def can_pay(batch: Batch, lane: Lane) -> bool:
    """Whether one more attempt at a job of a lane can be paid for."""
    price = batch.state.billing.price_of(lane)
    return price is None or _room(batch, price) >= (price.amount or 0)


def add_funds(batch: Batch, usable: list[tuple[int, Lane]], given: dict[str, Any]) -> None:
    """Add to what a lease call is decided by how many attempts the accounts of the usable lanes can pay for."""
    prices = batch.state.billing.prices
    if not prices:
        return
    payers: dict[tuple[str, str], list[tuple[int, PriceRow]]] = {}
    for index, lane in usable:
        price = prices.get((lane.tenant, lane.kind))
        if price is not None:
            payers.setdefault((price.tenant, price.unit), []).append((index, price))
    for (tenant, unit), priced in payers.items():
        # By the dearest, so that any of them may be chosen; what is left is seen by the next lease call.
        dearest = max(price.amount or 0 for _, price in priced)
        attempts = _room(batch, priced[0][1]) // dearest
        subject, lanes = account_subject(payer_of(tenant), unit), [index for index, _ in priced]
        given.setdefault("limits", []).append([subject, lanes, attempts, None, None])
        given["at_us"] = batch.at_us


def _room(batch: Batch, price: PriceRow) -> int:
    """What can be reserved for attempts of a tenant beside those that were started in this batch."""
    return batch.state.billing.room(price.tenant, price.unit) - batch.spoken_for[price.tenant, price.unit]
