"""The ledger: accounts are opened, transfers applied or refused, and pending ones expire.

A request's transfers are decided at once by a rule that is told how their accounts stand, and told of by one entry.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from sheratan.contracts.errors import Conflict, LimitReached, NotFound
from sheratan.contracts.ledger import ISSUE, Transfer, TransferResult
from sheratan.contracts.principal import ENGINE, Principal
from sheratan.engine.batch import Batch
from sheratan.engine.corrections import correct, originals
from sheratan.engine.ledger_commands import ApplyTransfers, OpenAccount
from sheratan.engine.words import check_reason
from sheratan.kernel.accounts import Account, account_subject
from sheratan.kernel.billing import OPERATOR, payer_of
from sheratan.kernel.ledger import TRANSFER, settle_transfers
from sheratan.kernel.ledger_facts import AccountKey, transfer_bytes, transfer_text
from sheratan.kernel.rules import decision
from sheratan.store.ledger_rows import (
    AccountRow,
    AccountView,
    BalanceRow,
    PendingRow,
    ResolvedRow,
    TransferRow,
    TransferView,
)

__all__ = ["apply_transfers", "expire", "open_account", "transfer"]

_EXPIRED_AT_ONCE: Final = 128
_RESOLVES: Final = {"post": "posted", "void": "voided"}


def open_account(batch: Batch, command: OpenAccount, by: Principal) -> int:
    """Open an account, and with the first one of a unit that from which all of it comes."""
    check_reason(command.reason)
    ledger = batch.state.ledger
    issue = ledger.find((by.tenant, ISSUE, command.unit))
    scale = (command.scale or 0) if issue is None else issue.account.scale
    if command.scale not in (None, scale):
        raise Conflict(f"{command.unit} has {scale} digits after the point", field="scale")
    known = ledger.find((by.tenant, command.account, command.unit))
    if known is not None:
        return known.account.opened
    wanted = [command.account] if issue is not None else list(dict.fromkeys((ISSUE, command.account)))
    if ledger.next_account + len(wanted) - 1 > batch.state.limits.accounts_max:
        raise LimitReached(
            f"there are {batch.state.limits.accounts_max} accounts (limits.accounts_max)", field="account"
        )
    return [_open(batch, (by.tenant, name, command.unit), scale, command.reason, by) for name in wanted][-1]


def issue_of(batch: Batch, tenant: str, unit: str, field: str = "unit") -> AccountView:
    """The account from which all of a unit comes; NotFound when nobody has the unit."""
    issue = batch.state.ledger.find((tenant, ISSUE, unit))
    if issue is None:
        text = f"there is no account in {unit}; open that of the tenant who pays first"
        raise NotFound(text, field=field)
    return issue


def _open(batch: Batch, key: AccountKey, scale: int, reason: str, by: Principal) -> int:
    ledger, changes, (tenant, name, unit) = batch.state.ledger, batch.unit.ledger, key
    data: dict[str, Any] = {"account": name, "unit": unit, "scale": scale, "number": ledger.next_account}
    if reason:
        data["reason"] = reason
    entry = batch.unit.record("ledger.account_opened", account_subject(name, unit), data, by)
    row = AccountRow(ledger.next_account, tenant, name, unit, scale, batch.at_us, entry)
    ledger.next_account += 1
    changes.accounts.append(row)
    _put(batch, key, AccountView(row, BalanceRow(row.number, 0, 0, 0, 0, None, entry)))
    return entry


def apply_transfers(batch: Batch, command: ApplyTransfers, by: Principal) -> list[TransferResult]:
    """Apply what somebody asks for, or refuse it, and say so."""
    check_reason(command.reason)
    return transfer(batch, command.transfers, {"reason": command.reason} if command.reason else {}, by)


def transfer(
    batch: Batch, transfers: tuple[Transfer, ...], said: dict[str, Any], by: Principal
) -> list[TransferResult]:
    """Apply transfers, or refuse them, by one entry that says `said` about them, too.

    What was applied before is only answered.
    """
    request = _Request(batch, transfers, by.tenant)
    request.check_closings()
    verdict, accounts = settle_transfers(request.given)
    results = [result for result, _ in verdict.chosen]
    entry = None
    if results.count("exists") < len(results):
        applied = request.applied(verdict.chosen)
        touched = list(
            dict.fromkeys(chain.from_iterable((one.debit, one.credit) for one in applied.values()))
        )
        data: dict[str, Any] = ({"accounts": request.stories(touched)} if applied else {}) | said
        record = decision(TRANSFER, request.given, verdict)
        entry_type = "ledger.transferred" if applied else "ledger.refused"
        entry = batch.unit.record(entry_type, "ledger", data, by, decision=record)
        request.write(applied, accounts, touched, entry)
    return [
        _answer(one.id, result, detail, request.told_before(one.id) if result == "exists" else entry)
        for one, (result, detail) in zip(transfers, verdict.chosen, strict=True)
    ]


def _answer(public_id: str, result: Any, detail: int | str | None, entry: int | None) -> TransferResult:
    if isinstance(detail, int):
        return TransferResult(id=public_id, result=result, amount=detail, entry=entry)
    return TransferResult(id=public_id, result=result, field=detail, entry=entry)


class _Applied(NamedTuple):
    """A transfer that is applied, how much it moves, and between which places."""

    transfer: Transfer
    amount: int
    debit: int
    credit: int


class _Request:
    """Transfers that are asked for, and what the rule is told about them."""

    def __init__(self, batch: Batch, transfers: tuple[Transfer, ...], tenant: str) -> None:
        self._batch, self._tenant, self._transfers = batch, tenant, transfers
        self._places: dict[AccountKey, int] = {}
        self._views: list[AccountView | None] = []
        self._accounts: list[Account] = []
        self._found = self._find()
        told = list(map(self._told, transfers))
        known = {one.id: _described(self._found[one.id]) for one in transfers if one.id in self._found}
        pending = {
            one.pending: self._reserved(one.pending) for one in transfers if one.pending in self._found
        }
        self.given: dict[str, Any] = {
            "now_us": batch.at_us,
            "accounts": self._accounts,
            "transfers": told,
            "known": known,
            "pending": {key: one for key, one in pending.items() if one is not None},
        }
        if any(one.corrects for one in transfers):
            self.given["originals"] = originals(batch, transfers, self._found, self._place)

    def check_closings(self) -> None:
        """Conflict where an account is to be closed that attempts pay, or are paid by: they could not be settled."""
        closings = [
            (place, one.debit if one.closes == "debit" else one.credit, one.unit)
            for place, one in enumerate(self._transfers)
            if one.closes is not None and one.id not in self._found
        ]
        in_use = self._in_use() if closings else {}
        for place, account, unit in closings:
            number = in_use.get((account, unit))
            if number is not None:
                text = f"{account} has something reserved for job number {number}; close it later"
                raise Conflict(text, field=f"transfers[{place}].closes")

    def _in_use(self) -> dict[tuple[str | None, str | None], int]:
        """The accounts, each with its unit, that attempts are to pay or be paid from; and the job of one of these."""
        charges = chain(self._batch.state.billing.open.values(), self._batch.unsettled)
        jobs = {charge.unit: charge.number for charge in charges if charge.tenant == self._tenant}
        return {
            (account, unit): number
            for unit, number in jobs.items()
            for account in (payer_of(self._tenant), OPERATOR)
        }

    def told_before(self, text: str) -> int:
        """The entry that has applied a transfer: before, or in this request."""
        view = self._found.get(text) or self._batch.unit.ledger.transfers[self._tenant, transfer_bytes(text)]
        return view.transfer.entry

    def applied(self, chosen: list[list[Any]]) -> dict[str, _Applied]:
        """By id what is applied: of those that share an id at most one is, and others may have been refused."""
        found: dict[str, _Applied] = {}
        for one, told, (result, amount) in zip(self._transfers, self.given["transfers"], chosen, strict=True):
            if result == "applied":
                found[one.id] = _Applied(one, amount, *self._sides(one, told, found))
        return found

    def stories(self, places: list[int]) -> list[list[Any]]:
        """Each of these accounts, and the last entry about it."""
        views = [self._view(place) for place in places]
        return [[view.account.name, view.account.unit, view.balance.entry] for view in views]

    def write(
        self, applied: dict[str, _Applied], accounts: list[Account], touched: list[int], entry: int
    ) -> None:
        """The rows of what is applied."""
        for one in applied.values():
            self._write_transfer(one, entry)
        for place in touched:
            view = self._view(place)
            _, _, *columns, closed_by = accounts[place]
            closing = None if closed_by is None else transfer_bytes(closed_by)
            balance = BalanceRow._make((view.account.number, *columns, closing, entry))
            key = self._tenant, view.account.name, view.account.unit
            _put(self._batch, key, AccountView(view.account, balance))

    def _find(self) -> dict[str, TransferView]:
        """The transfers that were applied before and that these are, or resolve, as of this batch."""
        wanted = {text for one in self._transfers for text in (one.id, one.pending, one.corrects)}
        ids = [transfer_bytes(text) for text in wanted if text]
        changes = self._batch.unit.ledger
        found = self._batch.state.store.find_transfers(self._tenant, ids)
        found |= {
            key: changes.transfers[self._tenant, key]
            for key in ids
            if (self._tenant, key) in changes.transfers
        }
        return {
            transfer_text(key): view._replace(
                resolved=changes.resolved.get(view.transfer.number, view.resolved)
            )
            for key, view in found.items()
        }

    def _told(self, transfer: Transfer) -> dict[str, Any]:
        told: dict[str, Any] = {"id": transfer.id}
        if transfer.debit is not None and transfer.credit is not None:
            told["debit"], told["credit"] = self._places_of(transfer)
        if transfer.phase != "single":
            told["phase"] = transfer.phase
        if transfer.timeout_seconds is not None:
            told["timeout_us"] = transfer.timeout_seconds * 1_000_000
        for name in ("amount", "pending", "balancing", "closes", "corrects"):
            value = getattr(transfer, name)
            if value is not None:
                told[name] = value
        if transfer.linked:
            told["linked"] = True
        return told

    def _sides(
        self, transfer: Transfer, told: dict[str, Any], before: dict[str, _Applied]
    ) -> tuple[int, int]:
        """The places of the accounts to debit and to credit: its own, or those of what it resolves or corrects."""
        if "debit" in told:
            return told["debit"], told["credit"]
        if transfer.corrects is not None:
            original = self._found[transfer.corrects]
            return self._place(original.credit, original.unit), self._place(original.debit, original.unit)
        assert transfer.pending is not None
        found = self._found.get(transfer.pending)
        if found is not None:
            return self._places_of(found)
        return before[transfer.pending][2:]

    def _places_of(self, transfer: Transfer | TransferView) -> tuple[int, int]:
        return self._place(transfer.debit, transfer.unit), self._place(transfer.credit, transfer.unit)

    def _place(self, name: str | None, unit: str | None) -> int:
        assert name is not None
        assert unit is not None
        key = self._tenant, name, unit
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self._views)
            view = self._batch.state.ledger.find(key)
            self._views.append(view)
            self._accounts.append([name, unit] if view is None else [name, unit, *_stands(view.balance)])
        return place

    def _view(self, place: int) -> AccountView:
        view = self._views[place]
        assert view is not None, "an account that is touched exists"
        return view

    def _reserved(self, text: str) -> dict[str, Any] | None:
        """What the rule is told of a transfer that is to be resolved; None when it was never pending."""
        view = self._found[text]
        row = view.transfer
        if row.phase != "pending":
            return None
        told: dict[str, Any] = {
            "debit": self._place(view.debit, view.unit),
            "credit": self._place(view.credit, view.unit),
            "amount": row.amount,
            "state": "pending" if view.resolved is None else view.resolved.state,
        }
        if row.expires_us is not None:
            told["expires_us"] = row.expires_us
        return told

    def _write_transfer(self, applied: _Applied, entry: int) -> None:
        batch, unit = self._batch, self._batch.unit
        transfer, amount, *sides = applied
        number, batch.state.ledger.next_transfer = (
            batch.state.ledger.next_transfer,
            batch.state.ledger.next_transfer + 1,
        )
        debit, credit = (self._view(place).account for place in sides)
        reserved = None
        if transfer.pending is not None:
            key = self._tenant, transfer_bytes(transfer.pending)
            reserved = unit.ledger.transfers.get(key) or self._found[transfer.pending]
            resolved = ResolvedRow(reserved.transfer.number, _RESOLVES[transfer.phase], amount, entry)
            unit.ledger.resolve(reserved.transfer, resolved)
        original = None
        if transfer.corrects is not None:
            original = transfer_bytes(transfer.corrects)
            correct(batch, self._found[transfer.corrects].transfer, amount)
        expires_us = None
        if transfer.timeout_seconds is not None:
            expires_us = batch.at_us + transfer.timeout_seconds * 1_000_000
            batch.state.ledger.note_expiry(expires_us)
        if transfer.phase == "pending":
            unit.ledger.pending[PendingRow(number, expires_us)] = True
        row = TransferRow(
            number, self._tenant, transfer_bytes(transfer.id), transfer.phase, debit.number, credit.number, amount,
            transfer.amount, None if reserved is None else reserved.transfer.number, expires_us,
            transfer.balancing, transfer.closes, batch.at_us, entry, original,
        )  # fmt: skip
        pending = None if reserved is None else reserved.transfer.id
        view = TransferView(row, debit.name, credit.name, debit.unit, debit.scale, pending, None)
        unit.ledger.transfers[self._tenant, row.id] = view


def expire(batch: Batch) -> None:
    """End the pending transfers whose time is over, in the order in which it is; at the beginning of a batch."""
    due = batch.state.store.expiring_transfers(batch.at_us, _EXPIRED_AT_ONCE)
    tenants: dict[str, list[TransferView]] = {}
    for view in due:
        tenants.setdefault(view.transfer.tenant, []).append(view)
    for tenant, views in tenants.items():
        _expire(batch, tenant, views)
    batch.expired, batch.more = True, batch.more or bool(due)


def _expire(batch: Batch, tenant: str, views: list[TransferView]) -> None:
    ledger, before = batch.state.ledger, dict[AccountKey, AccountView]()
    after: dict[AccountKey, BalanceRow] = {}
    for view in views:
        row = view.transfer
        # Not before it is due: what is reserved until then is somebody's.
        assert row.expires_us is not None
        assert row.expires_us <= batch.at_us
        keys = (tenant, view.debit, view.unit), (tenant, view.credit, view.unit)
        for key in keys:
            if key not in before:
                found = ledger.find(key)
                assert found is not None, "an account with a transfer exists"
                before[key], after[key] = found, found.balance
            if after[key].closed_by == row.id:
                after[key] = after[key]._replace(closed_by=None)
        giver, taker = (after[key] for key in keys)
        after[keys[0]] = giver._replace(debits_pending=giver.debits_pending - row.amount)
        after[keys[1]] = taker._replace(credits_pending=taker.credits_pending - row.amount)
    data = {
        "transfers": [transfer_text(view.transfer.id) for view in views],
        "accounts": [[name, unit, view.balance.entry] for (_, name, unit), view in before.items()],
    }
    entry = batch.unit.record("ledger.expired", "ledger", data, replace(ENGINE, tenant=tenant))
    for view in views:
        row = view.transfer
        batch.unit.ledger.resolve(row, ResolvedRow(row.number, "expired", 0, entry))
    for key, view in before.items():
        _put(batch, key, AccountView(view.account, after[key]._replace(entry=entry)))


def _put(batch: Batch, key: AccountKey, view: AccountView) -> None:
    batch.unit.ledger.balances[view.account.number] = view.balance
    batch.state.ledger.put(key, view, batch.unit.ledger)


def _stands(balance: BalanceRow) -> tuple[Any, ...]:
    return *balance[1:5], None if balance.closed_by is None else transfer_text(balance.closed_by)


def _described(view: TransferView) -> dict[str, Any]:
    """A transfer as it was asked for, and what it moved: what the rule compares where its id is used again."""
    row = view.transfer
    told: dict[str, Any] = {"moved": row.amount}
    if row.corrects is not None:
        told["corrects"] = transfer_text(row.corrects)
    elif view.pending is None:
        told |= {"debit": view.debit, "credit": view.credit, "unit": view.unit}
    else:
        told["pending"] = transfer_text(view.pending)
    if row.phase != "single":
        told["phase"] = row.phase
    if row.expires_us is not None:
        told["timeout_us"] = row.expires_us - row.at_us
    asked = {"amount": row.asked, "balancing": row.balancing, "closes": row.closes}
    return told | {name: value for name, value in asked.items() if value is not None}
