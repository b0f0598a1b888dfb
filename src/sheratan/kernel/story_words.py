"""What the sentences about all kinds of entries have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sheratan.contracts.journal import Entry
from sheratan.contracts.principal import ENGINE

__all__ = ["amounts", "who", "with_reason"]


def amounts(told: Iterable[tuple[str, int]]) -> str:
    """Amounts by unit; entries do not say how many digits of a unit come after its point."""
    return " and ".join(f"{amount} minor units of {unit}" for unit, amount in told)


def who(entry: Entry) -> str:
    """Who did it, and for whom."""
    return entry.actor if entry.actor == entry.on_behalf_of else f"{entry.actor} for {entry.on_behalf_of}"


def with_reason(text: str) -> Callable[[Entry], str]:
    """Somebody did something, and why."""

    def told(entry: Entry) -> str:
        reason = entry.data.get("reason")
        # A person has one thing done to many jobs only by a bulk operation.
        is_bulk = entry.cause is not None and entry.actor != ENGINE.actor
        part = f", as part of bulk:{entry.cause}" if is_bulk else ""
        return f"{who(entry)} {text}{part}{f': {reason}' if reason else ''}."

    return told
