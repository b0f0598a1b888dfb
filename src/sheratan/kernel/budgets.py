"""Budgets of money: when the windows end in which they may be spent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["budget_subject", "partition_in", "partition_subject", "window_end_us"]

_PARTITION: Final = "partition:"
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SPANS_US: Final = {"minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}


def budget_subject(subject: str, unit: str) -> str:
    """What entries about a budget are about."""
    return f"budget:{subject}/{unit}"


def partition_subject(name: str) -> str:
    """Whose jobs the budget of a partition holds for."""
    return _PARTITION + name


def partition_in(subject: str) -> str | None:
    """The partition whose jobs a budget holds for; None where it holds for those of a tenant, a queue or a kind."""
    return subject.removeprefix(_PARTITION) if subject.startswith(_PARTITION) else None


def window_end_us(per: str | None, at_us: int) -> int | None:
    """The first instant after the window of the calendar, in UTC, that an instant is in; None where none ends."""
    if per is None:
        return None
    if per in _SPANS_US:
        span_us = _SPANS_US[per]
        return at_us - at_us % span_us + span_us
    day = _EPOCH + timedelta(microseconds=at_us)
    month = day.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return ((month + timedelta(days=31)).replace(day=1) - _EPOCH) // _MICROSECOND
