"""Rows of the ledger: accounts, their balances, transfers, and what has become of pending ones."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "AccountRow",
    "AccountView",
    "BalanceRow",
    "CorrectedRow",
    "CorrectedView",
    "PendingRow",
    "ResolvedRow",
    "TransferRow",
    "TransferView",
]


class AccountRow(NamedTuple):
    """An account, which never changes: `opened` is the entry that has opened it."""

    number: int
    tenant: str
    name: str
    unit: str
    scale: int
    opened_us: int
    opened: int


class BalanceRow(NamedTuple):
    """What all transfers of an account come to; `entry` is the newest entry about it."""

    number: int
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int
    closed_by: bytes | None
    """The id of the pending transfer that keeps it closed."""
    entry: int


class AccountView(NamedTuple):
    """An account with its balance."""

    account: AccountRow
    balance: BalanceRow


class TransferRow(NamedTuple):
    """A transfer that was applied, which never changes. Accounts, and the pending one it resolves, are numbers."""

    number: int
    tenant: str
    id: bytes
    phase: str
    debit: int
    credit: int
    amount: int
    """What it moves or reserves; nothing for a void."""
    asked: int | None
    pending: int | None
    expires_us: int | None
    balancing: str | None
    closes: str | None
    at_us: int
    entry: int
    corrects: bytes | None
    """The id of the transfer that it undoes."""


class PendingRow(NamedTuple):
    """A pending transfer that is not resolved; it is in one of two tables, as a job is in one place."""

    number: int
    expires_us: int | None


class ResolvedRow(NamedTuple):
    """A pending transfer that was resolved: how, how much of it was posted, and by which entry."""

    number: int
    state: str
    amount: int
    entry: int


class CorrectedRow(NamedTuple):
    """How much of a transfer was undone by others."""

    number: int
    amount: int


class CorrectedView(NamedTuple):
    """A transfer of which something was undone, by tenant and id."""

    number: int
    tenant: str
    id: bytes
    amount: int


class TransferView(NamedTuple):
    """A transfer with the names of its accounts, and how it was resolved if it was pending and is no more."""

    transfer: TransferRow
    debit: str
    credit: str
    unit: str
    scale: int
    pending: bytes | None
    """The id of the pending transfer that it resolves."""
    resolved: ResolvedRow | None
