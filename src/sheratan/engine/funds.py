"""Lease calls where attempts cost something: what the accounts of those who pay, and their budgets, let start."""

from __future__ import annotations

from typing import Any

from sheratan.engine.batch import Batch
from sheratan.engine.billing_state import left_of
from sheratan.kernel.accounts import account_subject
from sheratan.kernel.billing import payer_of
from sheratan.kernel.budgets import budget_subject
from sheratan.store.billing_rows import BudgetRow, PriceRow
from sheratan.store.rows import Lane

__all__ = ["add_funds", "shortage"]


def shortage(batch: Batch, lane: Lane) -> str | None:
    """What there is too little of for one more attempt at a job of a lane: `no_funds`, `no_budget`, or None."""
    price = batch.state.billing.price_of(lane)
    if price is None:
        return None
    amount = price.amount or 0
    if _room(batch, price) < amount:
        return "no_funds"
    is_short = [_left(batch, row) < amount for row in batch.state.billing.budgets_of(lane, price.unit)]
    return "no_budget" if any(is_short) else None


def add_funds(batch: Batch, usable: list[tuple[int, Lane]], given: dict[str, Any]) -> None:
    """Add to what a lease call is decided by how many attempts can be paid for, of the usable lanes, by whom."""
    prices = batch.state.billing.prices
    if not prices:
        return
    rooms: dict[str, int] = {}
    lanes: dict[str, list[tuple[int, int]]] = {}
    for index, lane in usable:
        price = prices.get((lane.tenant, lane.kind))
        if price is None:
            continue
        bounds = {account_subject(payer_of(price.tenant), price.unit): _room(batch, price)}
        for row in batch.state.billing.budgets_of(lane, price.unit):
            bounds[budget_subject(row.subject, row.unit)] = _left(batch, row)
        rooms |= bounds
        for subject in bounds:
            lanes.setdefault(subject, []).append((index, price.amount or 0))
    for subject, priced in lanes.items():
        # By the dearest, so that any of them may be chosen; what is left is seen by the next lease call.
        attempts = rooms[subject] // max(amount for _, amount in priced)
        given.setdefault("limits", []).append([subject, [index for index, _ in priced], attempts, None, None])
        given["at_us"] = batch.at_us


def _room(batch: Batch, price: PriceRow) -> int:
    """What can be reserved for attempts of a tenant beside those that were started in this batch."""
    return batch.state.billing.room(price.tenant, price.unit) - batch.spoken_for[price.tenant, price.unit]


def _left(batch: Batch, row: BudgetRow) -> int:
    """What is left of a budget; its lanes are looked at again when its window ends."""
    flow, ends_us = batch.state.flow, row.ends_us
    if ends_us is not None and ends_us > batch.at_us:
        flow.next_start_us = min(flow.next_start_us or ends_us, ends_us)
    return left_of(row, batch.at_us)
