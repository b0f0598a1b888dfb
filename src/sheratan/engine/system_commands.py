"""The commands about the system's state."""

from __future__ import annotations

import msgspec

from sheratan.contracts.system import SystemState

__all__ = ["ChangeState", "DeriveState", "Down", "Probe"]


class ChangeState(msgspec.Struct, frozen=True, kw_only=True):
    """Bring the system into another state, if it is in the one that was expected (None: whatever it is in)."""

    to: SystemState
    reason: str
    expected: SystemState | None = None


class Down(msgspec.Struct, frozen=True, kw_only=True):
    """A probe that is down, as evidence: since when, how many samples in a row have failed, and why the last did."""

    name: str
    critical: bool
    affects: tuple[str, ...]
    since_us: int
    failures: int
    error: str


class DeriveState(msgspec.Struct, frozen=True, kw_only=True):
    """Bring the system into the state that its probes lead to, if it is in one that is derived from them.

    `unknown` is how many probes have been neither up nor down yet; `dwell_us` how long a state lasts at least.
    """

    down: tuple[Down, ...]
    unknown: int
    dwell_us: int


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Answer. With `commits`, commit something before, to see that it works."""

    commits: bool
