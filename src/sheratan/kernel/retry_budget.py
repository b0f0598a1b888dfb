"""How many calls may be of attempts that are made again: a part of the others, so that retries never make a storm."""

from __future__ import annotations

from typing import Final

__all__ = ["RETRIES_SAVED_MAX", "earn", "spend"]

RETRIES_SAVED_MAX: Final = 10
"""Retries that may come at once after a quiet time; a budget begins with so many."""

_ONE: Final = 1_000


def earn(balance: int, permille: int) -> int:
    """The balance, in thousandths of a retry, after a call of a first attempt."""
    return min(balance + permille, RETRIES_SAVED_MAX * _ONE)


def spend(balance: int) -> int | None:
    """The balance after a retry; None where there is none left for it."""
    return balance - _ONE if balance >= _ONE else None
