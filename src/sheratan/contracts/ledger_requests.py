"""What is asked of an engine about the ledger."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sheratan.contracts.ledger import (
    AccountName,
    AccountRecord,
    Scale,
    Transfer,
    TransferId,
    TransferRecord,
    Unit,
)
from sheratan.contracts.patterns import CURSOR
from sheratan.contracts.request import Reason, Request

__all__ = [
    "AccountPage",
    "ApplyTransfers",
    "CheckLedger",
    "GetAccount",
    "GetTransfer",
    "LedgerFinding",
    "ListAccounts",
    "ListTransfers",
    "OpenAccount",
    "TransferPage",
]

PageSize = Annotated[int, msgspec.Meta(ge=1)]
Cursor = Annotated[str, msgspec.Meta(pattern=CURSOR)]


class OpenAccount(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Open an account of a unit, unless there is one; answered with the entry that has opened it.

    The first account of a unit fixes its scale (0 when it is left out), and `system:issue` is opened with it.
    """

    account: AccountName
    unit: Unit
    scale: Scale | None = None
    reason: Reason = ""


class ApplyTransfers(Request, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Apply transfers in this order; answered with what has become of each. A refused one leaves no other behind.

    Only those of a chain are bound to each other. The answer to a transfer that was applied before is `exists`.
    """

    transfers: Annotated[list[Transfer], msgspec.Meta(min_length=1)]
    reason: Reason = ""


class GetAccount(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One account as it stands."""

    account: AccountName
    unit: Unit


class ListAccounts(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Accounts, in the order in which they were opened. `cursor` continues an earlier page."""

    unit: Unit | None = None
    limit: PageSize = 50
    cursor: Cursor | None = None


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of accounts; `next_cursor` is None on the last one."""

    items: list[AccountRecord]
    next_cursor: str | None = None


class GetTransfer(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One transfer as it stands."""

    id: TransferId


class ListTransfers(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Transfers in the order in which they were applied: all, or those of one account of a unit."""

    account: AccountName | None = None
    unit: Unit | None = None
    limit: PageSize = 50
    cursor: Cursor | None = None


class TransferPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of transfers; `next_cursor` is None on the last one."""

    items: list[TransferRecord]
    next_cursor: str | None = None


class CheckLedger(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reconcile the ledger: everything in its tables that does not add up. Empty when all does."""


class LedgerFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What does not add up: which check, about what, and in which way."""

    check: str
    about: str
    text: str
