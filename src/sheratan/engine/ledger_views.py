"""Accounts and transfers as people and programs see them."""

from __future__ import annotations

from msgspec.structs import replace

from sheratan.contracts.errors import InvalidInput, NotFound
from sheratan.contracts.ledger import (
    ISSUE,
    AccountRecord,
    AccountReliability,
    Phase,
    Side,
    TransferRecord,
    TransferState,
)
from sheratan.contracts.ledger_requests import (
    AccountPage,
    GetAccount,
    GetTransfer,
    LedgerFinding,
    ListAccounts,
    ListTransfers,
    TransferPage,
)
from sheratan.contracts.limits import Limits
from sheratan.contracts.values import convert
from sheratan.kernel.ledger_facts import transfer_bytes, transfer_text
from sheratan.kernel.margin import Reliability, margin_permille
from sheratan.store.ledger_rows import AccountView, CorrectedRow, TransferView
from sheratan.store.port import Reader

__all__ = [
    "account_record",
    "find_account",
    "find_transfer",
    "ledger_findings",
    "list_accounts",
    "list_transfers",
    "transfer_record",
]


def find_account(reader: Reader, tenant: str, name: str, unit: str) -> AccountView:
    """An account, or NotFound."""
    view = reader.ledger_account(tenant, name, unit)
    if view is None:
        # From the issue of a unit all of it comes: where that is missing, nobody has the unit.
        what, field = ("", "unit") if name == ISSUE else (f" {name}", "account")
        text = f"there is no account{what} in {unit}; `sheratan ledger open ACCOUNT --unit {unit}` opens one"
        raise NotFound(text, field=field)
    return view


def account_record(reader: Reader, tenant: str, request: GetAccount) -> AccountRecord:
    """An account as it stands, or NotFound."""
    record = _account(find_account(reader, tenant, request.account, request.unit))
    row = reader.reliability(tenant, request.account, request.unit)
    return record if row is None else replace(record, reliability=_reliability(Reliability(*row[3:])))


def _reliability(known: Reliability) -> AccountReliability:
    return AccountReliability(
        success_permille=known.success_permille,
        latency_ms=known.latency_ms,
        attempts=known.attempts,
        margin_permille=margin_permille(known.success_permille, known.latency_ms),
    )


def list_accounts(reader: Reader, tenant: str, request: ListAccounts, limits: Limits) -> AccountPage:
    """A page of accounts, in the order in which they were opened."""
    limit = _limit(request.limit, limits)
    views = reader.ledger_accounts(tenant, request.unit, int(request.cursor or 0), limit + 1)
    items = [_account(view) for view in views[:limit]]
    more = len(views) > limit
    return AccountPage(items=items, next_cursor=str(views[limit - 1].account.number) if more else None)


def find_transfer(reader: Reader, tenant: str, text: str) -> TransferView:
    """A transfer, or NotFound."""
    for view in reader.find_transfers(tenant, [transfer_bytes(text)]).values():
        return view
    raise NotFound(f"there is no {text}", field="id")


def transfer_record(reader: Reader, tenant: str, request: GetTransfer) -> TransferRecord:
    """A transfer as it stands, or NotFound."""
    return _transfers(reader, [find_transfer(reader, tenant, request.id)])[0]


def list_transfers(reader: Reader, tenant: str, request: ListTransfers, limits: Limits) -> TransferPage:
    """A page of transfers, in the order in which they were applied."""
    limit, account = _limit(request.limit, limits), None
    if (request.account is None) != (request.unit is None):
        raise InvalidInput("an account is named by its name and its unit", field="unit")
    if request.account is not None and request.unit is not None:
        account = find_account(reader, tenant, request.account, request.unit).account.number
    views = reader.list_transfers(tenant, account, int(request.cursor or 0), limit + 1)
    items = _transfers(reader, views[:limit])
    more = len(views) > limit
    return TransferPage(items=items, next_cursor=str(views[limit - 1].transfer.number) if more else None)


def ledger_findings(reader: Reader) -> list[LedgerFinding]:
    """Everything in the ledger's tables that does not add up."""
    return [
        LedgerFinding(check=check, about=about, text=text) for check, about, text in reader.ledger_findings()
    ]


def _limit(limit: int, limits: Limits) -> int:
    if limit > limits.list_jobs_max:
        text = f"{limit} is above {limits.list_jobs_max} (limits.list_jobs_max)"
        raise InvalidInput(text, field="limit")
    return limit


def _account(view: AccountView) -> AccountRecord:
    account, balance = view
    return AccountRecord(
        account=account.name,
        unit=account.unit,
        scale=account.scale,
        debits_pending=balance.debits_pending,
        debits_posted=balance.debits_posted,
        credits_pending=balance.credits_pending,
        credits_posted=balance.credits_posted,
        available=balance.credits_posted - balance.debits_posted - balance.debits_pending,
        is_closed=balance.closed_by is not None,
        opened_us=account.opened_us,
        entry=balance.entry,
    )


def _transfers(reader: Reader, views: list[TransferView]) -> list[TransferRecord]:
    corrected = reader.corrected([view.transfer.number for view in views])
    return [_transfer(view, corrected.get(view.transfer.number)) for view in views]


def _transfer(view: TransferView, corrected: CorrectedRow | None) -> TransferRecord:
    row, resolved = view.transfer, view.resolved
    state = row.phase if resolved is None else resolved.state
    return TransferRecord(
        id=transfer_text(row.id),
        phase=convert(row.phase, Phase),
        state=convert(_STATES.get(state, state), TransferState),
        debit=view.debit,
        credit=view.credit,
        unit=view.unit,
        scale=view.scale,
        amount=row.amount,
        asked=None if row.asked == row.amount else row.asked,
        pending=None if view.pending is None else transfer_text(view.pending),
        posted=None if resolved is None else resolved.amount,
        expires_us=row.expires_us,
        balancing=None if row.balancing is None else convert(row.balancing, Side),
        closes=None if row.closes is None else convert(row.closes, Side),
        corrects=None if row.corrects is None else transfer_text(row.corrects),
        corrected=0 if corrected is None else corrected.amount,
        at_us=row.at_us,
        entry=row.entry,
        resolved_by=None if resolved is None else resolved.entry,
    )


_STATES = {"single": "posted", "post": "posted", "void": "voided"}
"""What has become of a transfer that was never pending."""
