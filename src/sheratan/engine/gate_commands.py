"""The gate of a submission, checked."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["NewGate"]


class NewGate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a submission has to pass. Durations in microseconds; of those that do not apply, 0."""

    what: Literal["debounce", "throttle"]
    key: str
    """The SHA-256 of the key, in hexadecimal: it stands in the journal, where what people wrote has no place."""
    period_us: int
    """The window of a debounce, or the period of a throttle."""
    longest_us: int = 0
    jobs: int = 0
