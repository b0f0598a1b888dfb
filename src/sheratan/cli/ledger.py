"""`sheratan ledger`: accounts, and what moves between them."""

from __future__ import annotations

import secrets
import time
from typing import Any

import click
import msgspec

from sheratan.cli.ledger_tables import draw_account, draw_accounts, draw_transfer, draw_transfers
from sheratan.cli.output import draw_table, emit, line, talk, write
from sheratan.cli.pages import iterate_pages, page_options, show_pages
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.values import DURATION
from sheratan.contracts import api
from sheratan.contracts.api import Transport
from sheratan.contracts.errors import SheratanError
from sheratan.contracts.ledger import ISSUE, AccountRecord, TransferRecord, TransferResult, transfer_id
from sheratan.contracts.ledger_requests import LedgerFinding
from sheratan.contracts.prices import Charge
from sheratan.contracts.refunds import job_refunds
from sheratan.kernel.accounts import format_amount, parse_amount

__all__ = ["ledger"]

_EXPORTED_AT_ONCE = 500

_unit = click.option("--unit", required=True, metavar="UNIT", help="What is counted, such as credits or EUR.")
_reason = click.option("--reason", default="", help="Why; it goes into the journal.")
_id = click.option(
    "--id", "public_id", metavar="ID", help="The transfer's id; asking again under it moves nothing twice."
)
_name = click.option(
    "--name", metavar="NAME", help="A name of your own in place of an id, such as invoice-4711."
)


@click.group()
def ledger() -> None:
    """Keep accounts in credits, tokens or money, and move amounts between them."""


@ledger.command()
@click.option("--unit", metavar="UNIT", help="Only accounts of this unit.")
@page_options("Accounts")
@command_options
def accounts(session: Session, **wanted: Any) -> None:
    """List accounts: what is available, what was debited and credited, what is reserved and expected."""
    show_pages(session, api.ListAccounts, lambda page: draw_accounts(page.items), **wanted)


@ledger.command("open")
@click.argument("account")
@_unit
@click.option(
    "--scale", type=int, help="Digits after the decimal point; the unit's first account fixes them."
)
@_reason
@command_options
def open_account(session: Session, account: str, unit: str, scale: int | None, reason: str) -> None:
    """Open ACCOUNT: operator, or tenant:, worker:, provider: or system: and a name. Only the system's may owe."""
    wanted = request(api.OpenAccount, account=account, unit=unit, scale=scale, reason=reason)
    entry: int = ask(session, lambda transport: transport.call(wanted))
    told = {"account": account, "unit": unit, "entry": entry}
    emit(session, told, lambda: line(f"{account} in {unit} is open (entry {entry})"))


@ledger.command()
@click.argument("what", metavar="ACCOUNT|TRANSFER")
@click.option("--unit", metavar="UNIT", help="The account's unit.")
@command_options
def show(session: Session, what: str, unit: str | None) -> None:
    """Show an account of a unit, or a transfer by its id."""
    if what.startswith("transfer_"):
        of = request(api.GetTransfer, id=what)
        transfer: TransferRecord = ask(session, lambda transport: transport.call(of), offline=True)
        emit(session, transfer, lambda: draw_transfer(transfer))
        return
    if unit is None:
        raise click.UsageError("Say which account is meant with --unit.")
    wanted = request(api.GetAccount, account=what, unit=unit)
    account: AccountRecord = ask(session, lambda transport: transport.call(wanted), offline=True)
    emit(session, account, lambda: draw_account(account))


@ledger.command()
@click.argument("account", required=False)
@click.option("--unit", metavar="UNIT", help="The account's unit.")
@page_options("Transfers")
@command_options
def transfers(session: Session, **wanted: Any) -> None:
    """List transfers, of ACCOUNT or all, oldest first."""
    show_pages(session, api.ListTransfers, lambda page: draw_transfers(page.items), **wanted)


@ledger.command()
@click.argument("account")
@click.argument("amount")
@_unit
@_id
@_name
@_reason
@command_options
def grant(session: Session, account: str, amount: str, unit: str, reason: str, **named: Any) -> None:
    """Bring AMOUNT into being on ACCOUNT. It comes from system:issue, which owes what all others have."""
    told = {"debit": ISSUE, "credit": account, "unit": unit, "id": _named(**named)}
    _move(session, account, amount, told, reason)


@ledger.command()
@click.argument("debit")
@click.argument("credit")
@click.argument("amount")
@_unit
@click.option(
    "--pending", is_flag=True, help="Reserve it; `ledger post` moves it, `ledger void` gives it back."
)
@click.option(
    "--timeout", type=DURATION, help="Give it back by itself after so long; whole seconds, with --pending."
)
@click.option(
    "--balancing", type=click.Choice(["debit", "credit"]), help="As much of it as this side can give."
)
@click.option(
    "--closes", type=click.Choice(["debit", "credit"]), help="Close this account while it is pending."
)
@_id
@_name
@_reason
@command_options
def transfer(session: Session, debit: str, credit: str, amount: str, **given: Any) -> None:
    """Move AMOUNT from the account DEBIT to the account CREDIT."""
    timeout = given["timeout"]
    told = {
        "debit": debit,
        "credit": credit,
        "unit": given["unit"],
        "phase": "pending" if given["pending"] else "single",
        "timeout_seconds": timeout if timeout is None or timeout % 1 else int(timeout),
        "balancing": given["balancing"],
        "closes": given["closes"],
        "id": _named(given["public_id"], given["name"]),
    }
    _move(session, debit, amount, told, given["reason"])


@ledger.command()
@click.argument("pending", metavar="TRANSFER")
@click.argument("amount", required=False)
@_id
@_name
@_reason
@command_options
def post(
    session: Session, pending: str, amount: str | None, public_id: str | None, name: str | None, reason: str
) -> None:
    """Move what a pending TRANSFER reserves, or AMOUNT of it; the rest is free again."""
    told = {"phase": "post", "pending": pending, "id": _named(public_id, name)}
    _refer(session, "pending", amount, told, reason)


@ledger.command()
@click.argument("pending", metavar="TRANSFER")
@_id
@_name
@_reason
@command_options
def void(session: Session, pending: str, public_id: str | None, name: str | None, reason: str) -> None:
    """Give back what a pending TRANSFER reserves."""
    told = {"phase": "void", "pending": pending, "id": _named(public_id, name)}
    _refer(session, "pending", None, told, reason)


@ledger.command()
@click.argument("original", metavar="[TRANSFER]", required=False)
@click.option("--job", metavar="JOB", help="Give back what the attempts at this job were charged.")
@click.option("--amount", metavar="AMOUNT", help="So much of it; else all that did not go back yet.")
@click.option("--with-share", is_flag=True, help="With --job: the worker gives its share of it back, too.")
@click.option("--reason", required=True, help="Why; it goes into the journal.")
@_id
@_name
@command_options
def refund(session: Session, original: str | None, job: str | None, reason: str, **given: Any) -> None:
    """Undo TRANSFER, or so much of it, by a new transfer that goes the other way."""
    if (original is None) == (job is None):
        raise click.UsageError("Name a transfer, or a job with --job.")
    if job is None:
        told = {"corrects": original, "id": _named(given["public_id"], given["name"])}
        _refer(session, "corrects", given["amount"], told, reason)
        return
    if given["public_id"] is not None:
        raise click.UsageError("Each attempt is refunded by a transfer of its own; give them a --name.")
    name = given["name"] or _new_id()

    async def work(transport: Transport) -> tuple[list[TransferResult], list[int]]:
        charges: list[Charge] = await transport.call(request(api.ListCharges, id=job))
        scales = {one.settlement: one.scale for one in charges} | {one.payout: one.scale for one in charges}
        scale = max((one.scale for one in charges), default=0)
        minor = None if given["amount"] is None else parse_amount(given["amount"], scale)
        wanted = job_refunds(charges, name=name, amount=minor, with_share=given["with_share"])
        results: list[TransferResult] = await transport.call(
            request(api.ApplyTransfers, transfers=wanted, reason=reason)
        )
        return results, [scales[one.corrects] for one in wanted]

    _say_each(session, *ask(session, work))


@ledger.command()
@command_options
def check(session: Session) -> None:
    """Reconcile the ledger: list what does not add up, and exit 1 if anything does not."""
    wanted = request(api.CheckLedger)
    found: list[LedgerFinding] = ask(session, lambda transport: transport.call(wanted), offline=True)
    rows = [(one.check, one.about, one.text) for one in found]
    emit(
        session, found, lambda: draw_table(("CHECK", "ABOUT", "WHAT"), rows) if rows else line("all adds up")
    )
    if found:
        click.get_current_context().exit(1)


@ledger.command()
@command_options
def export(session: Session) -> None:
    """Write every transfer as a line of JSON, oldest first."""

    async def work(transport: Transport) -> int:
        count = 0
        async for page in iterate_pages(transport, request(api.ListTransfers, limit=_EXPORTED_AT_ONCE)):
            write(b"".join(msgspec.json.encode(one) + b"\n" for one in page.items))
            count += len(page.items)
        return count

    talk(f"exported {ask(session, work, offline=True)} transfers")


def _named(public_id: str | None, name: str | None) -> str:
    if public_id is not None and name is not None:
        raise click.UsageError("Name the transfer with --id or with --name.")
    return public_id or (transfer_id(name) if name else _new_id())


def _new_id() -> str:
    """One that begins with the time, so that the index of ids grows at its end."""
    return f"transfer_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def _move(session: Session, whose: str, amount: str, told: dict[str, Any], reason: str) -> None:
    async def work(transport: Transport) -> tuple[TransferResult, int]:
        account: AccountRecord = await transport.call(
            request(api.GetAccount, account=whose, unit=told["unit"])
        )
        return await _apply(
            transport, told | {"amount": parse_amount(amount, account.scale)}, reason
        ), account.scale

    _say(session, *ask(session, work))


def _refer(session: Session, field: str, amount: str | None, told: dict[str, Any], reason: str) -> None:
    """Apply a transfer that names another one in a field, which knows the accounts."""

    async def work(transport: Transport) -> tuple[TransferResult, int]:
        other: TransferRecord = await transport.call(request(api.GetTransfer, id=told[field]))
        scale = other.scale
        minor = None if amount is None else parse_amount(amount, scale)
        return await _apply(transport, told | {"amount": minor}, reason), scale

    _say(session, *ask(session, work))


async def _apply(transport: Transport, told: dict[str, Any], reason: str) -> TransferResult:
    given = {name: value for name, value in told.items() if value is not None}
    try:
        wanted = request(api.ApplyTransfers, transfers=[given], reason=reason)
        results: list[TransferResult] = await transport.call(wanted)
    except SheratanError as error:
        # There is only one, so whose field it is goes without saying.
        error.field = error.field and error.field.removeprefix("transfers[0].")
        raise
    found = results[0]
    if found.amount is None:
        story: api.Story = await transport.call(request(api.TellWhy, id=f"entry:{found.entry}"))
        talk(story.lines[-1].text)
    return found


def _say(session: Session, found: TransferResult, scale: int) -> None:
    emit(session, found, lambda: _draw(found, scale))
    if found.amount is None:
        click.get_current_context().exit(_REFUSED)


def _say_each(session: Session, found: list[TransferResult], scales: list[int]) -> None:
    def draw() -> None:
        for one, scale in zip(found, scales, strict=True):
            _draw(one, scale)

    emit(session, found, draw)
    if any(one.amount is None for one in found):
        click.get_current_context().exit(_REFUSED)


def _draw(found: TransferResult, scale: int) -> None:
    if found.amount is None:
        told = found.result.replace("_", " ") + (f" ({found.field})" if found.field else "")
    else:
        told = f"{found.result}, {format_amount(found.amount, scale)}"
    line(f"{found.id}: {told} (entry {found.entry})")


_REFUSED = 5
"""The exit code of a conflict."""
