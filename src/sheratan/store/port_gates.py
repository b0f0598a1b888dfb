"""What the engine asks of a database about gates."""

from __future__ import annotations

from typing import Protocol

from sheratan.store.gate_rows import GateKey, GateRow

__all__ = ["GateReader"]


class GateReader(Protocol):
    """Reads of the keys of gates."""

    def gate(self, key: GateKey) -> GateRow | None:
        """What is known of a key, which may be over."""
        ...

    def gates(self, after_us: int) -> list[GateRow]:
        """The keys that mean something after an instant."""
        ...
