"""Segments of the journal that were archived: reads, and the step by which their pages leave the database."""

from __future__ import annotations

from itertools import starmap
from typing import Final

import apsw
import zstandard

from sheratan.contracts.errors import CorruptData
from sheratan.kernel.fold_archive import KEPT_FOR_EVER, KeptFact, SegmentFact
from sheratan.store.port_archive import Needed
from sheratan.store.sqlite.scans import SqliteScans
from sheratan.store.sqlite.statements import insert_rows, sql

__all__ = ["SqliteArchive", "take_out"]

_LEVEL: Final = 3
_STATE_BYTES_MAX: Final = 1 << 34
"""A frame that says it is more is damaged, and is not given the memory that it asks for."""


class SqliteArchive(SqliteScans):
    """Reads of segments that were archived, and of what may not be archived yet."""

    def journal_kept(self) -> KeptFact:
        """How long entries are kept in the journal."""
        return next(starmap(KeptFact, self._rows("select_journal_kept")), KEPT_FOR_EVER)

    def segments(self) -> list[SegmentFact]:
        """The segments, oldest first."""
        return list(starmap(SegmentFact, self._rows("select_segments")))

    def fold_state(self, end: int) -> bytes | None:
        """The state of the fold after the last segment, when that ends before this entry."""
        for (body,) in self._rows("select_fold_state", (end,)):
            try:
                if zstandard.frame_content_size(body) > _STATE_BYTES_MAX:
                    raise CorruptData("the fold's state is stored in no form that is known")
                return zstandard.ZstdDecompressor().decompress(body)
            except (zstandard.ZstdError, MemoryError) as error:
                raise CorruptData(f"the fold's state cannot be unpacked: {error}") from error
        return None

    def oldest_needed(self) -> Needed:
        """What open jobs and those that they descend from, open runs, bulk operations and pauses need."""
        return Needed(*self._one("select_oldest_needed", ()))


def take_out(connection: apsw.Connection, segment: SegmentFact, state: bytes) -> None:
    """Take the pages of a segment out. They must be what it says: all that is older than its end, and whole pages."""
    entries, is_whole = connection.execute(sql("select_page_count"), (segment.end,)).fetchall()[0]
    if (entries, is_whole) != (segment.end - segment.first, 1):
        raise CorruptData("the segment to be archived is not what stands at the journal's beginning")
    insert_rows(connection, "insert_segment", [segment])
    connection.execute(sql("delete_pages"))
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(state)
    connection.execute(sql("replace_fold_state"), (segment.end, packed))
