"""What was archived, against the journal that is left: the state that this begins with, and the rows about it."""

from __future__ import annotations

from typing import Final

import msgspec

from sheratan.contracts.errors import CorruptData
from sheratan.engine.problems import Problems
from sheratan.kernel.canonical import digest
from sheratan.kernel.fold import Fold
from sheratan.kernel.fold_archive import SegmentFact
from sheratan.store.port import Reader

__all__ = ["ArchivedFile", "compare_segments", "read_state"]

_LOOKS_MAX: Final = 10
"""A server may archive one segment after the other, and keeps the state after the last one."""


class ArchivedFile(msgspec.Struct, frozen=True, kw_only=True):
    """Entries `first` to `last`, which stand in a file of the archive with this SHA-256; `checked`: they were read."""

    first: int
    last: int
    file: str
    digest: str
    checked: bool


def read_state(reader: Reader, problems: Problems) -> tuple[SegmentFact, bytes]:
    """The last segment and the state of the fold after it, which must be the one that was kept then."""
    for _ in range(_LOOKS_MAX):
        segment = reader.segments()[-1]
        state = reader.fold_state(segment.end)
        if state is not None:
            if digest(state) != segment.state:
                text = f"the fold's state after entry {segment.end - 1} is not the one that was kept"
                problems.add("R2", text, seq=segment.entry, row="fold_state")
            return segment, state
    raise CorruptData("the fold's state after the last archived segment is not kept")


def compare_segments(reader: Reader, fold: Fold, problems: Problems) -> None:
    """How long entries are kept is what was said; each segment is what its entry says, and its pages are gone."""
    stands = {row[:1]: row[1:] for row in reader.segments()}
    kept, said = reader.journal_kept(), fold.journal_kept
    problems.differ_in("journal_kept", said.entry or 0, kept._fields, said, kept)
    problems.differ("segment", {fact[:1]: fact[1:] for fact in fold.segments}, stands)
    if fold.segments:
        first = next(iter(reader.pages(damaged=True)), None)
        if first is not None and first[0] < fold.segments[-1].end:
            problems.add("R2", "a page stands there that was archived", row=f"page {first[0]}")
