"""What attempts at jobs cost: which transfers a start and an end of one make, and how much they move."""

from __future__ import annotations

from typing import Final

from sheratan.kernel.ledger_facts import transfer_text

__all__ = [
    "OPERATOR",
    "amount_due",
    "attempt_of",
    "is_of_attempt",
    "is_payout",
    "payee_of",
    "payer_of",
    "payout_id",
    "reservation_id",
    "settlement_id",
]

OPERATOR: Final = "operator"
"""The account that attempts at jobs pay."""

_PREFIX: Final = b"\xff\xff\xff"
_PAYS_OUT, _RESERVES, _SETTLES = b"\xfd", b"\xfe", b"\xff"
_BYTES: Final = 6
"""Of the number of a job, and of a fence."""


def payer_of(tenant: str) -> str:
    """The account that pays for the jobs of a tenant."""
    return f"tenant:{tenant}"


def payee_of(worker: str) -> str:
    """The account that a worker is paid to, by its subject in the journal, `worker:NAME/N`."""
    return worker.partition("/")[0]


def reservation_id(number: int, fence: int) -> str:
    """The id of the transfer that reserves what an attempt may cost, by its job and the fence of its lease."""
    return _id(_RESERVES, number, fence)


def settlement_id(number: int, fence: int) -> str:
    """The id of the transfer that moves what an attempt did cost, or gives all of it back."""
    return _id(_SETTLES, number, fence)


def payout_id(number: int, fence: int) -> str:
    """The id of the transfer that moves the worker's share of what an attempt was charged."""
    return _id(_PAYS_OUT, number, fence)


def is_payout(transfer: bytes) -> bool:
    """Whether a transfer's id is that of a worker's share."""
    return transfer.startswith(_PREFIX + _PAYS_OUT)


def is_of_attempt(transfer: bytes) -> bool:
    """Whether a transfer's id is one that only attempts at jobs may use."""
    return transfer.startswith((_PREFIX + _PAYS_OUT, _PREFIX + _RESERVES, _PREFIX + _SETTLES))


def attempt_of(transfer: bytes) -> tuple[int, int]:
    """The job and the fence of the attempt that a transfer is for, by its id."""
    return int.from_bytes(transfer[-2 * _BYTES : -_BYTES], "big"), int.from_bytes(transfer[-_BYTES:], "big")


def amount_due(reserved: int, reported: int | None, *, metered: bool, succeeded: bool) -> int:
    """What an attempt costs: by meter what it has reported, at most what is reserved; else all of that or nothing.

    An attempt that did not succeed costs nothing, unless it is metered and has said otherwise.
    """
    if metered:
        return min(reported or 0, reserved)
    return reserved if succeeded else 0


def _id(what: bytes, number: int, fence: int) -> str:
    return transfer_text(_PREFIX + what + number.to_bytes(_BYTES, "big") + fence.to_bytes(_BYTES, "big"))
