"""The ledger: accounts, transfers between them, and what comes of a transfer."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

import msgspec

from sheratan.contracts.patterns import ACCOUNT, TRANSFER, UNIT
from sheratan.contracts.values import INTEGER_MAX

__all__ = [
    "AMOUNT_MAX",
    "ISSUE",
    "AccountName",
    "AccountRecord",
    "AccountReliability",
    "Amount",
    "Phase",
    "Result",
    "Scale",
    "Side",
    "Transfer",
    "TransferId",
    "TransferRecord",
    "TransferResult",
    "TransferState",
    "Unit",
    "transfer_id",
]

AMOUNT_MAX: Final = INTEGER_MAX
"""2^53 - 1: the largest integer that every reader of JSON takes for itself. No balance goes beyond it either."""

ISSUE: Final = "system:issue"
"""The account of each unit from which all of it comes: what it owes is what the others have."""

AccountName = Annotated[
    str,
    msgspec.Meta(pattern=ACCOUNT),
]
"""`operator`, `tenant:NAME`, `worker:NAME`, `provider:NAME` or `system:NAME`; those of the system alone may owe."""

Unit = Annotated[str, msgspec.Meta(pattern=UNIT)]
"""What an account counts, such as `credits`, `tokens` or `EUR`; each unit is a ledger of its own."""

Scale = Annotated[int, msgspec.Meta(ge=0, le=12)]
"""How many digits of an amount come after the decimal point when people read it."""

TransferId = Annotated[str, msgspec.Meta(pattern=TRANSFER)]
"""`transfer_` and 32 hexadecimal digits, made by whoever asks, before asking: so asking again moves nothing twice."""


def transfer_id(name: str) -> str:
    """The id of a transfer that goes by a name of yours, such as `invoice-4711`: always the same one for that name."""
    return f"transfer_{hashlib.sha256(name.encode()).hexdigest()[:32]}"


Amount = Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)]
"""Minor units: an integer, such as cents."""

Phase = Literal["single", "pending", "post", "void"]
"""`single` moves at once; `pending` reserves, until a `post` moves it, in part or whole, or a `void` gives it back."""

Side = Literal["debit", "credit"]

TransferState = Literal["pending", "posted", "voided", "expired"]
"""A pending transfer is resolved once and for good; every other one is posted, or a void, from the start."""

Result = Literal[
    "applied",
    "exists",
    "id_reused",
    "account_not_found",
    "account_closed",
    "insufficient_funds",
    "balance_too_large",
    "pending_not_found",
    "pending_posted",
    "pending_voided",
    "pending_expired",
    "exceeds_pending",
    "original_not_found",
    "exceeds_original",
    "chain_failed",
    "chain_open",
]
"""What has become of a transfer: `applied`, `exists` (it was applied before), or why it was refused."""


class Transfer(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
):
    """A transfer to be: `amount` in minor units goes from the account `debit` to the account `credit`.

    A `post` or `void` names the `pending` transfer that it resolves in place of accounts; a `post` without an amount
    moves all of it. `timeout_seconds` ends a pending one by itself. `balancing` takes what one side can give, at most
    the amount: what the account to debit has, or what the account to credit owes. `closes` closes that account for as
    long as the transfer is pending. `corrects` names a transfer that is to be undone in place of accounts: so much of
    its amount goes back, or all that has not gone back yet. `linked` ties it to the next one: a chain is applied as a
    whole or not at all.
    """

    id: TransferId
    phase: Phase = "single"
    debit: AccountName | None = None
    credit: AccountName | None = None
    unit: Unit | None = None
    amount: Amount | None = None
    pending: TransferId | None = None
    timeout_seconds: Annotated[int, msgspec.Meta(ge=1)] | None = None
    balancing: Side | None = None
    closes: Side | None = None
    corrects: TransferId | None = None
    linked: bool = False


class TransferResult(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What has become of a transfer: the `amount` that it moves, or the `field` that is wrong; `entry` says so."""

    id: str
    result: Result
    amount: int | None = None
    field: str | None = None
    entry: int | None = None


class AccountReliability(msgspec.Struct, frozen=True, kw_only=True):
    """How the worker of an account did of late: of a thousand attempts how many succeed, how long one takes.

    What takes longer than 1500 ms counts as that. `margin_permille` of what its next attempt is charged stay with the
    operator, `attempts` were counted in all.
    """

    success_permille: int
    latency_ms: int
    attempts: int
    margin_permille: int


class AccountRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An account: what was debited and credited, in minor units, and what is pending on each side.

    `available` is what it can give now: credited less debited, less what is pending to be debited. `is_closed` tells
    of an account that takes nothing until the transfer that closes it is void. `entry` is the newest about it.
    """

    account: str
    unit: str
    scale: int
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int
    available: int
    is_closed: bool
    opened_us: int
    entry: int
    reliability: AccountReliability | None = None


class TransferRecord(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A transfer that was applied, and for a pending one what has become of it.

    `amount` is what it moves or reserves, `asked` what was asked for where that may be another amount; `posted` is
    how much of a pending one was moved in the end. `corrects` is the transfer that it undoes, `corrected` how much of
    it was undone by others. `entry` says that it was applied, `resolved_by` that it was
    resolved.
    """

    id: str
    phase: Phase
    state: TransferState
    debit: str
    credit: str
    unit: str
    scale: int
    amount: int
    asked: int | None = None
    pending: str | None = None
    posted: int | None = None
    expires_us: int | None = None
    balancing: Side | None = None
    closes: Side | None = None
    corrects: str | None = None
    corrected: int = 0
    at_us: int
    entry: int
    resolved_by: int | None = None
