"""The ledger's reads, and how a unit's changes to it are written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, starmap
from typing import Any, Final

import apsw

from sheratan.contracts.errors import CorruptData
from sheratan.store.billing_rows import RunSpenderRow
from sheratan.store.ledger_rows import (
    AccountRow,
    AccountView,
    BalanceRow,
    CorrectedRow,
    CorrectedView,
    PendingRow,
    ResolvedRow,
    TransferRow,
    TransferView,
)
from sheratan.store.ledger_unit import LedgerChanges
from sheratan.store.sqlite.scans import SqliteScans
from sheratan.store.sqlite.statements import delete_rows, insert_rows

__all__ = ["SqliteLedger", "write_ledger"]

_ACCOUNT_COLUMNS: Final = len(AccountRow._fields)
_TRANSFER_COLUMNS: Final = len(TransferRow._fields)
_ACCOUNT_CHECKS: Final = (
    "check_ledger_sides",
    "check_ledger_balances",
    "check_ledger_owing",
    "check_ledger_pending",
    "check_ledger_closed",
)
_TRANSFER_CHECKS: Final = (
    "check_ledger_units",
    "check_ledger_resolutions",
    "check_ledger_corrections",
    "check_ledger_corrected",
)
"""Each finds what does not add up: about what, and in which way."""

_CHECKED_AT_ONCE: Final = 50_000
"""Transfers that one read looks at, so that none lasts long."""


class SqliteLedger(SqliteScans):
    """Reads of accounts and transfers."""

    def ledger_account(self, tenant: str, name: str, unit: str) -> AccountView | None:
        """An account."""
        for row in self._rows("select_ledger_account", (tenant, name, unit)):
            for balance in self._rows("select_ledger_balance", row[:1]):
                return AccountView(AccountRow(*row), BalanceRow(*balance))
        return None

    def ledger_accounts(self, tenant: str, unit: str | None, above: int, limit: int) -> list[AccountView]:
        """A tenant's accounts, of a unit or of all, by number, from the one after a number on."""
        return list(map(_account, self._rows("list_ledger_accounts", (tenant, unit, above, limit))))

    def last_ledger_numbers(self) -> tuple[int, int]:
        """The newest account and the newest transfer; 0 when there is none."""
        accounts, transfers = self._one("select_last_ledger", ())
        return accounts, transfers

    def find_transfers(self, tenant: str, ids: Collection[bytes]) -> dict[bytes, TransferView]:
        """Those of these transfers that were applied, by id."""
        # Each by itself: a statement with joins is prepared anew for each call, which takes ten times as long.
        return {
            key: self._view(TransferRow(*row))
            for key in ids
            for row in self._rows("select_ledger_transfer", (tenant, key))
        }

    def _view(self, row: TransferRow) -> TransferView:
        debit, credit = (
            AccountRow(*self._one("select_ledger_account_at", (one,))) for one in (row.debit, row.credit)
        )
        pending = None if row.pending is None else self._one("select_ledger_transfer_at", (row.pending,))[0]
        resolved = next(starmap(ResolvedRow, self._rows("select_ledger_resolved", (row.number,))), None)
        return TransferView(row, debit.name, credit.name, debit.unit, debit.scale, pending, resolved)

    def corrected(self, numbers: Collection[int]) -> dict[int, CorrectedRow]:
        """Those of these transfers of which something was undone, by number."""
        rows = self._rows("select_ledger_corrected", (json.dumps(list(numbers)),))
        return {row[0]: CorrectedRow(*row) for row in rows}

    def corrections_of(self, tenant: str, key: bytes, limit: int) -> list[TransferRow]:
        """The first transfers that undo one, in the order in which they were applied."""
        return list(starmap(TransferRow, self._rows("select_ledger_corrections_of", (tenant, key, limit))))

    def all_corrected(self) -> Iterator[CorrectedView]:
        """Every transfer of which something was undone, by number."""
        return starmap(CorrectedView, self._steps("select_ledger_corrected_from", 1))

    def list_transfers(self, tenant: str, account: int | None, above: int, limit: int) -> list[TransferView]:
        """A tenant's transfers, of an account or of all, by number, from the one after a number on."""
        if account is None:
            rows = self._rows("list_ledger_transfers", (tenant, above, limit))
        else:
            rows = self._rows("list_ledger_transfers_of", (account, above, limit))
        return list(map(_transfer, rows))

    def expiring_transfers(self, until_us: int, limit: int) -> list[TransferView]:
        """Pending transfers that expire until an instant, in the order in which they do."""
        return list(map(_transfer, self._rows("select_ledger_expiring", (until_us, limit))))

    def next_expiry_us(self) -> int | None:
        """When the next pending transfer expires; None when none does."""
        due_us: int | None = self._one("select_next_expiry", ())[0]
        return due_us

    def all_ledger_accounts(self) -> Iterator[AccountView]:
        """Every account, by number."""
        return map(_account, self._steps("select_ledger_accounts_from", 1))

    def all_pending_transfers(self) -> Iterator[PendingRow]:
        """Every pending transfer that is not resolved, by number."""
        return starmap(PendingRow, self._steps("select_ledger_pending_from", 1))

    def transfer_rows(self, numbers: Sequence[int]) -> list[TransferRow]:
        """The transfers with these numbers, in no particular order."""
        return list(starmap(TransferRow, self._rows("select_transfer_rows", (json.dumps(numbers),))))

    def resolved_rows(self, numbers: Sequence[int]) -> list[ResolvedRow]:
        """How these pending transfers were resolved, in no particular order."""
        return list(starmap(ResolvedRow, self._rows("select_resolved_rows", (json.dumps(numbers),))))

    def transfer_count(self, above: int) -> int:
        """How many transfers have a number above one."""
        count: int = self._one("select_transfer_count", (above,))[0]
        return count

    def resolved_count(self) -> int:
        """How many pending transfers were resolved."""
        count: int = self._one("select_resolved_count", ())[0]
        return count

    def ledger_findings(self) -> list[tuple[str, str, str]]:
        """What does not add up, of the tables alone: which check, about what, and in which way."""
        found = [row for name in _ACCOUNT_CHECKS for row in self._check(name, ())]
        debited, credited = Counter[int](), Counter[int]()
        for first in range(0, self.last_ledger_numbers()[1], _CHECKED_AT_ONCE):
            piece = first, first + _CHECKED_AT_ONCE
            for name in _TRANSFER_CHECKS:
                found += self._check(name, piece)
            for account, debits, credits in self._rows("sum_ledger_transfers", piece):
                debited[account] += debits
                credited[account] += credits
        return found + [
            (
                "posted",
                f"{row.name}/{row.unit}",
                f"its balance says {balance[2]} and {balance[4]}; its transfers say {told[0]} and {told[1]}",
            )
            for row, balance in self.all_ledger_accounts()
            for told in [(debited[row.number], credited[row.number])]
            if (balance.debits_posted, balance.credits_posted) != told
        ]

    def _check(self, name: str, bindings: tuple[int, ...]) -> list[tuple[str, str, str]]:
        check = name.removeprefix("check_ledger_")
        return [(check, str(about), str(text)) for about, text in self._rows(name, bindings)]


def write_ledger(connection: apsw.Connection, changes: LedgerChanges) -> None:
    """Write what a unit changes in the ledger."""
    insert_rows(connection, "insert_ledger_account", changes.accounts)
    insert_rows(connection, "replace_ledger_balance", list(changes.balances.values()))
    rows = [view.transfer for view in changes.transfers.values()]
    insert_rows(connection, "insert_ledger_transfer", rows)
    pending = changes.pending.items()
    insert_rows(connection, "insert_ledger_pending", [row for row, stays in pending if stays])
    gone = [(row.number,) for row, stays in pending if not stays]
    if delete_rows(connection, "delete_ledger_pending", gone) != len(gone):
        raise CorruptData("a transfer was not pending, as the engine believed it to be")
    insert_rows(connection, "insert_ledger_resolved", list(changes.resolved.values()))
    insert_rows(connection, "replace_ledger_corrected", list(changes.corrected.values()))
    insert_rows(connection, "replace_price", list(changes.prices.values()))
    insert_rows(connection, "replace_budget", list(changes.budgets.values()))
    of_jobs = chain.from_iterable(changes.job_budgets.values())
    insert_rows(connection, "insert_job_budget", list(of_jobs))
    insert_rows(connection, "replace_run_budget", list(changes.run_budgets.values()))
    spenders = [RunSpenderRow(number, run) for number, runs in changes.run_spenders.items() for run in runs]
    insert_rows(connection, "insert_run_spender", spenders)
    insert_rows(connection, "insert_charge", changes.charges)
    insert_rows(connection, "replace_reliability", list(changes.reliabilities.values()))


def _account(row: tuple[Any, ...]) -> AccountView:
    return AccountView(AccountRow(*row[:_ACCOUNT_COLUMNS]), BalanceRow(*row[_ACCOUNT_COLUMNS:]))


def _transfer(row: tuple[Any, ...]) -> TransferView:
    debit, credit, unit, scale, pending, *resolved = row[_TRANSFER_COLUMNS:]
    return TransferView(
        TransferRow(*row[:_TRANSFER_COLUMNS]), debit, credit, unit, scale, pending,
        None if resolved[0] is None else ResolvedRow(*resolved),
    )  # fmt: skip
