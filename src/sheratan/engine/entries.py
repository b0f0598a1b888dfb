"""Entries by their number and by their instant, and as lines of stories."""

from __future__ import annotations

from typing import Final

from sheratan.contracts.api import StoryLine
from sheratan.contracts.errors import Archived, CorruptData
from sheratan.contracts.journal import Entry
from sheratan.kernel.chain import decode_entry
from sheratan.kernel.fold_archive import SegmentFact
from sheratan.store.port import Reader

__all__ = ["LINES_MAX", "archived", "archived_line", "first_since", "read_entry", "segment_of", "story_line"]

LINES_MAX: Final = 1_000
"""The newest lines of a story; a subject such as a busy worker has more than anyone reads."""


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


def story_line(entry: Entry, text: str) -> StoryLine:
    """An entry as a line of a story that says this."""
    decision = entry.decision or {}
    return StoryLine(
        entry=entry.seq,
        at_us=entry.at,
        type=entry.type,
        text=text,
        rule=decision.get("rule"),
        rejected=decision.get("rejected", []),
    )


def archived_line(reader: Reader, seq: int) -> StoryLine:
    """Where the entry that would be told here is, and all that led to it."""
    segment = segment_of(reader, seq)
    assert segment is not None, "only what is in a segment is archived"
    entries = f"entries {segment.first} to {segment.end - 1}"
    return StoryLine(
        entry=segment.end - 1,
        at_us=segment.until_us,
        type="journal.archived",
        text=f"What is recorded up to here is archived, the last of it in {segment.file} ({entries}).",
        rule=None,
        rejected=[],
    )
