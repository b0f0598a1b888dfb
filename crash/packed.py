"""Pages of the journal as they are stored, read without the engine's code."""

from __future__ import annotations

import zstandard

__all__ = ["body_of"]


def body_of(stored: bytes, codec: int) -> bytes:
    """The lines of a page: stored as they are (0), or as a zstd frame (1)."""
    if codec not in (0, 1):
        raise ValueError(f"a page is stored under the codec {codec}, which nobody knows")
    try:
        return stored if codec == 0 else zstandard.ZstdDecompressor().decompress(stored)
    except zstandard.ZstdError as error:
        raise ValueError(f"a page cannot be unpacked: {error}") from error
