"""Which transfers are applied? Double entry over the accounts of units, with reservations and chains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.kernel.accounts import (
    CLOSED_BY,
    CREDITS_PENDING,
    CREDITS_POSTED,
    DEBITS_PENDING,
    DEBITS_POSTED,
    Account,
    available,
    may_owe,
    name_of,
)
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count

__all__ = ["TRANSFER", "decide_transfers", "settle_transfers"]

TRANSFER: Final = "ledger.transfer@1"

Given = dict[str, Any]
Outcome = tuple[str, int | str | None]
"""A result, and the amount that is moved or the field that is wrong."""

_CHAIN_FAILED: Final[Outcome] = ("chain_failed", None)
_SIDES: Final = ("debit", "credit")
_COMPARED: Final = (
    "phase", "debit", "credit", "unit", "amount", "pending", "timeout_us", "balancing", "closes",
)  # fmt: skip
"""What must be the same where an id is used again."""


@rule("ledger.transfer", 1)
def decide_transfers(given: Given) -> Verdict:
    """Choose for each transfer its result, with the amount that it moves or the field that is wrong.

    Input: now_us; accounts, as they stand; transfers, with the places of their accounts; known (by id, transfers that
    were applied before); pending (by id, pending transfers that are to be resolved).
    """
    return settle_transfers(given)[0]


def settle_transfers(given: Given) -> tuple[Verdict, list[Account]]:
    """The verdict, and the accounts as it leaves them."""
    book = _Book(given)
    outcomes = [outcome for chain in _chains(given["transfers"]) for outcome in book.apply(*chain)]
    return Verdict([list(outcome) for outcome in outcomes], book.tell(outcomes)), book.accounts


def _chains(transfers: list[Given]) -> Iterator[tuple[list[Given], bool]]:
    """The transfers that are bound to each other, and whether the last one is bound to one that does not come."""
    chain: list[Given] = []
    for transfer in transfers:
        chain.append(transfer)
        if not transfer.get("linked"):
            yield chain, False
            chain = []
    if chain:
        yield chain, True


class _Book:
    """The accounts and transfers that a request is about, while it is decided."""

    def __init__(self, given: Given) -> None:
        self.accounts: list[Account] = [account.copy() for account in given["accounts"]]
        self._known: dict[str, Given] = given["known"].copy()
        self._pending: dict[str, Given] = _copied(given["pending"])
        self._now_us: int = given["now_us"]
        self._refusals: list[str] = []

    def apply(self, chain: list[Given], is_open: bool) -> list[Outcome]:
        """Apply transfers that are bound to each other: all of them or, as if nothing had been, none."""
        if is_open:
            self._refuse(chain[-1], "chain_open", "linked", "it is linked, and no other one follows")
            return [*[_CHAIN_FAILED] * (len(chain) - 1), ("chain_open", "linked")]
        if len(chain) == 1:
            return [self._one(chain[0])]
        if all(transfer["id"] in self._known for transfer in chain):
            return [self._one(transfer) for transfer in chain]
        before = [account.copy() for account in self.accounts], self._known.copy(), _copied(self._pending)
        outcomes: dict[str, Outcome] = {}
        for transfer in chain:
            outcome = self._twice(transfer) if transfer["id"] in outcomes else self._one(transfer)
            if outcome[0] != "applied":
                self.accounts, self._known, self._pending = before
                left = len(chain) - len(outcomes) - 1
                return [*[_CHAIN_FAILED] * len(outcomes), outcome, *[_CHAIN_FAILED] * left]
            outcomes[transfer["id"]] = outcome
        return list(outcomes.values())

    def tell(self, outcomes: list[Outcome]) -> str:
        """One sentence about all of them."""
        applied = sum(result == "applied" for result, _ in outcomes)
        again = sum(result == "exists" for result, _ in outcomes)
        refused = len(outcomes) - applied - again
        parts = [f"Applied {count(applied, 'transfer')}"] if applied else []
        if again:
            parts.append(f"found {count(again, 'transfer')} applied before")
        if refused:
            parts.append(f"refused {count(refused, 'transfer')}")
        text = ", ".join(parts)
        reason = f": {self._refusals[0]}" if self._refusals else ""
        return f"{text[0].upper()}{text[1:]}{reason}."

    def _one(self, transfer: Given) -> Outcome:
        known = self._known.get(transfer["id"])
        if known is not None:
            return self._again(transfer, known)
        outcome = self._resolve(transfer) if "pending" in transfer else self._move(transfer)
        if outcome[0] == "applied":
            self._known[transfer["id"]] = self._described(transfer) | {"moved": outcome[1]}
        return outcome

    def _twice(self, transfer: Given) -> Outcome:
        return self._refuse(transfer, "id_reused", "id", "its id stands in its chain before")

    def _again(self, transfer: Given, known: Given) -> Outcome:
        """The id was used before: for the same, or for something else."""
        asked = self._described(transfer)
        for name in _COMPARED:
            if asked.get(name) != known.get(name):
                return self._refuse(transfer, "id_reused", name, f"its id was used with another {name}")
        return "exists", known["moved"]

    def _described(self, transfer: Given) -> Given:
        """What is compared of a transfer: the names of its accounts, not where they stand."""
        told = {name: value for name, value in transfer.items() if name not in ("id", "linked")}
        for side in _SIDES:
            if side in told:
                told[side], told["unit"] = self.accounts[told[side]][:2]
        return told

    def _move(self, transfer: Given) -> Outcome:
        unusable = self._unusable(transfer)
        if unusable is not None:
            return unusable
        debit, credit = (self.accounts[transfer[side]] for side in _SIDES)
        amount = self._bounded(transfer, debit, credit)
        too_much = self._too_much(transfer, debit, credit, amount)
        if too_much is not None:
            return too_much
        if transfer.get("phase") == "pending":
            debit[DEBITS_PENDING] += amount
            credit[CREDITS_PENDING] += amount
            self._reserve(transfer, amount)
        else:
            debit[DEBITS_POSTED] += amount
            credit[CREDITS_POSTED] += amount
        return "applied", amount

    def _unusable(self, transfer: Given) -> Outcome | None:
        for side in _SIDES:
            account = self.accounts[transfer[side]]
            if len(account) == 2:
                text = f"there is no account {name_of(account)}"
                return self._refuse(transfer, "account_not_found", side, text)
            if account[CLOSED_BY] is not None:
                return self._refuse_closed(transfer, side, account)
        return None

    def _too_much(self, transfer: Given, debit: Account, credit: Account, amount: int) -> Outcome | None:
        is_short = not may_owe(debit[0]) and amount > available(debit)
        if is_short or (not amount and "balancing" in transfer):
            text = f"{name_of(debit)} has {available(debit)} to give, and {transfer['amount']} was asked for"
            return self._refuse(transfer, "insufficient_funds", "debit", text)
        for side, account, first in (("debit", debit, DEBITS_PENDING), ("credit", credit, CREDITS_PENDING)):
            if account[first] + account[first + 1] + amount > AMOUNT_MAX:
                text = f"{name_of(account)} would hold more than {AMOUNT_MAX}"
                return self._refuse(transfer, "balance_too_large", side, text)
        return None

    def _bounded(self, transfer: Given, debit: Account, credit: Account) -> int:
        """What is moved: as much as was asked for or, to balance a side, as much of it as that side can give."""
        amount: int = transfer["amount"]
        balancing = transfer.get("balancing")
        if balancing is None:
            return amount
        owed = credit[DEBITS_POSTED] - credit[CREDITS_POSTED] - credit[CREDITS_PENDING]
        return max(0, min(amount, available(debit) if balancing == "debit" else owed))

    def _reserve(self, transfer: Given, amount: int) -> None:
        kept: Given = {
            "debit": transfer["debit"],
            "credit": transfer["credit"],
            "amount": amount,
            "state": "pending",
        }
        if "timeout_us" in transfer:
            kept["expires_us"] = self._now_us + transfer["timeout_us"]
        self._pending[transfer["id"]] = kept
        if "closes" in transfer:
            self.accounts[transfer[transfer["closes"]]][CLOSED_BY] = transfer["id"]

    def _resolve(self, transfer: Given) -> Outcome:
        found, key = self._pending.get(transfer["pending"]), transfer["pending"]
        if found is None:
            return self._refuse(
                transfer, "pending_not_found", "pending", f"there is no pending transfer {key}"
            )
        state = self._state_of(found)
        if state != "pending":
            return self._refuse(transfer, f"pending_{state}", "pending", f"{key} was {state} before")
        for side in _SIDES:
            account = self.accounts[found[side]]
            if account[CLOSED_BY] is not None and (transfer["phase"], account[CLOSED_BY]) != ("void", key):
                return self._refuse_closed(transfer, side, account)
        amount = 0 if transfer["phase"] == "void" else transfer.get("amount", found["amount"])
        if amount > found["amount"]:
            text = f"{key} reserves {found['amount']}, and {amount} was to be moved"
            return self._refuse(transfer, "exceeds_pending", "amount", text)
        self._release(found, amount)
        found["state"] = "voided" if transfer["phase"] == "void" else "posted"
        return "applied", amount

    def _state_of(self, found: Given) -> str:
        """What has become of a pending transfer: its time may be over, and nobody has seen to it yet."""
        is_late = "expires_us" in found and found["expires_us"] <= self._now_us
        return "expired" if is_late and found["state"] == "pending" else found["state"]

    def _release(self, found: Given, amount: int) -> None:
        """Move so much of what is reserved, and give the rest back."""
        debit, credit = self.accounts[found["debit"]], self.accounts[found["credit"]]
        debit[DEBITS_PENDING] -= found["amount"]
        credit[CREDITS_PENDING] -= found["amount"]
        debit[DEBITS_POSTED] += amount
        credit[CREDITS_POSTED] += amount
        # Only the void of a transfer that closes one of them comes to here while it is closed.
        debit[CLOSED_BY] = credit[CLOSED_BY] = None

    def _refuse_closed(self, transfer: Given, side: str, account: Account) -> Outcome:
        text = f"{name_of(account)} is closed by {account[CLOSED_BY]}"
        return self._refuse(transfer, "account_closed", side, text)

    def _refuse(self, transfer: Given, result: str, field: str, text: str) -> Outcome:
        self._refusals.append(f"{transfer['id']}, since {text}")
        return result, field


def _copied(pending: dict[str, Given]) -> dict[str, Given]:
    return {key: one.copy() for key, one in pending.items()}
