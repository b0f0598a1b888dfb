"""What the transfers of a request do to accounts, one at a time, while they are decided."""

from __future__ import annotations

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

__all__ = ["SIDES", "Given", "Moves", "Outcome", "copied"]

Given = dict[str, Any]
Outcome = tuple[str, int | str | None]
"""A result, and the amount that is moved or the field that is wrong."""

SIDES: Final = ("debit", "credit")


class Moves:
    """The accounts and transfers that a request is about."""

    def __init__(self, given: Given) -> None:
        self.accounts: list[Account] = [account.copy() for account in given["accounts"]]
        self.pending: dict[str, Given] = copied(given["pending"])
        self.originals: dict[str, Given] = copied(given.get("originals", {}))
        self.refusals: list[str] = []
        self._now_us: int = given["now_us"]

    def apply_one(self, transfer: Given) -> Outcome:
        """Apply a transfer, or refuse it."""
        if "pending" in transfer:
            return self._resolve(transfer)
        return self._correct(transfer) if "corrects" in transfer else self._move(transfer)

    def refuse(self, transfer: Given, result: str, field: str, text: str) -> Outcome:
        """Refuse a transfer for the sake of a field."""
        self.refusals.append(f"{transfer['id']}, since {text}")
        return result, field

    def _correct(self, transfer: Given) -> Outcome:
        """Move back what a transfer has moved, or a part of it: all of its corrections are no more than that."""
        found, key = self.originals.get(transfer["corrects"]), transfer["corrects"]
        if found is None:
            text = f"there is no transfer {key} that has moved anything and corrects no other one"
            return self.refuse(transfer, "original_not_found", "corrects", text)
        left = found["amount"] - found["corrected"]
        amount = transfer.get("amount", left)
        if not 0 < amount <= left:
            text = f"of {key} {left} is left to be corrected, and {amount} was asked for"
            return self.refuse(transfer, "exceeds_original", "amount", text)
        back = {"debit": found["credit"], "credit": found["debit"], "amount": amount}
        outcome = self._move(transfer | back)
        if outcome[0] == "applied":
            found["corrected"] += amount
        return outcome

    def _move(self, transfer: Given) -> Outcome:
        unusable = self._unusable(transfer)
        if unusable is not None:
            return unusable
        debit, credit = (self.accounts[transfer[side]] for side in SIDES)
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
        for side in SIDES:
            account = self.accounts[transfer[side]]
            if len(account) == 2:
                text = f"there is no account {name_of(account)}"
                return self.refuse(transfer, "account_not_found", side, text)
            if account[CLOSED_BY] is not None:
                return self._refuse_closed(transfer, side, account)
        return None

    def _too_much(self, transfer: Given, debit: Account, credit: Account, amount: int) -> Outcome | None:
        is_short = not may_owe(debit[0]) and amount > available(debit)
        if is_short or (not amount and "balancing" in transfer):
            text = f"{name_of(debit)} has {available(debit)} to give, and {transfer['amount']} was asked for"
            return self.refuse(transfer, "insufficient_funds", "debit", text)
        for side, account, first in (("debit", debit, DEBITS_PENDING), ("credit", credit, CREDITS_PENDING)):
            if account[first] + account[first + 1] + amount > AMOUNT_MAX:
                text = f"{name_of(account)} would hold more than {AMOUNT_MAX}"
                return self.refuse(transfer, "balance_too_large", side, text)
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
        self.pending[transfer["id"]] = kept
        if "closes" in transfer:
            self.accounts[transfer[transfer["closes"]]][CLOSED_BY] = transfer["id"]

    def _resolve(self, transfer: Given) -> Outcome:
        found, key = self.pending.get(transfer["pending"]), transfer["pending"]
        if found is None:
            return self.refuse(
                transfer, "pending_not_found", "pending", f"there is no pending transfer {key}"
            )
        state = self._state_of(found)
        if state != "pending":
            return self.refuse(transfer, f"pending_{state}", "pending", f"{key} was {state} before")
        for side in SIDES:
            account = self.accounts[found[side]]
            if account[CLOSED_BY] is not None and (transfer["phase"], account[CLOSED_BY]) != ("void", key):
                return self._refuse_closed(transfer, side, account)
        amount = 0 if transfer["phase"] == "void" else transfer.get("amount", found["amount"])
        if amount > found["amount"]:
            text = f"{key} reserves {found['amount']}, and {amount} was to be moved"
            return self.refuse(transfer, "exceeds_pending", "amount", text)
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
        return self.refuse(transfer, "account_closed", side, text)


def copied(told: dict[str, Given]) -> dict[str, Given]:
    """What is known of transfers by id, to be changed."""
    return {key: one.copy() for key, one in told.items()}
