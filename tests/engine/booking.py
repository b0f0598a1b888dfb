"""Accounts and transfers in the tests' world."""

from __future__ import annotations

from typing import Any

from sheratan.contracts.ledger import AccountRecord, Transfer, TransferRecord, TransferResult
from sheratan.contracts.ledger_requests import ApplyTransfers, GetAccount, GetTransfer
from sheratan.contracts.values import convert
from sheratan.engine.commands import OpenAccount
from sheratan.engine.ledger_views import account_record, ledger_findings, transfer_record
from sheratan.engine.prepare_ledger import prepare_transfers
from tests.engine.world import World

__all__ = [
    "PAYER",
    "TAKER",
    "apply",
    "correction",
    "funded",
    "known",
    "move",
    "opened",
    "pending",
    "post",
    "record_of",
    "seen",
    "stands",
    "tid",
    "void",
]

PAYER, TAKER = "tenant:acme", "operator"
CREDITS = "credits"


def tid(number: int) -> str:
    """The id of a transfer."""
    return f"transfer_{number:032x}"


def opened(world: World, *names: str, unit: str = CREDITS, scale: int | None = None) -> list[int]:
    """Open accounts; returns the entries."""
    return [world.ask(OpenAccount(account=name, unit=unit, scale=scale, reason="")) for name in names]


def move(number: int, amount: int, debit: str = PAYER, credit: str = TAKER, **more: Any) -> Transfer:
    """A transfer to be."""
    told = {"id": tid(number), "amount": amount, "debit": debit, "credit": credit, "unit": CREDITS} | more
    return convert(told, Transfer)


def pending(number: int, amount: int, debit: str = PAYER, credit: str = TAKER, **more: Any) -> Transfer:
    """A reservation to be."""
    return move(number, amount, debit, credit, phase="pending", **more)


def post(number: int, of: int, amount: int | None = None, **more: Any) -> Transfer:
    """What moves a reservation, or a part of it."""
    return convert(
        {"id": tid(number), "phase": "post", "pending": tid(of), "amount": amount} | more, Transfer
    )


def void(number: int, of: int, **more: Any) -> Transfer:
    """What gives a reservation back."""
    return convert({"id": tid(number), "phase": "void", "pending": tid(of)} | more, Transfer)


def correction(number: int, of: int, amount: int | None = None, **more: Any) -> Transfer:
    """What undoes a transfer, or a part of it."""
    return convert({"id": tid(number), "corrects": tid(of), "amount": amount} | more, Transfer)


def apply(world: World, *transfers: Transfer, reason: str = "") -> list[TransferResult]:
    """Apply transfers in one request."""
    request = ApplyTransfers(transfers=list(transfers), reason=reason)
    results: list[TransferResult] = world.ask(prepare_transfers(request, world.limits))
    return results


def seen(world: World, *transfers: Transfer) -> list[tuple[str, int | str | None]]:
    """What becomes of transfers in one request: the result, and the amount or the field that is wrong."""
    return [(one.result, one.field if one.amount is None else one.amount) for one in apply(world, *transfers)]


def funded(world: World, amount: int = 1_000) -> None:
    """A payer that has something, and who may get it."""
    opened(world, PAYER, TAKER)
    assert seen(world, move(0, amount, "system:issue", PAYER)) == [("applied", amount)]


def known(world: World, name: str, unit: str = CREDITS) -> AccountRecord:
    """An account as it stands."""
    return account_record(world.store, "default", GetAccount(account=name, unit=unit))


def stands(world: World, name: str, unit: str = CREDITS) -> tuple[int, int, int, int]:
    """Debits pending and posted, credits pending and posted; and all that is wrong is told."""
    assert ledger_findings(world.store) == []
    record = known(world, name, unit)
    return record.debits_pending, record.debits_posted, record.credits_pending, record.credits_posted


def record_of(world: World, number: int) -> TransferRecord:
    """A transfer as it stands."""
    return transfer_record(world.store, "default", GetTransfer(id=tid(number)))
