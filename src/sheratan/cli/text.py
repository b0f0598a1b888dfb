"""Text for terminals: instants, durations, and nothing that could steer the terminal."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from sheratan.contracts.flow import BlockedBy
from sheratan.contracts.health import ProbeRecord
from sheratan.contracts.spending import OwnBudgetRecord
from sheratan.kernel.accounts import format_amount

__all__ = ["clean", "down_text", "held_up", "instant", "kept", "own_budget"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CONTROL: Final = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}


def clean(text: str) -> str:
    """Text without control characters: an error message of a job must not be able to steer a terminal."""
    return text.translate(_CONTROL).encode("utf-8", "backslashreplace").decode()


def down_text(probe: ProbeRecord) -> str:
    """What is down, and why."""
    overridden = " (overridden)" if probe.overridden else ""
    return f"{probe.name} is down{overridden}: {probe.error or 'it fails too often'}"


def held_up(one: BlockedBy) -> str:
    """What holds a job up, since when, until when, and the entry that says so."""
    until = "it is over" if one.until_us is None else f"{instant(one.until_us)}{_left(one.until_us)}"
    entry = "" if one.entry is None else f" (entry {one.entry})"
    return f"{one.what} of {one.subject}, since {instant(one.since_us)}, until {until}{entry}"


def _left(until_us: int) -> str:
    seconds = (until_us - time.time_ns() // 1_000) / 1_000_000
    return f", for another {seconds:.1f} s" if seconds > 0 else ""


def kept(seconds: int | None) -> str:
    """How long something is kept: in the largest unit of which it is a whole number."""
    if seconds is None:
        return "for ever"
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def own_budget(one: OwnBudgetRecord) -> str:
    """What a job or the jobs of a run may be charged, and what is used of it."""
    amount, charged, reserved = (
        format_amount(each, one.scale) for each in (one.amount, one.charged, one.reserved)
    )
    return f"{amount} {one.unit}, of which {charged} are charged and {reserved} reserved"


def instant(microseconds: int | None) -> str:
    """An instant in UTC, to the millisecond (RFC 3339); `-` for none."""
    if microseconds is None:
        return "-"
    at = _EPOCH + timedelta(microseconds=microseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
