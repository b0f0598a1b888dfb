"""Which transfers are applied? Double entry over the accounts of units, with reservations and chains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sheratan.kernel.accounts import Account
from sheratan.kernel.ledger_moves import SIDES, Given, Moves, Outcome, copied
from sheratan.kernel.rules import Verdict, rule
from sheratan.kernel.words import count

__all__ = ["TRANSFER", "decide_transfers", "settle_transfers"]

TRANSFER: Final = "ledger.transfer@1"

_Applied = dict[str, tuple[Given, int | str | None]]

_CHAIN_FAILED: Final[Outcome] = ("chain_failed", None)
_COMPARED: Final = (
    "phase", "debit", "credit", "unit", "amount", "pending", "timeout_us", "balancing", "closes",
    "corrects",
)  # fmt: skip
"""What must be the same where an id is used again."""


@rule("ledger.transfer", 1)
def decide_transfers(given: Given) -> Verdict:
    """Choose for each transfer its result, with the amount that it moves or the field that is wrong.

    Input: now_us; accounts, as they stand; transfers, with the places of their accounts; known (by id, transfers that
    were applied before); pending (by id, pending transfers that are to be resolved); originals (by id, transfers that
    are to be corrected, and how much of each was before).
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


class _Book(Moves):
    """The accounts and transfers that a request is about, and which of these were applied before."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self._known: dict[str, Given] = given["known"]
        self._applied: _Applied = {}
        """Transfers of this request that are applied, and how much each has moved."""

    def apply(self, chain: list[Given], is_open: bool) -> list[Outcome]:
        """Apply transfers that are bound to each other: all of them or, as if nothing had been, none."""
        if is_open:
            self.refuse(chain[-1], "chain_open", "linked", "it is linked, and no other one follows")
            return [*[_CHAIN_FAILED] * (len(chain) - 1), ("chain_open", "linked")]
        if len(chain) == 1:
            return [self._one(chain[0])]
        if all(transfer["id"] in self._known or transfer["id"] in self._applied for transfer in chain):
            return [self._one(transfer) for transfer in chain]
        before = self._kept()
        outcomes: dict[str, Outcome] = {}
        for transfer in chain:
            outcome = self._twice(transfer) if transfer["id"] in outcomes else self._one(transfer)
            if outcome[0] != "applied":
                self.accounts, self._applied, self.pending, self.originals = before
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
        reason = f": {self.refusals[0]}" if self.refusals else ""
        return f"{text[0].upper()}{text[1:]}{reason}."

    def _one(self, transfer: Given) -> Outcome:
        public_id = transfer["id"]
        known = self._known.get(public_id)
        if known is not None:
            return self._again(transfer, known)
        if public_id in self._applied:
            first, moved = self._applied[public_id]
            return self._again(transfer, self._described(first) | {"moved": moved})
        outcome = self.apply_one(transfer)
        if outcome[0] == "applied":
            self._applied[public_id] = transfer, outcome[1]
        return outcome

    def _kept(self) -> tuple[list[Account], _Applied, dict[str, Given], dict[str, Given]]:
        """How all stands, to go back to it."""
        accounts = [account.copy() for account in self.accounts]
        return accounts, self._applied.copy(), copied(self.pending), copied(self.originals)

    def _twice(self, transfer: Given) -> Outcome:
        return self.refuse(transfer, "id_reused", "id", "its id stands in its chain before")

    def _again(self, transfer: Given, known: Given) -> Outcome:
        """The id was used before: for the same, or for something else."""
        asked = self._described(transfer)
        for name in _COMPARED:
            if asked.get(name) != known.get(name):
                return self.refuse(transfer, "id_reused", name, f"its id was used with another {name}")
        return "exists", known["moved"]

    def _described(self, transfer: Given) -> Given:
        """What is compared of a transfer: the names of its accounts, not where they stand."""
        told = {name: value for name, value in transfer.items() if name not in ("id", "linked")}
        for side in SIDES:
            if side in told:
                told[side], told["unit"] = self.accounts[told[side]][:2]
        return told
