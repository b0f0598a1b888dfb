"""What the engine asks of a database about what attempts cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sheratan.store.billing_rows import (
    BudgetRow,
    ChargeRow,
    ChargeView,
    JobBudgetRow,
    OpenCharge,
    PriceRow,
    ReliabilityRow,
    RunBudgetRow,
    RunSpenderRow,
)

__all__ = ["BillingReader"]


class BillingReader(Protocol):
    """Reads of prices, budgets and charges."""

    def prices(self) -> list[PriceRow]:
        """What was ever set, by tenant and kind."""
        ...

    def budgets(self) -> list[BudgetRow]:
        """What was ever set, by tenant, subject and unit."""
        ...

    def job_budgets(self, numbers: Sequence[int]) -> list[JobBudgetRow]:
        """The budgets of these jobs that have any of their own, by job and unit."""
        ...

    def any_job_budget(self) -> bool:
        """Whether any job was ever given a budget of its own."""
        ...

    def job_budget_count(self) -> int:
        """How many budgets of jobs there are."""
        ...

    def run_budgets(self, runs: Sequence[int]) -> list[RunBudgetRow]:
        """The budgets of these runs that have any, by run and unit."""
        ...

    def any_run_budget(self) -> bool:
        """Whether any run was ever given a budget of money."""
        ...

    def run_budget_count(self) -> int:
        """How many budgets of runs there are."""
        ...

    def run_spenders(self, numbers: Sequence[int]) -> list[RunSpenderRow]:
        """The runs from whose budgets these jobs spend, by job and run."""
        ...

    def run_spender_count(self) -> int:
        """How many rows say of a job from whose budgets it spends."""
        ...

    def charged(self, number: int, unit: str) -> int:
        """What the attempts at a job that have ended were charged in a unit."""
        ...

    def reliability(self, tenant: str, account: str, unit: str) -> ReliabilityRow | None:
        """How the worker of an account did of late."""
        ...

    def reliabilities(self) -> list[ReliabilityRow]:
        """How all workers did that have had a share, by account."""
        ...

    def open_charges(self) -> list[OpenCharge]:
        """What is reserved for attempts that run."""
        ...

    def charges_of(self, number: int) -> list[ChargeView]:
        """What the attempts at a job were charged, by fence."""
        ...

    def charge_rows(self, numbers: Sequence[int]) -> list[ChargeRow]:
        """The charges that these transfers have reserved, in no particular order."""
        ...

    def charge_count(self) -> int:
        """How many attempts were charged."""
        ...
