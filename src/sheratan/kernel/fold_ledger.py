"""The fold of entries about the ledger: what each does to the book, and what it must fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sheratan.contracts.journal import Entry
from sheratan.contracts.ledger import ISSUE
from sheratan.kernel.accounts import account_subject
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.ledger_book import FrozenBook, LedgerBook
from sheratan.kernel.ledger_facts import (
    AccountFact,
    AccountKey,
    CorrectedFact,
    OriginalFact,
    PendingFact,
    ResolvedFact,
    TransferFact,
    transfer_bytes,
)
from sheratan.kernel.new_facts import NewFacts

__all__ = ["LedgerFold"]

_DONE: Final = ("applied", "exists")
_ENDS: Final = {"post": "posted", "void": "voided"}
_NOTHING: Final[list[Any]] = []


class LedgerFold(LedgerBook):
    """Takes the entries about the ledger in order."""

    def __init__(self, say: Callable[[Entry, str, str], None]) -> None:
        super().__init__(say)
        self._scales: dict[tuple[str, str], int] = {}

    def thaw(self, frozen: FrozenBook) -> None:
        """Go on from what another one knew."""
        super().thaw(frozen)
        self._scales = {(tenant, unit): fact.scale for (tenant, _, unit), fact in self.accounts.items()}

    def account_opened(self, entry: Entry) -> None:
        """An account comes into being; the first one of a unit is that from which all of it comes."""
        self._stands_alone(entry)
        data = entry.data
        name, unit, scale, number = data["account"], data["unit"], data["scale"], data["number"]
        key = entry.tenant, name, unit
        if key in self.accounts or number != len(self.accounts) + 1:
            self.say(entry, "L6", f"account {number}, {name} in {unit}, is not a new one")
        if entry.subject != account_subject(name, unit):
            self.say(entry, "L13", f"its subject is {entry.subject}, and {name} in {unit} was opened")
        if name != ISSUE and (entry.tenant, unit) not in self._scales:
            self.say(entry, "L13", f"{name} is opened before {ISSUE}, from which all {unit} comes")
        known = self._scales.setdefault((entry.tenant, unit), scale)
        if scale != known:
            self.say(entry, "L13", f"its scale is {scale}; that of {unit} is {known}")
        self.accounts[key] = AccountFact(number, scale, entry.at, entry.seq)

    def transfers_applied(self, entry: Entry, new: NewFacts) -> None:
        """Transfers were applied, and maybe others beside them refused."""
        keys, decided = self._check_told(entry), decision_of(entry)
        touched: dict[AccountKey, None] = {}
        tied: bool | None = None
        for transfer, (result, detail) in zip(decided["input"]["transfers"], decided["chosen"], strict=True):
            if tied is not None and (result in _DONE) != tied:
                self.say(entry, "L7", f"{transfer['id']} is {result}, otherwise than the rest of its chain")
            tied = result in _DONE if transfer.get("linked") else None
            if result == "applied":
                touched |= dict.fromkeys(self._apply(entry, keys, transfer, detail, new))
        if tied:
            self.say(entry, "L7", "the last chain has no end")
        if not touched:
            self.say(entry, "E14", "none of them was to be applied")
        self._follow(entry, touched)

    def transfers_refused(self, entry: Entry) -> None:
        """None of these transfers was applied."""
        self._check_told(entry)
        if any(result == "applied" for result, _ in decision_of(entry)["chosen"]):
            self.say(entry, "E14", "one of them was to be applied, and none was")

    def transfers_expired(self, entry: Entry, new: NewFacts) -> None:
        """Pending transfers were not resolved in time: these, and no others before them."""
        self._stands_alone(entry)
        touched: dict[AccountKey, None] = {}
        for text in entry.data["transfers"]:
            key = entry.tenant, transfer_bytes(text)
            fact = self.pending.get(key)
            if fact is None or fact.expires_us is None or fact.expires_us > entry.at:
                self.say(entry, "L9", f"{text} expires at {entry.at}, and is not to")
                continue
            if self.next_to_expire(entry.tenant) != key[1]:
                self.say(entry, "L9", f"{text} expires, and another one is to before")
            self.resolve(entry, key, 0)
            touched |= {fact.debit: None, fact.credit: None}
            new.resolved.append(ResolvedFact(fact.number, "expired", 0, entry.seq))
        self._follow(entry, touched)

    def _stands_alone(self, entry: Entry) -> None:
        """The story of an account is told by its entries' data, since one entry may be about many accounts."""
        if entry.previous is not None:
            self.say(entry, "previous", f"it names {entry.previous}, and stands in no story of its own")

    def _check_told(self, entry: Entry) -> list[AccountKey]:
        """What the decision was told stood so; gives the accounts that it was told of."""
        self._stands_alone(entry)
        given = decision_of(entry)["input"]
        if given["now_us"] != entry.at:
            self.say(entry, "L9", f"it was decided for {given['now_us']} and recorded at {entry.at}")
        keys = [(entry.tenant, told[0], told[1]) for told in given["accounts"]]
        for key, told in zip(keys, given["accounts"], strict=True):
            fact = self.accounts.get(key)
            stands = _NOTHING if fact is None else [*fact.balance(), fact.closed_by]
            if told[2:] != stands:
                self.say(entry, "L11", f"{key[1]} in {key[2]} was told to be {told[2:]}; it is {stands}")
        ids = self.ids(entry.tenant)
        for text in given["known"]:
            if transfer_bytes(text) not in ids:
                self.say(entry, "L6", f"{text} was told to have been applied, and was not")
        for text, told in given["pending"].items():
            self._check_pending(entry, keys, text, told)
        for text, told in given.get("originals", {}).items():
            self._check_original(entry, keys, text, told)
        return keys

    def _check_pending(self, entry: Entry, keys: list[AccountKey], text: str, told: dict[str, Any]) -> None:
        fact, is_pending = self.pending.get((entry.tenant, transfer_bytes(text))), told["state"] == "pending"
        stands = None if fact is None else (fact.debit, fact.credit, fact.amount, fact.expires_us)
        said = keys[told["debit"]], keys[told["credit"]], told["amount"], told.get("expires_us")
        if is_pending != (fact is not None) or (is_pending and stands != said):
            self.say(entry, "L3", f"{text} was told to be {told['state']}, {said}; it is {stands}")

    def _check_original(self, entry: Entry, keys: list[AccountKey], text: str, told: dict[str, Any]) -> None:
        """What was corrected before stands as it is told; what is corrected for the first time was applied."""
        key = entry.tenant, transfer_bytes(text)
        fact = self.corrected.get(key)
        stands = _original(keys, told)
        if key[1] not in self.ids(entry.tenant) or stands != (fact or stands._replace(corrected=0)):
            self.say(entry, "L5", f"{text} was told to be {stands}; it is {fact}")

    def _apply(
        self, entry: Entry, keys: list[AccountKey], transfer: dict[str, Any], amount: int, new: NewFacts
    ) -> tuple[AccountKey, AccountKey]:
        """A transfer is applied; gives the accounts that it is about."""
        key, ids = (entry.tenant, transfer_bytes(transfer["id"])), self.ids(entry.tenant)
        if key[1] in ids:
            self.say(entry, "L6", f"{transfer['id']} was applied before")
        ids.add(key[1])
        self.transfers += 1
        phase, pending, expires_us = transfer.get("phase", "single"), None, None
        if "pending" in transfer:
            reserved = entry.tenant, transfer_bytes(transfer["pending"])
            self.check_resolution(entry, transfer, self.pending[reserved], amount)
            fact = self.resolve(entry, reserved, amount)
            sides, pending = (fact.debit, fact.credit), fact.number
            new.resolved.append(ResolvedFact(fact.number, _ENDS[phase], amount, entry.seq))
        elif "corrects" in transfer:
            sides = self._correct(entry, keys, transfer, amount, new)
        else:
            sides = keys[transfer["debit"]], keys[transfer["credit"]]
            self.check_amount(entry, transfer, sides, amount)
            self.move(entry, transfer, sides, amount)
            if "timeout_us" in transfer:
                expires_us = entry.at + transfer["timeout_us"]
            if phase == "pending":
                self.reserve(key, PendingFact(self.transfers, *sides, amount, expires_us))
        debit, credit = (self.accounts[side].number for side in sides)
        fact_of = TransferFact(
            self.transfers, *key, phase, debit, credit, amount, transfer.get("amount"), pending, expires_us,
            transfer.get("balancing"), transfer.get("closes"), entry.at, entry.seq, _corrects(transfer),
        )  # fmt: skip
        new.transfers.append(fact_of)
        return sides

    def _correct(
        self, entry: Entry, keys: list[AccountKey], transfer: dict[str, Any], amount: int, new: NewFacts
    ) -> tuple[AccountKey, AccountKey]:
        """A transfer goes back, or a part of it; gives the accounts, the other way round."""
        text = transfer["corrects"]
        key = entry.tenant, transfer_bytes(text)
        fact = self.corrected.get(key)
        if fact is None:
            fact = _original(keys, decision_of(entry)["input"]["originals"][text])
            numbers = self.accounts[fact.debit].number, self.accounts[fact.credit].number
            new.originals.append(OriginalFact(*key, *numbers, fact.amount))
        self.check_correction(entry, transfer, fact, amount)
        sides = fact.credit, fact.debit
        self.check_amount(entry, transfer | {"amount": amount}, sides, amount)
        self.move(entry, transfer, sides, amount)
        self.corrected[key] = fact._replace(corrected=fact.corrected + amount)
        return sides

    def _follow(self, entry: Entry, touched: dict[AccountKey, None]) -> None:
        """Each account's story goes on with this entry, which names the last one before it."""
        told: list[list[Any]] = entry.data["accounts"]
        before = {(entry.tenant, name, unit): seq for name, unit, seq in told}
        stands = {key: self.accounts[key].entry for key in touched}
        if before != stands or len(told) != len(stands):
            text = f"the last entries about its accounts are {stands}, it names {before}"
            self.say(entry, "previous", text)
        for key in touched:
            self.accounts[key].entry = entry.seq


def _original(keys: list[AccountKey], told: dict[str, Any]) -> CorrectedFact:
    """A transfer that is to be corrected, as a decision was told of it."""
    return CorrectedFact(keys[told["debit"]], keys[told["credit"]], told["amount"], told["corrected"])


def _corrects(transfer: dict[str, Any]) -> bytes | None:
    return transfer_bytes(transfer["corrects"]) if "corrects" in transfer else None
