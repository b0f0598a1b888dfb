"""What a worker says of itself: it comes, it is alive, it goes."""

from __future__ import annotations

import msgspec

from sheratan.contracts.guards import OpenBreaker
from sheratan.contracts.worker import Registration

__all__ = ["EndSession", "Heartbeat", "RegisterWorker"]


class RegisterWorker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker comes on duty; answered with its session number."""

    registration: Registration
    local: bool
    """Whether it runs in the engine's own process and so cannot outlive it, or go unheard, on its own."""


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A worker is alive, and these of its breakers are not closed."""

    session: int
    breakers: tuple[OpenBreaker, ...] = ()


class EndSession(msgspec.Struct, frozen=True, kw_only=True):
    """A worker goes; what it still holds is lost or, after a drain, nothing."""

    session: int
