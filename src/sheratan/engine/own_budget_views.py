"""Budgets of single jobs and of runs as people and programs see them."""

from __future__ import annotations

from sheratan.contracts.ledger import ISSUE
from sheratan.contracts.spending import OwnBudgetRecord
from sheratan.store.billing_rows import ChargeView, JobBudgetRow
from sheratan.store.port import Reader

__all__ = ["job_budget", "run_spend"]


def job_budget(reader: Reader, tenant: str, number: int) -> list[OwnBudgetRecord]:
    """What a job may be charged, by unit, and what is used of it."""
    rows = reader.job_budgets([number])
    charges = reader.charges_of(number) if rows else []
    return [_record(reader, tenant, row, charges) for row in rows]


def run_spend(reader: Reader, tenant: str, run: int) -> list[OwnBudgetRecord]:
    """What the jobs of a run may be charged, by unit, and what is used of it."""
    return [
        OwnBudgetRecord(
            unit=row.unit,
            scale=_scale(reader, tenant, row.unit),
            amount=row.amount,
            reserved=row.reserved,
            charged=row.charged,
        )
        for row in reader.run_budgets([run])
    ]


def _record(reader: Reader, tenant: str, row: JobBudgetRow, charges: list[ChargeView]) -> OwnBudgetRecord:
    charges = [charge for charge in charges if charge.unit == row.unit]
    return OwnBudgetRecord(
        unit=row.unit,
        scale=_scale(reader, tenant, row.unit),
        amount=row.amount,
        reserved=sum(charge.reserved for charge in charges if charge.amount is None),
        charged=sum(charge.amount or 0 for charge in charges),
    )


def _scale(reader: Reader, tenant: str, unit: str) -> int:
    issue = reader.ledger_account(tenant, ISSUE, unit)
    # A node, or a run of a schedule, may have a budget in a unit that nobody has yet.
    return 0 if issue is None else issue.account.scale
