"""The fold of what attempts cost: no start without a reservation, no end without a settlement, and each once."""

from __future__ import annotations

from typing import Any, Final

from sheratan.contracts.journal import Entry
from sheratan.contracts.principal import ENGINE
from sheratan.kernel.accounts import account_subject
from sheratan.kernel.billing import (
    OPERATOR,
    amount_due,
    is_of_attempt,
    payee_of,
    payer_of,
    reservation_id,
    settlement_id,
)
from sheratan.kernel.facts import OpenJob
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.fold_budgets import ChargeFact, PriceFact
from sheratan.kernel.fold_shares import Owed, ShareFold
from sheratan.kernel.ledger_facts import transfer_bytes
from sheratan.kernel.new_facts import ChargeMade
from sheratan.kernel.stencil import Run

__all__ = ["BillingFold"]

_SUBJECT: Final = "price:"
_BUDGET: Final = "budget:"


class BillingFold(ShareFold):
    """What each start and end of an attempt makes necessary, and what each of the transfers for it must fit."""

    def price_set(self, entry: Entry) -> None:
        """Somebody says what attempts at jobs of a kind cost."""
        key, data = (entry.tenant, entry.subject.removeprefix(_SUBJECT)), entry.data
        known = self.prices.get(key)
        self.check_previous(entry, None if known is None else known.entry)
        if data["amount"] is None:
            unit, metered = "" if known is None else known.unit, 0
        else:
            unit, metered = data["unit"], int(data["metered"])
            if (entry.tenant, OPERATOR, unit) not in self.ledger.accounts:
                self.say(entry, "L14", f"there is no account {OPERATOR} in {unit}, to which to pay")
        shared = int(data.get("worker_share", False))
        self.prices[key] = PriceFact(unit, data["amount"], metered, entry.seq, shared)

    def attempts_start(self, entry: Entry) -> None:
        """A worker gets jobs: each of them that costs something needs a reservation."""
        self.check_owed(entry)
        self._check_funds(entry)
        for number, *_ in entry.data["jobs"]:
            job = self.open.get(number)
            price = None if job is None else self.prices.get((job.tenant, job.kind))
            if job is None or price is None or price.amount is None:
                continue
            whose = job.tenant, job.queue, job.kind
            worker = payee_of(entry.subject) if price.worker_share else None
            paid = price.unit, price.amount, price.metered, worker, entry.at
            spends_for = self.spenders.get(number, ())
            charge = ChargeFact(
                number, entry.seq, *whose, *paid, partition=job.partition, spends_for=spends_for
            )
            self.charges[number] = charge
            self.spend(entry, charge)
            self.owed[reservation_id(number, entry.seq)] = Owed(entry.at, entry.seq, charge, None)

    def changed(self, entry: Entry) -> None:
        """An attempt that costs something may end with it."""
        job = self.by_subject.get(entry.subject) if self.charges else None
        super().changed(entry)
        if job is not None:
            self._may_end(entry, job)

    def succeeded(self, entry: Entry) -> None:
        """An attempt succeeds, and with it the job."""
        if self.charges:
            self.changed(entry)
        else:
            super().succeeded(entry)

    def run_succeeds(self, run: Run) -> bool:
        """Take attempts that succeed, none of which costs anything."""
        return not self.charges and super().run_succeeds(run)

    def transferred(self, entry: Entry) -> None:
        """Transfers were applied: those that somebody asked for, or those that attempts make necessary."""
        given, attempts = decision_of(entry)["input"], entry.data.get("attempts")
        if attempts is None:
            self._check_nobody_asks(entry, given["transfers"])
            self.ledger.transfers_applied(entry, self.new)
            return
        results = [result for result, _ in decision_of(entry)["chosen"]]
        if entry.actor != ENGINE.actor:
            self.say(entry, "L10", f"{entry.actor} has it applied for attempts")
        due = [
            self._check_transfer(entry, told, asked, result)
            for told, asked, result in zip(attempts, given["transfers"], results, strict=True)
        ]
        self.ledger.transfers_applied(entry, self.new)
        for owed in due:
            if owed is not None and owed.succeeded is None:
                self._note_made(entry, owed.charge)

    def check_owed(self, entry: Entry) -> None:
        """What earlier commits have made necessary has been done in them."""
        self.check_paid_out(entry)
        for text, owed in list(self.owed.items()):
            if owed.at_us < entry.at:
                self.say(entry, "L14" if owed.succeeded is None else "L10", self.told_owed(text))
                del self.owed[text]

    def told_owed(self, text: str) -> str:
        """What is wrong when a transfer is missing."""
        owed = self.owed[text]
        what = "reserved for" if owed.succeeded is None else "settled of"
        number, fence = owed.charge[:2]
        return (
            f"by entry {owed.entry} something was to be {what} job {number} under fence {fence}, and was not"
        )

    def _may_end(self, entry: Entry, job: OpenJob) -> None:
        if job.state == "running" or job.number not in self.charges:
            return
        charge = self.charges.pop(job.number)
        succeeded = job.state == "succeeded"
        owed = Owed(entry.at, entry.seq, charge, succeeded, not succeeded and _fails(entry))
        self.owed[settlement_id(charge.number, charge.fence)] = owed

    def _check_nobody_asks(self, entry: Entry, transfers: list[dict[str, Any]]) -> None:
        for asked in transfers:
            for text in (asked["id"], asked.get("pending")):
                if text is not None and is_of_attempt(transfer_bytes(text)):
                    self.say(entry, "L10", f"{text} is that of an attempt, which nobody may ask for")

    def _check_transfer(
        self, entry: Entry, told: list[int], asked: dict[str, Any], result: str
    ) -> Owed | None:
        """A transfer for an attempt is the one that was necessary, in the same commit."""
        if self.check_payout(entry, told, asked, result):
            return None
        owed = self.owed.pop(asked["id"], None)
        if owed is None or result != "applied":
            self.say(entry, "L10", f"{asked['id']} was not necessary, or is {result}")
            return None
        due = self._check_moved(entry, owed, told, asked)
        if owed.succeeded is not None:
            self.settled(entry, owed.charge, due)
            self.check_shared(entry, owed, due)
        return owed

    def _check_moved(self, entry: Entry, owed: Owed, told: list[int], asked: dict[str, Any]) -> int:
        """What an attempt costs by what it has reported is reserved, or settled; gives how much that is."""
        charge, (number, fence, *reported) = owed.charge, told
        is_settled = owed.succeeded is not None
        due = _settlement(owed, reported) if is_settled else self._reservation(entry, charge)
        stands = (entry.at, entry.tenant, number, fence, asked)
        wanted = (owed.at_us, charge.tenant, *charge[:2], due)
        if stands != wanted or (reported and not (charge.metered and is_settled)):
            text = f"for an attempt is applied {stands}, and {wanted} was to be"
            self.say(entry, "L10" if is_settled else "L14", text)
        return int(due.get("amount", 0))

    def _reservation(self, entry: Entry, charge: ChargeFact) -> dict[str, Any]:
        accounts = [told[:2] for told in decision_of(entry)["input"]["accounts"]]
        return {
            "id": reservation_id(charge.number, charge.fence),
            "debit": accounts.index([payer_of(charge.tenant), charge.unit]),
            "credit": accounts.index([OPERATOR, charge.unit]),
            "phase": "pending",
            "amount": charge.amount,
        }

    def _note_made(self, entry: Entry, charge: ChargeFact) -> None:
        key = entry.tenant, transfer_bytes(reservation_id(charge.number, charge.fence))
        made = self.ledger.pending.get(key)
        if made is not None:
            self.new.charges.append(ChargeMade(*charge[:2], made.number, charge.metered, charge.worker))

    def _check_funds(self, entry: Entry) -> None:
        """What a decision was told that accounts can pay for, and that is left of budgets, is what they can."""
        given = decision_of(entry)["input"]
        lanes = [(lane[0], lane[1].partition("@")[0], lane[3]) for lane in given["lanes"]]
        self._check_bounds(entry, given, [kind for _, kind, _ in lanes])
        for queue, kind, state in lanes:
            if state == "no_budget":
                self.check_no_budget(entry, queue, kind)
            if state == "no_funds" and all(attempts for _, attempts in self._pay_for({kind})):
                self.say(entry, "L14", f"{kind} was passed over for want of funds, which there are")

    def _check_bounds(self, entry: Entry, given: dict[str, Any], kinds: list[str]) -> None:
        names = {one[0]: one[2] for one in given.get("partitions", ())}
        bounds = [told[:3] for told in given.get("limits", ()) if told[3] is None]
        for subject, whose, attempts in bounds:
            if names.keys() & whose:
                self.check_partition_told(entry, subject, {names.get(who) for who in whose}, attempts)
            else:
                known = {kinds[index] for index in whose if 0 <= index < len(kinds)}
                self._check_bound(entry, subject, known, attempts)

    def _check_bound(self, entry: Entry, subject: str, kinds: set[str], attempts: int) -> None:
        if subject.startswith(_BUDGET):
            self.check_budget_told(entry, subject, kinds, attempts)
            return
        pay_for = self._pay_for(kinds)
        if (subject, attempts) not in pay_for:
            self.say(entry, "L14", f"{subject} was told to pay for {attempts}; it is one of {pay_for}")

    def _pay_for(self, kinds: set[str]) -> list[tuple[str, int]]:
        """Of each tenant with prices for these kinds the account, and how many attempts it can pay for."""
        return [
            (account_subject(payer_of(tenant), unit), self._room(tenant, unit) // amount)
            for (tenant, unit), amount in self.dearest(kinds).items()
        ]

    def _room(self, tenant: str, unit: str) -> int:
        """What a tenant can have reserved beside what is owed for attempts that have started."""
        spoken_for = sum(
            owed.charge.amount
            for owed in self.owed.values()
            if owed.succeeded is None and (owed.charge.tenant, owed.charge.unit) == (tenant, unit)
        )
        return self.ledger.room(tenant, payer_of(tenant), OPERATOR, unit) - spoken_for


def _settlement(owed: Owed, reported: list[int]) -> dict[str, Any]:
    charge, said = owed.charge, reported[0] if reported else None
    due = amount_due(charge.amount, said, metered=bool(charge.metered), succeeded=bool(owed.succeeded))
    ids = {
        "id": settlement_id(charge.number, charge.fence),
        "pending": reservation_id(charge.number, charge.fence),
    }
    return ids | ({"phase": "post", "amount": due} if due else {"phase": "void"})


def _fails(entry: Entry) -> bool:
    """Whether an attempt fails with an entry, and was not lost."""
    if entry.type not in ("job.failed", "job.retried"):
        return False
    return bool(entry.data["error"]["class"] != "lost_lease")
