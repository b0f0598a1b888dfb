"""`sheratan budget`: how much the jobs of a tenant, a queue, a kind or a partition may spend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import click

from sheratan.cli.output import draw_table, emit, line, talk
from sheratan.cli.reach import ask, request
from sheratan.cli.session import Session, command_options
from sheratan.cli.text import instant
from sheratan.contracts import api
from sheratan.contracts.api import Transport
from sheratan.contracts.ledger import ISSUE, AccountRecord
from sheratan.contracts.prices import PriceRecord
from sheratan.contracts.spending import BudgetRecord, Window
from sheratan.kernel.accounts import format_amount, parse_amount

__all__ = ["budget", "in_minor_units", "job_budget_option"]

_HEADERS = ("BUDGET OF", "UNIT", "AMOUNT", "PER", "SPENT", "RESERVED", "LEFT", "UNTIL", "ENTRY")
_reason = click.option("--reason", default="", help="Why; it goes into the journal.")
_unit = click.option(
    "--unit", required=True, metavar="UNIT", help="In what it is spent, such as credits or EUR."
)


@click.group()
def budget() -> None:
    """Say how much jobs may spend. SUBJECT is tenant:NAME, queue:NAME, kind:NAME or partition:NAME."""


@budget.command("list")
@command_options
def list_budgets(session: Session) -> None:
    """List how much jobs may spend, and how much of it is used."""
    _draw(session, None)


@budget.command("show")
@click.argument("subject")
@command_options
def show_budget(session: Session, subject: str) -> None:
    """Show how much the jobs of SUBJECT may spend in each unit, and how much of it is used."""
    _draw(session, subject)


@budget.command("set")
@click.argument("subject")
@click.argument("amount")
@_unit
@click.option(
    "--per",
    type=click.Choice(get_args(Window)),
    help="A part of the calendar in UTC, each of which has this budget; else it is for all that is spent from now on.",
)
@_reason
@command_options
def set_budget(
    session: Session, subject: str, amount: str, unit: str, per: Window | None, reason: str
) -> None:
    """The jobs of SUBJECT spend at most AMOUNT from now on, such as 25.00.

    What attempts that run may cost counts as spent until they end. An attempt that would go over waits.
    """

    async def work(transport: Transport) -> int:
        given = await in_minor_units(transport, ((amount, unit),))
        wanted = request(
            api.SetBudget, subject=subject, amount=given[unit], unit=unit, per=per, reason=reason
        )
        entry: int = await transport.call(wanted)
        await _note_free(transport, subject, unit)
        return entry

    entry = ask(session, work)
    window = f" per {per}" if per else ""
    told = f"{subject} spends at most {amount} {unit}{window} (entry {entry})"
    emit(session, {"subject": subject, "entry": entry}, lambda: line(told))


async def _note_free(transport: Transport, subject: str, unit: str) -> None:
    """A budget bounds nothing where no price is in its unit."""
    prices: list[PriceRecord] = await transport.call(request(api.ListPrices))
    what, _, name = subject.partition(":")
    priced = [one.kind for one in prices if one.unit == unit and (what != "kind" or one.kind == name)]
    if not priced:
        whose = name if what == "kind" else "no kind"
        has = "has no price" if what == "kind" else "has a price"
        talk(f"note: {whose} {has} in {unit}, so nothing counts for this budget; see `sheratan price set`")


@budget.command("remove")
@click.argument("subject")
@_unit
@_reason
@command_options
def remove_budget(session: Session, subject: str, unit: str, reason: str) -> None:
    """The jobs of SUBJECT spend as much as there is from now on."""
    wanted = request(api.RemoveBudget, subject=subject, unit=unit, reason=reason)
    entry: int = ask(session, lambda transport: transport.call(wanted))
    told = f"{subject} has no budget in {unit} (entry {entry})"
    emit(session, {"subject": subject, "entry": entry}, lambda: line(told))


job_budget_option = click.option(
    "--budget",
    nargs=2,
    multiple=True,
    metavar="AMOUNT UNIT",
    help="What all of its attempts may cost together, such as 2.50 EUR (repeatable, one per unit).",
)


async def in_minor_units(transport: Transport, given: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Amounts as people write them, each with its unit, as minor units by unit."""
    found: dict[str, int] = {}
    for amount, unit in given:
        issue: AccountRecord = await transport.call(request(api.GetAccount, account=ISSUE, unit=unit))
        found[unit] = parse_amount(amount, issue.scale)
    return found


def _draw(session: Session, subject: str | None) -> None:
    found: list[BudgetRecord] = ask(
        session, lambda transport: transport.call(request(api.ListBudgets)), offline=True
    )
    found = [one for one in found if subject in (None, one.subject)]
    emit(session, found, lambda: draw_table(_HEADERS, [_row(one) for one in found]))


def _row(one: BudgetRecord) -> tuple[object, ...]:
    left = max(0, one.amount - one.charged - one.reserved)
    amounts = (one.charged, one.reserved, left)
    told = [format_amount(amount, one.scale) for amount in amounts]
    amount = format_amount(one.amount, one.scale)
    return one.subject, one.unit, amount, one.per or "-", *told, instant(one.ends_us), one.entry
