"""Reads of gates."""

from __future__ import annotations

from itertools import starmap

from sheratan.store.gate_rows import GateKey, GateRow
from sheratan.store.sqlite.scans import SqliteScans

__all__ = ["SqliteGates"]


class SqliteGates(SqliteScans):
    """Reads of the keys of gates."""

    def gate(self, key: GateKey) -> GateRow | None:
        """What is known of a key, which may be over."""
        return next(starmap(GateRow, self._rows("select_gate", key)), None)

    def gates(self, after_us: int) -> list[GateRow]:
        """The keys that mean something after an instant."""
        return list(starmap(GateRow, self._rows("select_gates", (after_us,))))
