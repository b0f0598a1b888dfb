"""Accounts of the ledger as its rule is told of them, and amounts as people write them."""

from __future__ import annotations

import re
from typing import Any, Final

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.ledger import AMOUNT_MAX

__all__ = [
    "CLOSED_BY",
    "CREDITS_PENDING",
    "CREDITS_POSTED",
    "DEBITS_PENDING",
    "DEBITS_POSTED",
    "Account",
    "account_subject",
    "available",
    "format_amount",
    "may_owe",
    "name_of",
    "parse_amount",
]

Account = list[Any]
"""Name, unit, debits pending and posted, credits pending and posted, and the pending transfer that keeps it closed.

One that does not exist is its name and unit alone.
"""

DEBITS_PENDING, DEBITS_POSTED, CREDITS_PENDING, CREDITS_POSTED, CLOSED_BY = 2, 3, 4, 5, 6

_is_amount = re.compile(r"([0-9]+)(?:\.([0-9]+))?").fullmatch
_DIGITS_MAX: Final = 32


def may_owe(account: str) -> bool:
    """Whether more may be debited from an account than was credited to it: only to accounts of the system."""
    return account.startswith("system:")


def available(account: Account) -> int:
    """What an account can give now."""
    left: int = account[CREDITS_POSTED] - account[DEBITS_POSTED] - account[DEBITS_PENDING]
    return left


def account_subject(name: str, unit: str) -> str:
    """The subject of the entry that opens an account."""
    return f"account:{name}/{unit}"


def name_of(account: Account) -> str:
    """An account in words."""
    return f"{account[0]} in {account[1]}"


def format_amount(amount: int, scale: int) -> str:
    """Minor units as people write them: 1250 with two digits after the point is 12.50."""
    if not scale:
        return str(amount)
    whole, rest = divmod(abs(amount), 10**scale)
    return f"{'-' if amount < 0 else ''}{whole}.{rest:0{scale}}"


def parse_amount(text: str, scale: int) -> int:
    """What people write, in minor units; InvalidInput when it is no amount, or a finer one than the unit has."""
    found = _is_amount(text) if len(text) <= _DIGITS_MAX and text.isascii() else None
    if found is None:
        raise InvalidInput(f"{text[:60]!r} is no amount, such as 12 or 12.50", field="amount")
    fraction = found[2] or ""
    if len(fraction) > scale:
        raise InvalidInput(f"{text} has more than {scale} digits after the point", field="amount")
    amount = int(found[1] + fraction.ljust(scale, "0"))
    if amount > AMOUNT_MAX:
        raise InvalidInput(f"{text} is above {format_amount(AMOUNT_MAX, scale)}", field="amount")
    return amount
