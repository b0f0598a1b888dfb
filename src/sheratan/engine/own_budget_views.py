"""Budgets of single jobs as people and programs see them."""

from __future__ import annotations

from sheratan.contracts.ledger import ISSUE
from sheratan.contracts.spending import JobBudgetRecord
from sheratan.store.billing_rows import ChargeView, JobBudgetRow
from sheratan.store.port import Reader

__all__ = ["job_budget"]


def job_budget(reader: Reader, tenant: str, number: int) -> list[JobBudgetRecord]:
    """What a job may be charged, by unit, and what is used of it."""
    rows = reader.job_budgets([number])
    charges = reader.charges_of(number) if rows else []
    return [_record(reader, tenant, row, charges) for row in rows]


def _record(reader: Reader, tenant: str, row: JobBudgetRow, charges: list[ChargeView]) -> JobBudgetRecord:
    issue = reader.ledger_account(tenant, ISSUE, row.unit)
    charges = [charge for charge in charges if charge.unit == row.unit]
    return JobBudgetRecord(
        unit=row.unit,
        # A node may have a budget in a unit that nobody has yet.
        scale=0 if issue is None else issue.account.scale,
        amount=row.amount,
        reserved=sum(charge.reserved for charge in charges if charge.amount is None),
        charged=sum(charge.amount or 0 for charge in charges),
    )
