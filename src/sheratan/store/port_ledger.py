"""What the engine asks of a database about the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from sheratan.store.ledger_rows import (
    AccountView,
    CorrectedRow,
    CorrectedView,
    PendingRow,
    ResolvedRow,
    TransferRow,
    TransferView,
)

__all__ = ["LedgerReader"]


class LedgerReader(Protocol):
    """Reads of accounts and transfers."""

    def ledger_account(self, tenant: str, name: str, unit: str) -> AccountView | None:
        """An account."""
        ...

    def ledger_accounts(self, tenant: str, unit: str | None, above: int, limit: int) -> list[AccountView]:
        """A tenant's accounts, of a unit or of all, by number, from the one after a number on."""
        ...

    def last_ledger_numbers(self) -> tuple[int, int]:
        """The newest account and the newest transfer; 0 when there is none."""
        ...

    def find_transfers(self, tenant: str, ids: Collection[bytes]) -> dict[bytes, TransferView]:
        """Those of these transfers that were applied, by id."""
        ...

    def corrected(self, numbers: Collection[int]) -> dict[int, CorrectedRow]:
        """Those of these transfers of which something was undone, by number."""
        ...

    def corrections_of(self, tenant: str, key: bytes, limit: int) -> list[TransferRow]:
        """The first transfers that undo one, in the order in which they were applied."""
        ...

    def all_corrected(self) -> Iterator[CorrectedView]:
        """Every transfer of which something was undone, by number."""
        ...

    def list_transfers(self, tenant: str, account: int | None, above: int, limit: int) -> list[TransferView]:
        """A tenant's transfers, of an account or of all, by number, from the one after a number on."""
        ...

    def expiring_transfers(self, until_us: int, limit: int) -> list[TransferView]:
        """Pending transfers that expire until an instant, in the order in which they do."""
        ...

    def next_expiry_us(self) -> int | None:
        """When the next pending transfer expires; None when none does."""
        ...

    def all_ledger_accounts(self) -> Iterator[AccountView]:
        """Every account, by number."""
        ...

    def all_pending_transfers(self) -> Iterator[PendingRow]:
        """Every pending transfer that is not resolved, by number."""
        ...

    def transfer_rows(self, numbers: Sequence[int]) -> list[TransferRow]:
        """The transfers with these numbers, in no particular order."""
        ...

    def resolved_rows(self, numbers: Sequence[int]) -> list[ResolvedRow]:
        """How these pending transfers were resolved, in no particular order."""
        ...

    def transfer_count(self, above: int) -> int:
        """How many transfers have a number above one."""
        ...

    def resolved_count(self) -> int:
        """How many pending transfers were resolved."""
        ...

    def ledger_findings(self) -> list[tuple[str, str, str]]:
        """What does not add up, of the tables alone: which check, about what, and in which way."""
        ...
