"""The part of a unit that changes the ledger."""

from __future__ import annotations

from sheratan.store.billing_rows import BudgetRow, ChargeRow, JobBudgetRow, PriceRow, ReliabilityRow
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
        self.charges: list[ChargeRow] = []
        self.reliabilities: dict[tuple[str, str, str], ReliabilityRow] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.accounts or self.balances or self.prices or self.budgets or self.job_budgets)

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
