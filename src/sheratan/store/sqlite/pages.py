"""Pages of the journal as they are stored: compressed when that makes them smaller."""

from __future__ import annotations

from typing import Final

import zstandard

from sheratan.contracts.errors import CorruptData

__all__ = ["PageReader", "PageWriter"]

PLAIN: Final = 0
ZSTD: Final = 1

_LEVEL: Final = 1
"""A tenth of the size for 0.4 microseconds per entry; the levels above save little more and take twice as long."""

_PACKED_BYTES_MIN: Final = 1_024
"""Below this a page says few things twice, and most of what it takes is the row's own."""

_BODY_BYTES_MAX: Final = 1 << 28
"""No batch is as large. A frame that says it is more is damaged, and is not given the memory that it asks for."""


class PageWriter:
    """Packs pages, one after the other."""

    def __init__(self) -> None:
        # The journal has checksums of its own: the chain.
        self._compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False).compress

    def row(self, first_seq: int, count: int, body: bytes) -> tuple[int, int, bytes, int]:
        """A page as a row: its first number, how many entries it has, its body as stored, and the codec."""
        if len(body) >= _PACKED_BYTES_MIN:
            packed = self._compress(body)
            if len(packed) < len(body):
                return first_seq, count, packed, ZSTD
        return first_seq, count, body, PLAIN


class PageReader:
    """Unpacks pages, one after the other."""

    def __init__(self) -> None:
        # A whole frame is unpacked straight into its body. For one that is cut short zstd's own bound on memory holds.
        self._decompress = zstandard.ZstdDecompressor().decompress

    def body(self, first_seq: int, stored: bytes, codec: int) -> bytes:
        """The body of a page; CorruptData when what is stored is not what its codec says."""
        if type(stored) is not bytes:
            raise CorruptData(f"the journal's page {first_seq} has no body")
        if codec == PLAIN:
            return stored
        try:
            if codec != ZSTD or zstandard.frame_content_size(stored) > _BODY_BYTES_MAX:
                raise CorruptData(f"the journal's page {first_seq} is stored in no form that is known")
            return self._decompress(stored)
        except (zstandard.ZstdError, MemoryError) as error:
            raise CorruptData(f"the journal's page {first_seq} cannot be unpacked: {error}") from error
