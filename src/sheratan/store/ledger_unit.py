"""The part of a unit that changes the ledger."""

from __future__ import annotations

from sheratan.store.billing_rows import (
    BudgetRow,
    ChargeRow,
    JobBudgetRow,
    PriceRow,
    ReliabilityRow,
    RunBudgetRow,
)
from sheratan.store.ledger_rows import (
    AccountRow,
    BalanceRow,
    CorrectedRow,
    PendingRow,
    ResolvedRow,
    TransferRow,
    TransferView,
)

__all__ = ["LedgerChanges"]


class LedgerChanges:
    """Everything about the ledger that one batch changes."""

    def __init__(self) -> None:
        self.accounts: list[AccountRow] = []
        self.balances: dict[int, BalanceRow] = {}
        self.transfers: dict[tuple[str, bytes], TransferView] = {}
        """By tenant and id."""
        self.pending: dict[PendingRow, bool] = {}
        """Transfers that become pending (True), and that are so no more (False)."""
        self.resolved: dict[int, ResolvedRow] = {}
        self.corrected: dict[int, CorrectedRow] = {}
        self.prices: dict[tuple[str, str], PriceRow] = {}
        self.budgets: dict[tuple[str, str, str], BudgetRow] = {}
        self.job_budgets: dict[int, tuple[JobBudgetRow, ...]] = {}
        """Of new jobs, by number."""
        self.run_budgets: dict[tuple[int, str], RunBudgetRow] = {}
        """By run and unit."""
        self.run_spenders: dict[int, tuple[int, ...]] = {}
        """Of new jobs, by number, the runs from whose budgets they spend."""
        self.charges: list[ChargeRow] = []
        self.reliabilities: dict[tuple[str, str, str], ReliabilityRow] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        changed = self.accounts or self.balances or self.prices or self.budgets
        return not (changed or self.job_budgets or self.run_budgets or self.run_spenders)

    def resolve(self, row: TransferRow, resolved: ResolvedRow) -> None:
        """A pending transfer is resolved, once."""
        # Each is resolved once: this one may not have been, neither before nor in this unit.
        assert row.number not in self.resolved
        pending = PendingRow(row.number, row.expires_us)
        if self.pending.get(pending):
            # It has become pending in this very unit.
            del self.pending[pending]
        else:
            self.pending[pending] = False
        self.resolved[row.number] = resolved
