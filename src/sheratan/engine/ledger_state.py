"""What the decider remembers about the ledger: the accounts that transfers were about of late."""

from __future__ import annotations

from typing import Final

from sheratan.kernel.ledger_facts import AccountKey
from sheratan.store.ledger_rows import AccountView
from sheratan.store.ledger_unit import LedgerChanges
from sheratan.store.port import Store

__all__ = ["LedgerState"]

_ACCOUNTS_MAX: Final = 8_192
"""About 4 MB. An account that is not in memory costs one look into an index."""


class LedgerState:
    """Balances of hot accounts as of the batch in the making, and the next numbers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.accounts: dict[AccountKey, AccountView] = {}
        newest_account, newest_transfer = store.last_ledger_numbers()
        self.next_account, self.next_transfer = newest_account + 1, newest_transfer + 1
        self.next_expiry_us = store.next_expiry_us()
        """When the next pending transfer expires, or one that was resolved before."""

    def find(self, key: AccountKey) -> AccountView | None:
        """An account, or None when there is none."""
        return self.accounts.get(key) or self._store.ledger_account(*key)

    def put(self, key: AccountKey, view: AccountView, changes: LedgerChanges) -> None:
        """An account has changed in a batch."""
        # The newest stand last; of what the batch has changed the database does not know yet, so that stays.
        self.accounts.pop(key, None)
        while len(self.accounts) >= _ACCOUNTS_MAX:
            oldest = next(iter(self.accounts))
            if self.accounts[oldest].account.number in changes.balances:
                break
            del self.accounts[oldest]
        self.accounts[key] = view

    def is_due(self, at_us: int) -> bool:
        """Whether a pending transfer may expire."""
        return self.next_expiry_us is not None and self.next_expiry_us <= at_us

    def note_expiry(self, expires_us: int) -> None:
        """A pending transfer expires at an instant."""
        if self.next_expiry_us is None or expires_us < self.next_expiry_us:
            self.next_expiry_us = expires_us
