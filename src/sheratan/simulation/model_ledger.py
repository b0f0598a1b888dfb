"""The part of the model that knows the ledger: what every account holds, and what becomes of every transfer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sheratan.contracts.ledger import ISSUE, Transfer, TransferResult
from sheratan.contracts.limits import Limits
from sheratan.engine.commands import ApplyTransfers, OpenAccount, Pending
from sheratan.simulation.model_archive import ModelArchive
from sheratan.simulation.model_book import Account, ModelAccount, ModelBook, Outcome
from sheratan.simulation.model_jobs import Refused

__all__ = ["ModelLedger"]


class ModelLedger(ModelArchive):
    """Accounts and transfers, and how they change."""

    def __init__(self, limits: Limits, hit: Callable[[str], None], *, short_windows: bool) -> None:
        super().__init__(limits, hit, short_windows=short_windows)
        self.book = ModelBook(hit)

    def expire_transfers(self) -> None:
        """The time of pending transfers is over: before anything else is done in a batch."""
        self.book.at_us = self.at_us
        if self.book.expire():
            self.hit("ledger.expired")
            self.noted["ledger.expired"] += 1

    def _OpenAccount(self, pending: Pending, command: OpenAccount) -> Any:  # noqa: N802 - the command's name
        accounts, key = self.book.accounts, (command.account, command.unit)
        issue = accounts.get((ISSUE, command.unit))
        scale = issue.scale if issue is not None else command.scale or 0
        if command.scale is not None and command.scale != scale:
            raise Refused("conflict")
        if key in accounts:
            return accounts[key].entry
        return self._opened(
            pending, list(dict.fromkeys(((ISSUE, command.unit), key))) if issue is None else [key], scale
        )

    def _opened(self, pending: Pending, wanted: list[Account], scale: int) -> int:
        accounts = self.book.accounts
        if len(accounts) + len(wanted) > self.limits.accounts_max:
            self.hit("ledger.too_many_accounts")
            raise Refused("limit_reached")
        entry = self._actual_value(pending)
        if not isinstance(entry, int):
            raise Refused("the number of an entry")
        for place, one in enumerate(reversed(wanted)):
            accounts[one] = ModelAccount(entry - place, scale)
            self.noted["ledger.account_opened"] += 1
        return entry

    def _ApplyTransfers(self, pending: Pending, command: ApplyTransfers) -> Any:  # noqa: N802 - the command's name
        for transfer in command.transfers:
            self.check_closes(transfer)
        self.book.begin_request()
        outcomes: list[Outcome] = []
        chain: list[Transfer] = []
        for transfer in command.transfers:
            chain.append(transfer)
            if not transfer.linked:
                outcomes += self.book.chain(chain)
                chain = []
        if chain:
            self.hit("ledger.chain_open")
            outcomes += [("chain_failed", None)] * (len(chain) - 1) + [("chain_open", "linked")]
        told = {result for result, _ in outcomes}
        entry = None
        if told != {"exists"}:
            self.noted["ledger.transferred" if "applied" in told else "ledger.refused"] += 1
            entry = self._entry_of(pending, outcomes)
        return [
            self._result_of(one, *outcome, entry)
            for one, outcome in zip(command.transfers, outcomes, strict=True)
        ]

    def _entry_of(self, pending: Pending, outcomes: list[Outcome]) -> int:
        """The entry about a request, as the engine has answered it."""
        actual: list[TransferResult] = self._actual_value(pending)
        place = next(place for place, (result, _) in enumerate(outcomes) if result != "exists")
        entry = actual[place].entry if isinstance(actual, list) and len(actual) == len(outcomes) else None
        if entry is None:
            raise Refused("the number of an entry")
        return entry

    def _result_of(
        self, transfer: Transfer, result: Any, detail: int | str | None, entry: int | None
    ) -> TransferResult:
        known = self.book.transfers.get(transfer.id)
        if result == "applied" and known is not None:
            known.entry = entry
        if result == "exists" and known is not None:
            entry = known.entry
        if isinstance(detail, int):
            return TransferResult(id=transfer.id, result=result, amount=detail, entry=entry)
        return TransferResult(id=transfer.id, result=result, field=detail, entry=entry)
