"""Budgets of money: set by people, used up by attempts that start, and freed by what those did not cost."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.errors import LimitReached, NotFound
from sheratan.contracts.principal import Principal
from sheratan.engine.batch import Batch
from sheratan.engine.billing_state import is_over
from sheratan.engine.budget_commands import LimitSpending
from sheratan.engine.flow import check_own
from sheratan.engine.ledger import issue_of
from sheratan.engine.words import check_reason
from sheratan.kernel.budgets import budget_subject, partition_in, window_end_us
from sheratan.store.billing_rows import BudgetRow, OpenCharge
from sheratan.store.partition_rows import lane_of, partition_of

__all__ = ["limit_spending", "spend", "spent"]


def limit_spending(batch: Batch, command: LimitSpending, by: Principal) -> int:
    """Set how much may be spent, or have nothing bound it; returns the entry that says so."""
    check_reason(command.reason)
    check_own(command.subject, by)
    key = by.tenant, command.subject, command.unit
    known = batch.state.billing.budget_rows.get(key)
    data: dict[str, Any] = {"amount": command.amount}
    if command.amount is not None:
        _check_new(batch, command, by, known)
    elif known is None:
        raise NotFound(f"{command.subject} has no budget in {command.unit}", field="subject")
    if command.per is not None:
        data["per"] = command.per
    if command.reason:
        data["reason"] = command.reason
    previous, subject = None if known is None else known.entry, budget_subject(command.subject, command.unit)
    entry = batch.unit.record("budget.set", subject, data, by, previous=previous)
    if known is None or None in (known.amount, command.amount) or known.per != command.per:
        ends_us = window_end_us(command.per, batch.at_us)
        row = BudgetRow(*key, command.per, command.amount, entry, entry, ends_us, 0, 0)
    else:
        row = known._replace(amount=command.amount, entry=entry)
    _put(batch, row)
    return entry


def _check_new(batch: Batch, command: LimitSpending, by: Principal, known: BudgetRow | None) -> None:
    most = batch.state.limits.queues_max
    if known is None and len(batch.state.billing.budget_rows) >= most:
        raise LimitReached(f"{most} budgets were set (limits.queues_max)", field="subject")
    issue_of(batch, by.tenant, command.unit)


def spend(batch: Batch, charge: OpenCharge) -> None:
    """An attempt starts: what it may cost is taken from its budgets, which begin anew after their windows."""
    for row in _budgets_of(batch, charge):
        if is_over(row, batch.at_us):
            ends_us = window_end_us(row.per, batch.at_us)
            row = row._replace(since=charge.fence, ends_us=ends_us, reserved=0, charged=0)
        _put(batch, row._replace(reserved=row.reserved + charge.amount))


def spent(batch: Batch, charge: OpenCharge, due: int) -> None:
    """An attempt is settled: what it did not cost is free again, if what it was taken from still counts."""
    for row in _budgets_of(batch, charge):
        if charge.fence >= row.since:
            _put(batch, row._replace(reserved=row.reserved - charge.amount, charged=row.charged + due))


def _budgets_of(batch: Batch, charge: OpenCharge) -> list[BudgetRow]:
    billing, partition = batch.state.billing, partition_of(charge.lane)
    found = billing.budgets_of(batch.state.lane_by_number[lane_of(charge.lane)], charge.unit)
    if partition and billing.bounds_partitions:
        row = billing.budget_of_partition(charge.tenant, batch.partition_name(partition), charge.unit)
        found += [] if row is None else [row]
    return found


def _put(batch: Batch, row: BudgetRow) -> None:
    batch.state.billing.put_budget(row)
    batch.unit.ledger.budgets[row[:3]] = row
    name = partition_in(row.subject)
    number = None if name is None else batch.state.partitions.find(row.tenant, name)
    if number is not None:
        batch.state.partitions.wake(number)
