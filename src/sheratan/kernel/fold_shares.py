"""The fold of workers' shares: each is what follows from what its worker has done, and goes with what was charged."""

from __future__ import annotations

from typing import Any, NamedTuple

from sheratan.contracts.journal import Entry
from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.contracts.principal import ENGINE
from sheratan.kernel.billing import OPERATOR, payout_id, settlement_id
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_budgets import ChargeFact
from sheratan.kernel.fold_run_budgets import RunBudgetFold
from sheratan.kernel.ledger_facts import AccountKey
from sheratan.kernel.margin import LATENCY_MS_MAX, UNKNOWN, Reliability

__all__ = ["Owed", "ShareFact", "ShareFold"]


class Owed(NamedTuple):
    """A transfer that an entry makes necessary, and that has to be of the same commit.

    `succeeded` is None where something is to be reserved; otherwise it is to be settled. `failed` tells of an attempt
    that did so by itself.
    """

    at_us: int
    entry: int
    charge: ChargeFact
    succeeded: bool | None
    failed: bool = False


class ShareFact(NamedTuple):
    """A share that was decided about by an entry, of so much, and is to be paid out in the same commit."""

    at_us: int
    entry: int
    number: int
    fence: int
    account: AccountKey
    amount: int
    share: int


class ShareFold(RunBudgetFold):
    """How workers did of late, made anew, and what they get."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.owed: dict[str, Owed] = {}
        """By the id of the transfer."""
        self.reliabilities: dict[AccountKey, Reliability] = {}
        self.shares: dict[str, ShareFact] = {}
        """By the id of the transfer that is to pay one out."""

    def shared(self, entry: Entry) -> None:
        """It was decided what the workers get of what attempts are charged."""
        self.check_previous(entry, None)
        if entry.actor != ENGINE.actor:
            self.say(entry, "L10", f"{entry.actor} has it decided what workers get")
        decided = decision_of(entry)
        shares, chosen = decided["input"]["shares"], decided["chosen"]
        for (number, fence), told, said in zip(entry.data["attempts"], shares, chosen, strict=True):
            owed, amount = self.owed.get(settlement_id(number, fence)), told[2]
            if owed is None or owed.at_us != entry.at or not self._is_paid(owed.charge):
                self.say(entry, "L10", f"nothing of job {number} under fence {fence} is to be shared")
                continue
            key = _account(owed.charge)
            known = self.reliabilities.get(key, UNKNOWN)
            stands = [*key[1:], amount, known.success // 8, known.latency // 8]
            share = _share(amount, known)
            if told != stands or said != share:
                self.say(entry, "L10", f"of {told} was shared {said}; it is {share} of {stands}")
            fact = ShareFact(entry.at, entry.seq, number, fence, key, amount, share[1])
            self.shares[payout_id(number, fence)] = fact

    def check_shared(self, entry: Entry, owed: Owed, due: int) -> None:
        """What is settled is shared as was decided, where it is to be; and how the attempt went is counted."""
        charge = owed.charge
        if not self._is_paid(charge):
            return
        share = self.shares.get(payout_id(charge.number, charge.fence))
        if (0 if share is None else share.amount) != due:
            text = f"of job {charge.number} {due} are charged, and shared are {share and share.amount}"
            self.say(entry, "L10", text)
        if owed.succeeded or owed.failed:
            key = _account(charge)
            latency_ms = min((owed.at_us - charge.leased_us) // 1_000, LATENCY_MS_MAX)
            success, latency, attempts = self.reliabilities.get(key, UNKNOWN)
            success += (1_000 if owed.succeeded else 0) - success // 8
            self.reliabilities[key] = Reliability(success, latency + latency_ms - latency // 8, attempts + 1)

    def check_payout(self, entry: Entry, told: list[int], asked: dict[str, Any], result: str) -> bool:
        """Whether a transfer pays a share out; it is the one that was decided, and only its account can refuse it."""
        fact = self.shares.pop(asked["id"], None)
        if fact is None:
            return False
        accounts = [account[:2] for account in decision_of(entry)["input"]["accounts"]]
        due = {
            "id": payout_id(fact.number, fact.fence),
            "debit": accounts.index([OPERATOR, fact.account[2]]),
            "credit": accounts.index(list(fact.account[1:])),
            "amount": fact.share,
        }
        stands = entry.at, entry.tenant, entry.data.get("shared"), told, asked
        wanted = fact.at_us, fact.account[0], fact.entry, [fact.number, fact.fence], due
        if stands != wanted:
            self.say(entry, "L10", f"as a share is applied {stands}, and {wanted} was to be")
        if result != "applied":
            self._check_refused(entry, fact)
        return True

    def check_paid_out(self, entry: Entry) -> None:
        """What earlier commits have shared was paid out in them."""
        for text, fact in list(self.shares.items()):
            if fact.at_us < entry.at:
                self.say(entry, "L10", self.told_share(text))
                del self.shares[text]

    def told_share(self, text: str) -> str:
        """What is wrong when a share was not paid out."""
        fact = self.shares[text]
        return (
            f"by entry {fact.entry} job {fact.number} under fence {fact.fence} was to be shared, and was not"
        )

    def _check_refused(self, entry: Entry, fact: ShareFact) -> None:
        account = self.ledger.accounts[fact.account]
        coming = sum(one["amount"] for one in decision_of(entry)["input"]["transfers"] if "amount" in one)
        is_full = account.credits_pending + account.credits_posted + coming > AMOUNT_MAX
        if account.closed_by is None and not is_full:
            self.say(entry, "L10", f"{fact.account[1]} did not get its share, and could have")

    def _is_paid(self, charge: ChargeFact) -> bool:
        """Whether there is an account that a share goes to."""
        return charge.worker is not None and _account(charge) in self.ledger.accounts


def _account(charge: ChargeFact) -> AccountKey:
    return charge.tenant, charge.worker or "", charge.unit


def _share(amount: int, known: Reliability) -> list[int]:
    """What the operator keeps, in thousandths, and what the worker gets: by arithmetic of its own."""
    permille = 100 + (1_000 - known.success // 8) // 5 + known.latency // 8 // 15
    return [permille, amount - amount * permille // 1_000]
