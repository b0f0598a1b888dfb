"""The book that the fold of a journal keeps about the ledger: balances made anew, and what must hold of each change."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, NamedTuple

from sheratan.contracts.journal import Entry
from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.kernel.accounts import may_owe
from sheratan.kernel.ledger_facts import (
    AccountFact,
    AccountKey,
    CorrectedFact,
    FrozenAccount,
    PendingFact,
    transfer_bytes,
)

__all__ = ["FrozenBook", "LedgerBook", "PendingKey"]

PendingKey = tuple[str, bytes]
"""A tenant, and the id of a transfer that is pending, or was corrected."""


class FrozenBook(NamedTuple):
    """A book in the order of its keys: accounts as `AccountFact.freeze` gives them, by tenant the ids of transfers."""

    accounts: list[tuple[AccountKey, FrozenAccount]]
    pending: list[tuple[PendingKey, PendingFact]]
    transfers: int
    ids: list[tuple[str, list[bytes]]]
    corrected: tuple[tuple[PendingKey, CorrectedFact], ...] = ()


class LedgerBook:
    """Accounts and pending transfers as the entries so far make them."""

    def __init__(self, say: Callable[[Entry, str, str], None]) -> None:
        self.accounts: dict[AccountKey, AccountFact] = {}
        self.pending: dict[PendingKey, PendingFact] = {}
        self.corrected: dict[PendingKey, CorrectedFact] = {}
        """Only what was corrected: of all others nothing is known but their ids."""
        self.transfers = 0
        """How many were applied: they are numbered in this order."""
        self.say = say
        self._ids: dict[str, set[bytes]] = {}
        self._expiring: dict[str, list[tuple[int, int, bytes]]] = {}
        """By tenant, a heap of pending transfers by when they expire, some of which are resolved."""

    def freeze(self) -> FrozenBook:
        """All that it knows."""
        return FrozenBook(
            [(key, fact.freeze()) for key, fact in sorted(self.accounts.items())],
            sorted(self.pending.items()),
            self.transfers,
            [(tenant, sorted(ids)) for tenant, ids in sorted(self._ids.items())],
            tuple(sorted(self.corrected.items())),
        )

    def thaw(self, frozen: FrozenBook) -> None:
        """Go on from what another one knew."""
        self.accounts = {key: AccountFact.thaw(fact) for key, fact in frozen.accounts}
        self.transfers = frozen.transfers
        self._ids = {tenant: set(ids) for tenant, ids in frozen.ids}
        self.corrected = dict(frozen.corrected)
        for key, fact in frozen.pending:
            self.reserve(key, fact)

    def ids(self, tenant: str) -> set[bytes]:
        """The id of every transfer of a tenant."""
        return self._ids.setdefault(tenant, set())

    def room(self, tenant: str, debit: str, credit: str, unit: str) -> int:
        """How much can be reserved from one account for another one."""
        giver, taker = self.accounts.get((tenant, debit, unit)), self.accounts.get((tenant, credit, unit))
        if giver is None or taker is None or giver.closed_by is not None or taker.closed_by is not None:
            return 0
        has = giver.credits_posted - giver.debits_pending - giver.debits_posted
        return max(0, min(has, AMOUNT_MAX - taker.credits_pending - taker.credits_posted))

    def next_to_expire(self, tenant: str) -> bytes | None:
        """The pending transfer whose time is over first."""
        heap = self._expiring.get(tenant, [])
        while heap and (tenant, heap[0][2]) not in self.pending:
            heappop(heap)
        return heap[0][2] if heap else None

    def check_amount(
        self, entry: Entry, transfer: dict[str, Any], sides: tuple[AccountKey, AccountKey], amount: int
    ) -> None:
        """As much moves as was asked for or, to balance a side, as much of it as that side can give."""
        debit, credit = sides
        giver, taker = self.accounts[debit], self.accounts[credit]
        due = asked = transfer["amount"]
        if transfer.get("balancing") == "debit":
            due = min(asked, giver.credits_posted - giver.debits_posted - giver.debits_pending)
        elif transfer.get("balancing") == "credit":
            due = min(asked, taker.debits_posted - taker.credits_posted - taker.credits_pending)
        if amount != due:
            self.say(entry, "L8", f"{transfer['id']} moves {amount}, and was to move {due}")
        if debit == credit or debit[2] != credit[2]:
            self.say(entry, "L13", f"{transfer['id']} moves from {debit} to {credit}")
        for key, fact in ((debit, giver), (credit, taker)):
            if fact.closed_by is not None:
                self.say(entry, "L15", f"{key[1]} in {key[2]} is closed by {fact.closed_by}")

    def check_resolution(
        self, entry: Entry, transfer: dict[str, Any], fact: PendingFact, amount: int
    ) -> None:
        """In time, at most as much as was reserved, and of a closed account only what opens it again."""
        text = transfer["pending"]
        asked = 0 if transfer["phase"] == "void" else transfer.get("amount", fact.amount)
        if not 0 <= amount == asked <= fact.amount:
            told = f"of {text}, which reserves {fact.amount}, {amount} is moved and {asked} was asked for"
            self.say(entry, "L4", told)
        if fact.expires_us is not None and fact.expires_us <= entry.at:
            self.say(entry, "L9", f"{text} is resolved at {entry.at}, and has expired at {fact.expires_us}")
        for key in (fact.debit, fact.credit):
            closed_by = self.accounts[key].closed_by
            if closed_by is not None and (transfer["phase"], closed_by) != ("void", text):
                self.say(entry, "L15", f"{key[1]} in {key[2]} is closed by {closed_by}")

    def check_correction(
        self, entry: Entry, transfer: dict[str, Any], fact: CorrectedFact, amount: int
    ) -> None:
        """As much goes back as was asked for, or all that has not gone back yet, and never more than that."""
        left = fact.amount - fact.corrected
        if not 0 < amount == transfer.get("amount", left) <= left:
            text = f"of {transfer['corrects']} {amount} goes back; {left} is left of {fact.amount}"
            self.say(entry, "L5", text)

    def move(
        self, entry: Entry, transfer: dict[str, Any], sides: tuple[AccountKey, AccountKey], amount: int
    ) -> None:
        """Move an amount, or reserve it."""
        giver, taker = self.accounts[sides[0]], self.accounts[sides[1]]
        if transfer.get("phase") == "pending":
            giver.debits_pending += amount
            taker.credits_pending += amount
        else:
            giver.debits_posted += amount
            taker.credits_posted += amount
        if "closes" in transfer:
            (giver if transfer["closes"] == "debit" else taker).closed_by = transfer["id"]
        for key in sides:
            self._check_balance(entry, key)

    def reserve(self, key: PendingKey, fact: PendingFact) -> None:
        """A transfer becomes pending."""
        self.pending[key] = fact
        if fact.expires_us is not None:
            heappush(self._expiring.setdefault(key[0], []), (fact.expires_us, fact.number, key[1]))

    def resolve(self, entry: Entry, key: PendingKey, amount: int) -> PendingFact:
        """A transfer is pending no more, and so much of it is moved."""
        fact = self.pending.pop(key)
        giver, taker = self.accounts[fact.debit], self.accounts[fact.credit]
        giver.debits_pending -= fact.amount
        taker.credits_pending -= fact.amount
        giver.debits_posted += amount
        taker.credits_posted += amount
        for account in (giver, taker):
            if account.closed_by is not None and transfer_bytes(account.closed_by) == key[1]:
                account.closed_by = None
        for side in (fact.debit, fact.credit):
            self._check_balance(entry, side)
        return fact

    def _check_balance(self, entry: Entry, key: AccountKey) -> None:
        """Within bounds, and nobody owes but the system."""
        fact = self.accounts[key]
        debits, credits = fact.debits_pending + fact.debits_posted, fact.credits_pending + fact.credits_posted
        if min(fact.balance()) < 0 or max(debits, credits) > AMOUNT_MAX:
            self.say(entry, "L12", f"{key[1]} in {key[2]} holds {fact.balance()}")
        if not may_owe(key[1]) and debits > fact.credits_posted:
            self.say(entry, "L2", f"{key[1]} in {key[2]} has {fact.credits_posted}, and gives {debits}")
