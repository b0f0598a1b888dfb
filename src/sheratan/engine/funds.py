"""Lease calls where attempts cost something: what the accounts of those who pay, and their budgets, let start."""

from __future__ import annotations

from typing import Any

from sheratan.engine.batch import Batch
from sheratan.engine.billing_state import is_over, left_of
from sheratan.kernel.accounts import account_subject
from sheratan.kernel.billing import payer_of
from sheratan.kernel.budgets import budget_subject
from sheratan.store.billing_rows import BudgetRow, PriceRow
from sheratan.store.partition_rows import lane_in, lane_of, partition_of
from sheratan.store.rows import Lane

__all__ = ["add_budgets_of_partitions", "add_funds", "is_short", "shortage"]


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


def is_short(batch: Batch, member: int) -> tuple[bool, int | None]:
    """Whether a partition of a lane has too little budget left for an attempt, and until its window ends if it does."""
    row, amount = _budget_of_member(batch, member)
    if row is None or left_of(row, batch.at_us) >= amount:
        return False, None
    # What is too little for one attempt in a new window does not become enough by itself.
    return True, None if is_over(row, batch.at_us) else row.ends_us


def add_budgets_of_partitions(batch: Batch, given: dict[str, Any]) -> None:
    """Add how many attempts the budgets of partitions that may be next are enough for."""
    if not batch.state.billing.bounds_partitions:
        return
    found: dict[str, list[int]] = {}
    attempts: dict[str, int] = {}
    for who, *_ in given["partitions"]:
        row, _ = _budget_of_member(batch, -who)
        if row is not None:
            subject = budget_subject(row.subject, row.unit)
            found.setdefault(subject, []).append(who)
            attempts[subject] = left_of(row, batch.at_us) // _dearest(batch, row, partition_of(-who))
    for subject, whose in found.items():
        given.setdefault("limits", []).append([subject, whose, attempts[subject], None, None])
        given["at_us"] = batch.at_us


def _budget_of_member(batch: Batch, member: int) -> tuple[BudgetRow | None, int]:
    """The budget of a partition that its jobs of a lane use, and what an attempt at one of them costs."""
    state, partition = batch.state, partition_of(member)
    price = state.billing.price_of(state.lane_by_number[lane_of(member)])
    if price is None or not partition or not state.billing.bounds_partitions:
        return None, 0
    name = batch.partition_name(partition)
    return state.billing.budget_of_partition(price.tenant, name, price.unit), price.amount or 0


def _dearest(batch: Batch, row: BudgetRow, partition: int) -> int:
    """The most that an attempt costs at a ready job of a partition that its budget is enough for."""
    state, left = batch.state, left_of(row, batch.at_us)
    amounts = [
        price.amount or 0
        for lane, turns in state.partitions.turns.items()
        if lane_in(lane, partition) in turns.members
        and (price := state.billing.price_of(state.lane_by_number[lane])) is not None
        and (price.tenant, price.unit) == (row.tenant, row.unit)
    ]
    return max((amount for amount in amounts if amount <= left), default=1)


def _room(batch: Batch, price: PriceRow) -> int:
    """What can be reserved for attempts of a tenant beside those that were started in this batch."""
    return batch.state.billing.room(price.tenant, price.unit) - batch.spoken_for[price.tenant, price.unit]


def _left(batch: Batch, row: BudgetRow) -> int:
    """What is left of a budget; its lanes are looked at again when its window ends."""
    flow, ends_us = batch.state.flow, row.ends_us
    if ends_us is not None and ends_us > batch.at_us:
        flow.next_start_us = min(flow.next_start_us or ends_us, ends_us)
    return left_of(row, batch.at_us)
