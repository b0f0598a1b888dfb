"""`sheratan price`: what attempts at jobs cost."""

from __future__ import annotations

from typing import Any

import click

from sheratan.cli.budget import in_minor_units
from sheratan.cli.output import draw_table, emit, line, talk
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.contracts import api
from sheratan.contracts.api import Transport
from sheratan.contracts.jobs import KindDescription
from sheratan.contracts.prices import PriceRecord
from sheratan.kernel.accounts import format_amount

__all__ = ["price"]

_HEADERS = ("KIND", "COSTS", "UNIT", "METERED", "SHARED", "ENTRY")
_reason = click.option("--reason", default="", help="Why; it goes into the journal.")


@click.group()
def price() -> None:
    """Say what attempts at jobs cost."""


@price.command("list")
@command_options
def list_prices(session: Session) -> None:
    """List what attempts at jobs cost, by kind."""
    found: list[PriceRecord] = ask(
        session, lambda transport: transport.call(request(api.ListPrices)), offline=True
    )
    emit(session, found, lambda: draw_table(_HEADERS, [_row(one) for one in found]))


@price.command("set")
@click.argument("kind")
@click.argument("amount")
@click.option("--unit", required=True, metavar="UNIT", help="In what it is paid, such as credits or EUR.")
@click.option("--metered", is_flag=True, help="The handler says what it has cost; AMOUNT is the most.")
@click.option("--worker-share", is_flag=True, help="A share of it goes on to the worker, worker:NAME.")
@_reason
@command_options
def set_price(session: Session, kind: str, amount: str, unit: str, **given: Any) -> None:
    """An attempt at a job of KIND that succeeds costs AMOUNT from now on, such as 0.50.

    So much is reserved from the tenant's account before an attempt starts; where there is not enough, its jobs wait.
    """

    async def work(transport: Transport) -> int:
        minor = await in_minor_units(transport, [(amount, unit)])
        wanted = request(api.SetPrice, kind=kind, unit=unit, amount=minor[unit], **given)
        entry: int = await transport.call(wanted)
        await _note_unknown(transport, kind)
        return entry

    entry = ask(session, work)
    most = "at most " if given["metered"] else ""
    told = f"{kind} costs {most}{amount} {unit} (entry {entry})"
    emit(session, {"kind": kind, "entry": entry}, lambda: line(told))


async def _note_unknown(transport: Transport, kind: str) -> None:
    """A price of a name that is mistyped would let jobs run that nobody pays for."""
    found: list[KindDescription] = await transport.call(request(api.ListKinds))
    names = sorted({one.name for one in found})
    if kind not in names:
        talk(
            f"note: no worker has offered {kind} since the server started; offered: {', '.join(names) or 'none'}"
        )


@price.command("remove")
@click.argument("kind")
@_reason
@command_options
def remove_price(session: Session, kind: str, reason: str) -> None:
    """Attempts at jobs of KIND cost nothing from now on."""
    wanted = request(api.RemovePrice, kind=kind, reason=reason)
    entry: int = ask(session, lambda transport: transport.call(wanted))
    emit(session, {"kind": kind, "entry": entry}, lambda: line(f"{kind} costs nothing (entry {entry})"))


def _row(one: PriceRecord) -> tuple[object, ...]:
    amount = format_amount(one.amount, one.scale)
    shared = "yes" if one.worker_share else "no"
    return one.kind, amount, one.unit, "yes" if one.metered else "no", shared, one.entry
