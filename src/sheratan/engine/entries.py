"""Entries by their number, and by their instant."""

from __future__ import annotations

from sheratan.contracts.errors import Archived, CorruptData
from sheratan.contracts.journal import Entry
from sheratan.kernel.chain import decode_entry
from sheratan.kernel.fold_archive import SegmentFact
from sheratan.store.port import Reader

__all__ = ["archived", "first_since", "read_entry", "segment_of"]


def read_entry(reader: Reader, seq: int) -> Entry:
    """An entry that another one, or a row, names; Archived when it was moved into a file."""
    line = reader.entry_line(seq)
    if line is not None:
        return decode_entry(line)
    segment = segment_of(reader, seq)
    if segment is not None:
        raise archived(segment, seq)
    raise CorruptData(f"entry {seq} is named by another one but is not in the journal")


def segment_of(reader: Reader, seq: int) -> SegmentFact | None:
    """The segment that an entry was moved into."""
    return next((one for one in reader.segments() if one.first <= seq < one.end), None)


def archived(segment: SegmentFact, seq: int) -> Archived:
    """The answer to whoever asks for an entry of a segment."""
    return Archived(f"entry {seq} is archived in {segment.file}, as entry {segment.entry} says")


def first_since(reader: Reader, at_us: int) -> int:
    """The first entry in the journal that is not before an instant; entries are in the order of theirs."""
    low, high = 0, reader.shard().head.seq
    while low < high:
        middle = (low + high) // 2
        if _is_before(reader, middle, at_us):
            low = middle + 1
        else:
            high = middle
    return low


def _is_before(reader: Reader, seq: int, at_us: int) -> bool:
    try:
        return read_entry(reader, seq).at < at_us
    except Archived:
        return True
