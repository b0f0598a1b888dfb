"""The rows of the ledger against the journal."""

from __future__ import annotations

from sheratan.contracts.journal import Entry
from sheratan.engine.corrections import is_correctable
from sheratan.engine.problems import Problems
from sheratan.kernel.fold import Fold
from sheratan.kernel.ledger_facts import (
    AccountFact,
    OriginalFact,
    ResolvedFact,
    TransferFact,
    transfer_bytes,
    transfer_text,
)
from sheratan.kernel.new_facts import ChargeMade, RunSpent
from sheratan.store.ledger_rows import TransferView
from sheratan.store.port import Reader

__all__ = ["LedgerRows", "compare_billing", "compare_ledger"]


class LedgerRows:
    """Compares the rows of the ledger that never change, while the journal is walked."""

    def __init__(self, reader: Reader, problems: Problems) -> None:
        self._reader = reader
        self._problems = problems

    def compare_transfers(self, facts: list[TransferFact]) -> None:
        """Each transfer that was applied has its row."""
        with self._problems.reading("ledger_transfer"):
            rows = self._reader.transfer_rows([fact.number for fact in facts])
            said = {fact[:1]: tuple(fact[1:]) for fact in facts}
            self._problems.differ("ledger_transfer", said, {row[:1]: tuple(row[1:]) for row in rows})

    def compare_resolved(self, facts: list[ResolvedFact]) -> None:
        """Each pending transfer that was resolved has its row."""
        with self._problems.reading("ledger_resolved"):
            rows = self._reader.resolved_rows([fact.number for fact in facts])
            said = {fact[:1]: tuple(fact[1:]) for fact in facts}
            self._problems.differ("ledger_resolved", said, {row[:1]: tuple(row[1:]) for row in rows})

    def compare_charges(self, facts: list[ChargeMade]) -> None:
        """Each attempt that costs something has its row."""
        with self._problems.reading("charge"):
            rows = self._reader.charge_rows([fact.transfer for fact in facts])
            said = {fact[:2]: tuple(fact[2:]) for fact in facts}
            self._problems.differ("charge", said, {row[:2]: tuple(row[2:]) for row in rows})

    def compare_job_budgets(self, entries: list[Entry]) -> None:
        """Each budget of a job has its row, which stays when the job is pruned."""
        entries = [entry for entry in entries if "budget" in entry.data]
        with self._problems.reading("job_budget"):
            rows = self._reader.job_budgets([entry.data["number"] for entry in entries]) if entries else []
            said = {
                (entry.data["number"], unit): amount
                for entry in entries
                for unit, amount in entry.data["budget"]
            }
            self._problems.differ("job_budget", said, {row[:2]: row.amount for row in rows})

    def compare_spenders(self, entries: list[Entry]) -> None:
        """Each job that spends for runs has its rows, which stay when the job is pruned."""
        entries = [entry for entry in entries if "spends_for" in entry.data]
        with self._problems.reading("run_spender"):
            rows = self._reader.run_spenders([entry.data["number"] for entry in entries]) if entries else []
            said = {
                (entry.data["number"], run): True for entry in entries for run in entry.data["spends_for"]
            }
            self._problems.differ("run_spender", said, {tuple(row): True for row in rows})

    def compare_run_budgets(self, facts: list[RunSpent]) -> None:
        """Each budget of a run that nobody uses any more has its row, which stays when the run is pruned."""
        with self._problems.reading("run_budget"):
            rows = self._reader.run_budgets(sorted({fact.run for fact in facts}))
            said = {fact[:2]: tuple(fact[2:]) for fact in facts}
            self._problems.differ("run_budget", said, {row[:2]: tuple(row[2:]) for row in rows})

    def compare_originals(self, facts: list[OriginalFact]) -> None:
        """Each transfer that was corrected is, by its row, what its first correction was told that it is."""
        with self._problems.reading("ledger_transfer"):
            for fact in facts:
                view = self._reader.find_transfers(fact.tenant, [fact.id]).get(fact.id)
                stands = None if view is None or not is_correctable(view) else _original(view)
                if stands != fact:
                    text = f"a correction was told that it is {fact[2:]}; it is {stands and stands[2:]}"
                    self._problems.add("L5", text, row=f"ledger_transfer {transfer_text(fact.id)}")


def compare_ledger(reader: Reader, fold: Fold, overdue_us: int, problems: Problems) -> None:
    """Accounts and pending transfers as they stand; what should have expired before an instant is told of."""
    accounts = {row[:1]: (*row[1:], *balance[1:]) for row, balance in reader.all_ledger_accounts()}
    said = {(fact.number,): (*key, *_account(fact)) for key, fact in fold.ledger.accounts.items()}
    problems.differ("ledger_account", said, accounts)
    pending = {row[:1]: row.expires_us for row in reader.all_pending_transfers()}
    told = {(fact.number,): fact.expires_us for fact in fold.ledger.pending.values()}
    problems.differ("ledger_pending", told, pending)
    corrected = {view[1:3]: view.amount for view in reader.all_corrected()}
    undone = {key: fact.corrected for key, fact in fold.ledger.corrected.items()}
    problems.differ("ledger_corrected", undone, corrected)
    for number, expires_us in pending.items():
        if expires_us is not None and expires_us < overdue_us:
            text = f"it was to expire at {expires_us}, and is pending"
            problems.add("L9", text, row=f"ledger_pending {number[0]}")


def compare_billing(reader: Reader, fold: Fold, problems: Problems) -> None:
    """Prices and budgets as they stand; nothing is left to be reserved or settled."""
    prices = {row[:2]: row[2:] for row in reader.prices()}
    problems.differ("price", {key: tuple(fact) for key, fact in fold.prices.items()}, prices)
    budgets = {row[:3]: row[3:] for row in reader.budgets()}
    problems.differ("budget", {key: tuple(fact) for key, fact in fold.budgets.items()}, budgets)
    _compare_run_budgets(reader, fold, problems)
    stands = {row[:3]: row[3:] for row in reader.reliabilities()}
    problems.differ("reliability", {key: tuple(fact) for key, fact in fold.reliabilities.items()}, stands)
    for text, fact in fold.shares.items():
        problems.add("L10", fold.told_share(text), seq=fact.entry)
    for text, owed in fold.owed.items():
        problems.add("L14" if owed.succeeded is None else "L10", fold.told_owed(text), seq=owed.entry)


def _compare_run_budgets(reader: Reader, fold: Fold, problems: Problems) -> None:
    """Budgets of runs for which something may be spent still; the others were compared when nothing more was."""
    rows = {row[:2]: row[2:] for row in reader.run_budgets(sorted(fold.run_budgets))}
    told = {(run, unit): fact[:3] for run, facts in fold.run_budgets.items() for unit, fact in facts.items()}
    problems.differ("run_budget", told, rows)


def _original(view: TransferView) -> OriginalFact:
    row = view.transfer
    return OriginalFact(row.tenant, row.id, row.debit, row.credit, row.amount)


def _account(fact: AccountFact) -> tuple[object, ...]:
    closed_by = None if fact.closed_by is None else transfer_bytes(fact.closed_by)
    return fact.scale, fact.opened_us, fact.opened, *fact.balance(), closed_by, fact.entry
