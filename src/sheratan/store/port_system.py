"""What the engine asks of a database about the system's state."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from sheratan.kernel.system import SystemFact
from sheratan.store.port_alerts import AlertReader

__all__ = ["Latch", "SystemReader"]


class Latch(NamedTuple):
    """A halt that could not be written into the journal: why, and when."""

    reason: str
    at_us: int


class SystemReader(AlertReader, Protocol):
    """Reads of the system's state, and of alerts."""

    def system(self) -> SystemFact:
        """How the system stands."""
        ...

    def latch(self) -> Latch | None:
        """The halt that is kept beside the database until an engine has written it into the journal."""
        ...
