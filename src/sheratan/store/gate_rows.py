"""Rows of gates: keys under which a debounced job waits, or the period of a throttle goes on."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["GateKey", "GateRow"]

GateKey = tuple[str, str, str, bytes]
"""A tenant, a kind, `debounce` or `throttle`, and the SHA-256 of a key."""


class GateRow(NamedTuple):
    """The newest job under a key, which means nothing any more from `until_us` on."""

    tenant: str
    kind: str
    what: str
    key: bytes
    number: int
    since_us: int
    """When the first of these jobs was submitted."""
    until_us: int
    """When the job is to start, or the period ends."""
    jobs: int
    """How many jobs were made since."""
