"""The model's book of accounts and transfers, by the letter of the design and with nobody else's code."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from sheratan.contracts.ledger import AMOUNT_MAX, Transfer

__all__ = ["Account", "ModelAccount", "ModelBook", "ModelTransfer", "Outcome"]

_FIELDS: Final = (
    "phase",
    "debit",
    "credit",
    "unit",
    "amount",
    "pending",
    "timeout_seconds",
    "balancing",
    "closes",
    "corrects",
)
_ENDS: Final = {"post": "posted", "void": "voided"}
_EXPIRED_AT_ONCE: Final = 128

Outcome = tuple[str, int | str | None]
"""A result, and the amount that is moved or the field that is wrong."""

Account = tuple[str, str]
"""A name and a unit."""


@dataclass
class ModelAccount:
    """What was given and taken, what is reserved to be, and what keeps the account closed."""

    entry: int
    scale: int
    given: int = 0
    taken: int = 0
    giving: int = 0
    taking: int = 0
    closed_by: str | None = None

    @property
    def left(self) -> int:
        """What it can give."""
        return self.taken - self.given - self.giving


@dataclass
class ModelTransfer:
    """A transfer that was applied, and what has become of it."""

    asked: Transfer
    debit: Account
    credit: Account
    amount: int
    state: str
    expires_us: int | None
    posted: int | None = None
    entry: int | None = None
    corrected: int = 0


class ModelBook:
    """All accounts and transfers, and how they change."""

    def __init__(self, hit: Callable[[str], None]) -> None:
        self.accounts: dict[Account, ModelAccount] = {}
        self.transfers: dict[str, ModelTransfer] = {}
        self.at_us = 0
        self._hit = hit
        self._before: frozenset[str] = frozenset()
        """The transfers that were applied before the request that is looked at: only those can be corrected."""

    def begin_request(self) -> None:
        """A request is looked at from here on."""
        self._before = frozenset(self.transfers)

    def expire(self) -> int:
        """The time of pending transfers is over; says of how many."""
        # Those that expire at the same instant do so in the order in which they came.
        due = sorted(self._over(self.at_us), key=lambda one: one.expires_us or 0)[:_EXPIRED_AT_ONCE]
        for one in due:
            self._release(one, 0)
            one.state = "expired"
        return len(due)

    def late(self, wall_us: int) -> str | None:
        """What should have expired before an instant."""
        over = self._over(wall_us)
        return f"{over[0].asked.id} was to expire at {over[0].expires_us}, and is pending" if over else None

    def _over(self, until_us: int) -> list[ModelTransfer]:
        pending = [one for one in self.transfers.values() if one.state == "pending"]
        return [one for one in pending if one.expires_us is not None and one.expires_us <= until_us]

    def chain(self, chain: list[Transfer]) -> list[Outcome]:
        """All of these, or none."""
        if len(chain) == 1:
            return [self._one(chain[0])]
        if all(one.id in self.transfers for one in chain):
            return [self._again(one) for one in chain]
        before = deepcopy((self.accounts, self.transfers))
        outcomes: list[Outcome] = []
        for place, one in enumerate(chain):
            outcomes.append(self._twice(chain[:place], one) or self._one(one))
            if outcomes[-1][0] != "applied":
                self._hit("ledger.chain_failed")
                self.accounts, self.transfers = before
                told: list[Outcome] = [("chain_failed", None)] * len(chain)
                told[len(outcomes) - 1] = outcomes[-1]
                return told
        self._hit("ledger.chain")
        return outcomes

    def _twice(self, before: list[Transfer], transfer: Transfer) -> Outcome | None:
        if all(one.id != transfer.id for one in before):
            return None
        self._hit("ledger.id_twice_in_chain")
        return "id_reused", "id"

    def _again(self, transfer: Transfer) -> Outcome:
        known = self.transfers[transfer.id]
        for name in _FIELDS:
            if getattr(transfer, name) != getattr(known.asked, name):
                self._hit("ledger.id_reused")
                return "id_reused", "timeout_us" if name == "timeout_seconds" else name
        self._hit("ledger.found")
        return "exists", known.amount

    def _one(self, transfer: Transfer) -> Outcome:
        if transfer.id in self.transfers:
            return self._again(transfer)
        if transfer.corrects:
            refused = self._correct(transfer)
        else:
            refused = self._resolve(transfer) if transfer.pending else self._move(transfer)
        return refused or ("applied", self.transfers[transfer.id].amount)

    def _move(self, transfer: Transfer) -> Outcome | None:
        keys = [(name or "", transfer.unit or "") for name in (transfer.debit, transfer.credit)]
        for side, key in zip(("debit", "credit"), keys, strict=True):
            if key not in self.accounts:
                return "account_not_found", side
            if self.accounts[key].closed_by is not None:
                self._hit("ledger.account_closed")
                return "account_closed", side
        return self._move_between(transfer, keys, self._amount(transfer, keys))

    def _move_between(self, transfer: Transfer, keys: list[Account], amount: int) -> Outcome | None:
        refused = self._closed(keys, None) or self._too_much(transfer, keys, amount)
        if refused is None:
            self._book(transfer, keys, amount)
        return refused

    def _correct(self, transfer: Transfer) -> Outcome | None:
        original = self._original(transfer.corrects or "")
        if original is None:
            self._hit("ledger.original_not_found")
            return "original_not_found", "corrects"
        left = original.amount - original.corrected
        amount = left if transfer.amount is None else transfer.amount
        if not 0 < amount <= left:
            self._hit("ledger.exceeds_original")
            return "exceeds_original", "amount"
        refused = self._move_between(transfer, [original.credit, original.debit], amount)
        if refused is None:
            original.corrected += amount
            self._hit("ledger.corrected" if amount == left else "ledger.corrected_in_part")
        return refused

    def _original(self, key: str) -> ModelTransfer | None:
        """A transfer that has moved something, and corrects no other one."""
        one = self.transfers[key] if key in self._before else None
        if one is None or one.asked.phase == "pending" or one.asked.corrects or not one.amount:
            return None
        return one

    def _closed(self, keys: list[Account], opener: str | None) -> Outcome | None:
        """Whether one of two accounts is closed by anything but what is about to open it again."""
        for side, key in zip(("debit", "credit"), keys, strict=True):
            if self.accounts[key].closed_by not in (None, opener):
                self._hit("ledger.account_closed")
                return "account_closed", side
        return None

    def _amount(self, transfer: Transfer, keys: list[Account]) -> int:
        giver, taker = (self.accounts[key] for key in keys)
        amount = transfer.amount or 0
        if transfer.balancing is None:
            return amount
        most = giver.left if transfer.balancing == "debit" else taker.given - taker.taken - taker.taking
        if most < amount:
            self._hit("ledger.balanced")
        return max(0, min(amount, most))

    def _too_much(self, transfer: Transfer, keys: list[Account], amount: int) -> Outcome | None:
        giver, taker = (self.accounts[key] for key in keys)
        may_owe = keys[0][0].startswith("system:")
        if (transfer.balancing is not None and not amount) or (amount > giver.left and not may_owe):
            self._hit("ledger.insufficient_funds")
            return "insufficient_funds", "debit"
        for side, total in (("debit", giver.given + giver.giving), ("credit", taker.taken + taker.taking)):
            if total + amount > AMOUNT_MAX:
                self._hit("ledger.balance_too_large")
                return "balance_too_large", side
        return None

    def _book(self, transfer: Transfer, keys: list[Account], amount: int) -> None:
        giver, taker = (self.accounts[key] for key in keys)
        state, expires_us = "posted", None
        if transfer.phase == "pending":
            state = "pending"
            giver.giving, taker.taking = giver.giving + amount, taker.taking + amount
        else:
            giver.given, taker.taken = giver.given + amount, taker.taken + amount
        if transfer.timeout_seconds is not None:
            expires_us = self.at_us + transfer.timeout_seconds * 1_000_000
        if transfer.closes is not None:
            self._hit("ledger.closed")
            (giver if transfer.closes == "debit" else taker).closed_by = transfer.id
        self.transfers[transfer.id] = ModelTransfer(transfer, keys[0], keys[1], amount, state, expires_us)

    def _resolve(self, transfer: Transfer) -> Outcome | None:
        reserved = self.transfers.get(transfer.pending or "")
        if reserved is None or reserved.asked.phase != "pending":
            return "pending_not_found", "pending"
        refused = self._unresolvable(transfer, reserved)
        if refused is not None:
            return refused
        amount = _resolved(transfer, reserved)
        self._release(reserved, amount)
        reserved.state = _ENDS[transfer.phase]
        in_part = "_in_part" if 0 < amount < reserved.amount else ""
        self._hit(f"ledger.{reserved.state}{in_part}")
        self.transfers[transfer.id] = ModelTransfer(
            transfer, reserved.debit, reserved.credit, amount, reserved.state, None
        )
        return None

    def _unresolvable(self, transfer: Transfer, reserved: ModelTransfer) -> Outcome | None:
        state = self._state(reserved)
        if state != "pending":
            self._hit("ledger.expired_before" if state == "expired" else "ledger.resolved_before")
            return f"pending_{state}", "pending"
        opener = transfer.pending if transfer.phase == "void" else None
        refused = self._closed([reserved.debit, reserved.credit], opener)
        if refused is None and _resolved(transfer, reserved) > reserved.amount:
            return "exceeds_pending", "amount"
        return refused

    def _state(self, one: ModelTransfer) -> str:
        is_over = one.expires_us is not None and one.expires_us <= self.at_us
        return "expired" if is_over and one.state == "pending" else one.state

    def _release(self, one: ModelTransfer, amount: int) -> None:
        giver, taker = self.accounts[one.debit], self.accounts[one.credit]
        giver.giving, taker.taking = giver.giving - one.amount, taker.taking - one.amount
        giver.given, taker.taken = giver.given + amount, taker.taken + amount
        one.posted = amount
        for account in (giver, taker):
            if account.closed_by == one.asked.id:
                self._hit("ledger.opened_again")
                account.closed_by = None


def _resolved(transfer: Transfer, reserved: ModelTransfer) -> int:
    """How much is to be moved of what is reserved."""
    if transfer.phase == "void":
        return 0
    return reserved.amount if transfer.amount is None else transfer.amount
