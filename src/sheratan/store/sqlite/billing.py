"""Reads of prices and charges."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import starmap

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
from sheratan.store.sqlite.scans import SqliteScans

__all__ = ["SqliteBilling"]


class SqliteBilling(SqliteScans):
    """Reads of prices and charges."""

    def prices(self) -> list[PriceRow]:
        """What was ever set, by tenant and kind."""
        return list(starmap(PriceRow, self._rows("select_prices")))

    def budgets(self) -> list[BudgetRow]:
        """What was ever set, by tenant, subject and unit."""
        return list(starmap(BudgetRow, self._rows("select_budgets")))

    def job_budgets(self, numbers: Sequence[int]) -> list[JobBudgetRow]:
        """The budgets of these jobs that have any of their own, by job and unit."""
        return list(starmap(JobBudgetRow, self._rows("select_job_budgets", (json.dumps(numbers),))))

    def any_job_budget(self) -> bool:
        """Whether any job was ever given a budget of its own."""
        return bool(self._one("select_any_job_budget", ())[0])

    def job_budget_count(self) -> int:
        """How many budgets of jobs there are."""
        count: int = self._one("select_job_budget_count", ())[0]
        return count

    def run_budgets(self, runs: Sequence[int]) -> list[RunBudgetRow]:
        """The budgets of these runs that have any, by run and unit."""
        return list(starmap(RunBudgetRow, self._rows("select_run_budgets", (json.dumps(runs),))))

    def any_run_budget(self) -> bool:
        """Whether any run was ever given a budget of money."""
        return bool(self._one("select_any_run_budget", ())[0])

    def run_budget_count(self) -> int:
        """How many budgets of runs there are."""
        count: int = self._one("select_run_budget_count", ())[0]
        return count

    def run_spenders(self, numbers: Sequence[int]) -> list[RunSpenderRow]:
        """The runs from whose budgets these jobs spend, by job and run."""
        return list(starmap(RunSpenderRow, self._rows("select_run_spenders", (json.dumps(numbers),))))

    def run_spender_count(self) -> int:
        """How many rows say of a job from whose budgets it spends."""
        count: int = self._one("select_run_spender_count", ())[0]
        return count

    def charged(self, number: int, unit: str) -> int:
        """What the attempts at a job that have ended were charged in a unit."""
        amount: int = self._one("sum_charges", (number, unit))[0]
        return amount

    def reliability(self, tenant: str, account: str, unit: str) -> ReliabilityRow | None:
        """How the worker of an account did of late."""
        rows = self._rows("select_reliability", (tenant, account, unit))
        return next(starmap(ReliabilityRow, rows), None)

    def reliabilities(self) -> list[ReliabilityRow]:
        """How all workers did that have had a share, by account."""
        return list(starmap(ReliabilityRow, self._rows("select_reliabilities")))

    def open_charges(self) -> list[OpenCharge]:
        """What is reserved for attempts that run."""
        return list(starmap(OpenCharge, self._rows("select_open_charges")))

    def charges_of(self, number: int) -> list[ChargeView]:
        """What the attempts at a job were charged, by fence."""
        return list(starmap(ChargeView, self._rows("select_charges_of", (number,))))

    def charge_rows(self, numbers: Sequence[int]) -> list[ChargeRow]:
        """The charges that these transfers have reserved, in no particular order."""
        return list(starmap(ChargeRow, self._rows("select_charge_rows", (json.dumps(numbers),))))

    def charge_count(self) -> int:
        """How many attempts were charged."""
        count: int = self._one("select_charge_count", ())[0]
        return count
