"""Transfers at the edge: whether each says what its phase needs, and no more."""

from __future__ import annotations

from typing import Final

from sheratan.contracts.errors import InvalidInput, TooLarge
from sheratan.contracts.ledger import Transfer
from sheratan.contracts.ledger_requests import ApplyTransfers
from sheratan.contracts.limits import Limits
from sheratan.engine import ledger_commands as commands
from sheratan.kernel.billing import is_of_attempt
from sheratan.kernel.ledger_facts import transfer_bytes

__all__ = ["prepare_transfers"]

_OF_MOVES: Final = ("debit", "credit", "unit", "amount")
_OF_RESERVATIONS: Final = ("timeout_seconds", "closes")
_NOT_OF_RESOLUTIONS: Final = ("debit", "credit", "unit", "balancing", "corrects", *_OF_RESERVATIONS)
_NOT_OF_CORRECTIONS: Final = ("debit", "credit", "unit", "balancing", "pending", *_OF_RESERVATIONS)


def prepare_transfers(request: ApplyTransfers, limits: Limits) -> commands.ApplyTransfers:
    """Checked transfers; a refusal names the first one that is wrong, and its field."""
    most = limits.transfers_max
    if len(request.transfers) > most:
        text = f"{len(request.transfers)} transfers; at most {most} (limits.transfers_max)"
        raise TooLarge(text, field="transfers")
    for place, transfer in enumerate(request.transfers):
        field, text = _fault(transfer, limits)
        if field:
            raise InvalidInput(text, field=f"transfers[{place}].{field}")
    return commands.ApplyTransfers(transfers=tuple(request.transfers), reason=request.reason)


def _fault(transfer: Transfer, limits: Limits) -> tuple[str, str]:
    """The field that is wrong, and in which way; empty when none is."""
    for name in ("id", "pending"):
        text = getattr(transfer, name)
        if text is not None and is_of_attempt(transfer_bytes(text)):
            return (
                name,
                "transfers whose ids begin so are those of attempts at jobs, which make and resolve them",
            )
    if transfer.phase in ("post", "void"):
        return _resolution_fault(transfer)
    if transfer.corrects is not None:
        return _correction_fault(transfer)
    if transfer.pending is not None:
        return "pending", f"a transfer that is {transfer.phase} resolves no other one"
    for name in _OF_MOVES:
        if getattr(transfer, name) is None:
            return name, f"a transfer that is {transfer.phase} needs it"
    if transfer.debit == transfer.credit:
        return "credit", "it is the account to debit"
    return _reservation_fault(transfer, limits)


def _reservation_fault(transfer: Transfer, limits: Limits) -> tuple[str, str]:
    if transfer.phase == "single":
        for name in _OF_RESERVATIONS:
            if getattr(transfer, name) is not None:
                return name, "only a pending transfer has it"
    if not transfer.amount and transfer.closes is None:
        return "amount", "only a transfer that closes an account moves nothing"
    seconds = transfer.timeout_seconds
    if seconds is not None and seconds > limits.delay_seconds_max:
        return "timeout_seconds", f"at most {limits.delay_seconds_max} (limits.delay_seconds_max)"
    return "", ""


def _resolution_fault(transfer: Transfer) -> tuple[str, str]:
    if transfer.pending is None:
        return "pending", f"a {transfer.phase} names the pending transfer that it resolves"
    names = (*_NOT_OF_RESOLUTIONS, "amount") if transfer.phase == "void" else _NOT_OF_RESOLUTIONS
    return _said_twice(transfer, names, "resolves")


def _correction_fault(transfer: Transfer) -> tuple[str, str]:
    if transfer.phase != "single":
        return "phase", "a transfer that corrects another one moves at once"
    if transfer.amount == 0:
        return "amount", "a transfer that corrects nothing is none"
    return _said_twice(transfer, _NOT_OF_CORRECTIONS, "corrects")


def _said_twice(transfer: Transfer, names: tuple[str, ...], verb: str) -> tuple[str, str]:
    """The first of these fields that a transfer has, although it names another one that says what is in it."""
    for name in names:
        if getattr(transfer, name) is not None:
            return name, f"what it {verb} says so"
    return "", ""
