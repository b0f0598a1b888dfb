"""Accounts and transfers as the command line draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sheratan.cli.output import draw_pairs, draw_table
from sheratan.cli.text import instant
from sheratan.contracts.ledger import AccountRecord, TransferRecord
from sheratan.kernel.accounts import format_amount

__all__ = ["draw_account", "draw_accounts", "draw_transfer", "draw_transfers"]

_ACCOUNT_HEADERS = ("ACCOUNT", "UNIT", "AVAILABLE", "DEBITED", "CREDITED", "RESERVED", "EXPECTED", "STATE")
_TRANSFER_HEADERS = ("TRANSFER", "AT", "PHASE", "STATE", "DEBIT", "CREDIT", "AMOUNT", "UNIT")


def draw_accounts(found: Sequence[AccountRecord]) -> None:
    """A table of accounts."""
    draw_table(_ACCOUNT_HEADERS, [_account_row(one) for one in found])


def draw_account(found: AccountRecord) -> None:
    """One account."""
    draw_pairs(_account_pairs(found))


def draw_transfers(found: Sequence[TransferRecord]) -> None:
    """A table of transfers."""
    draw_table(_TRANSFER_HEADERS, [_transfer_row(one) for one in found])


def draw_transfer(found: TransferRecord) -> None:
    """One transfer."""
    draw_pairs(_transfer_pairs(found))


def _state(one: AccountRecord) -> str:
    return "closed" if one.is_closed else "open"


def _account_row(one: AccountRecord) -> tuple[object, ...]:
    amounts = (one.available, one.debits_posted, one.credits_posted, one.debits_pending, one.credits_pending)
    return one.account, one.unit, *(format_amount(amount, one.scale) for amount in amounts), _state(one)


def _account_pairs(one: AccountRecord) -> Iterator[tuple[str, object]]:
    yield "account", one.account
    yield "unit", f"{one.unit}, {one.scale} digits after the point"
    yield "state", _state(one)
    yield "available", format_amount(one.available, one.scale)
    yield (
        "debited",
        f"{format_amount(one.debits_posted, one.scale)}, and {format_amount(one.debits_pending, one.scale)} reserved",
    )
    yield (
        "credited",
        f"{format_amount(one.credits_posted, one.scale)}, and {format_amount(one.credits_pending, one.scale)} expected",
    )
    if one.reliability is not None:
        known = one.reliability
        yield "reliability", f"{known.success_permille / 10:g} % succeed, in {known.latency_ms} ms"
        yield "margin", f"{known.margin_permille / 10:g} % of what its next attempt is charged"
    yield "opened", instant(one.opened_us)
    yield "newest entry", one.entry


def _transfer_row(one: TransferRecord) -> tuple[object, ...]:
    amount = format_amount(one.amount, one.scale)
    return one.id, instant(one.at_us), one.phase, one.state, one.debit, one.credit, amount, one.unit


def _transfer_pairs(one: TransferRecord) -> Iterator[tuple[str, object]]:
    yield "transfer", one.id
    yield "phase", one.phase
    yield "state", one.state if one.resolved_by is None else f"{one.state} (entry {one.resolved_by})"
    yield "debit", one.debit
    yield "credit", one.credit
    yield "amount", f"{format_amount(one.amount, one.scale)} {one.unit}"
    if one.asked is not None:
        yield "asked for", format_amount(one.asked, one.scale)
    if one.posted is not None:
        yield "posted", format_amount(one.posted, one.scale)
    if one.pending is not None:
        yield "resolves", one.pending
    if one.corrects is not None:
        yield "corrects", one.corrects
    if one.corrected:
        yield "corrected", format_amount(one.corrected, one.scale)
    if one.expires_us is not None:
        yield "expires", instant(one.expires_us)
    if one.closes is not None:
        yield "closes", f"the account to {one.closes}"
    yield "applied", f"{instant(one.at_us)} (entry {one.entry})"
