"""What the journal says about the ledger."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "AccountFact",
    "AccountKey",
    "CorrectedFact",
    "FrozenAccount",
    "OriginalFact",
    "PendingFact",
    "ResolvedFact",
    "TransferFact",
    "transfer_bytes",
    "transfer_text",
]

AccountKey = tuple[str, str, str]
"""A tenant, the name of an account, and its unit."""

_PREFIX = "transfer_"


def transfer_bytes(text: str) -> bytes:
    """The 16 bytes of a transfer's id."""
    return bytes.fromhex(text.removeprefix(_PREFIX))


def transfer_text(key: bytes) -> str:
    """A transfer's id, of its 16 bytes."""
    return _PREFIX + key.hex()


class FrozenAccount(NamedTuple):
    """An account as it is kept with the state of a fold."""

    number: int
    scale: int
    opened_us: int
    opened: int
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int
    closed_by: str | None
    entry: int


class AccountFact:
    """An account as the entries so far make it."""

    __slots__ = (
        "closed_by",
        "credits_pending",
        "credits_posted",
        "debits_pending",
        "debits_posted",
        "entry",
        "number",
        "opened",
        "opened_us",
        "scale",
    )

    def __init__(self, number: int, scale: int, opened_us: int, opened: int) -> None:
        self.number, self.scale, self.opened_us, self.opened = number, scale, opened_us, opened
        self.debits_pending = self.debits_posted = self.credits_pending = self.credits_posted = 0
        self.closed_by: str | None = None
        self.entry = opened

    def freeze(self) -> FrozenAccount:
        """All that is known of it."""
        return FrozenAccount(
            self.number, self.scale, self.opened_us, self.opened, *self.balance(), self.closed_by, self.entry
        )

    @classmethod
    def thaw(cls, frozen: FrozenAccount) -> AccountFact:
        """The account of which this is known."""
        fact = cls(*frozen[:4])
        fact.debits_pending, fact.debits_posted, fact.credits_pending, fact.credits_posted = frozen[4:8]
        fact.closed_by, fact.entry = frozen.closed_by, frozen.entry
        return fact

    def balance(self) -> tuple[int, int, int, int]:
        """Debits pending and posted, credits pending and posted."""
        return self.debits_pending, self.debits_posted, self.credits_pending, self.credits_posted


class PendingFact(NamedTuple):
    """A pending transfer that is not resolved."""

    number: int
    debit: AccountKey
    credit: AccountKey
    amount: int
    expires_us: int | None


class CorrectedFact(NamedTuple):
    """A transfer that was corrected: how much it has moved, from where to where, and how much of that went back."""

    debit: AccountKey
    credit: AccountKey
    amount: int
    corrected: int


class OriginalFact(NamedTuple):
    """A transfer as its first correction was told of it, and as its row must say it, too."""

    tenant: str
    id: bytes
    debit: int
    credit: int
    amount: int


class TransferFact(NamedTuple):
    """A transfer that was applied, as its row must say it."""

    number: int
    tenant: str
    id: bytes
    phase: str
    debit: int
    credit: int
    amount: int
    asked: int | None
    pending: int | None
    expires_us: int | None
    balancing: str | None
    closes: str | None
    at_us: int
    entry: int
    corrects: bytes | None


class ResolvedFact(NamedTuple):
    """A pending transfer that was resolved, as its row must say it."""

    number: int
    state: str
    amount: int
    entry: int
