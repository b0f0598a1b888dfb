"""Entries by their number."""

from __future__ import annotations

from sheratan.contracts.errors import CorruptData
from sheratan.contracts.journal import Entry
from sheratan.kernel.chain import decode_entry
from sheratan.store.port import Reader

__all__ = ["read_entry"]


def read_entry(reader: Reader, seq: int) -> Entry:
    """An entry that another one, or a row, names."""
    line = reader.entry_line(seq)
    if line is None:
        raise CorruptData(f"entry {seq} is named by another one but is not in the journal")
    return decode_entry(line)
