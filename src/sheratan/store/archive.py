"""Files of segments: entries that were moved out of the journal, as JSON Lines in one zstd frame, named by an entry."""

from __future__ import annotations

import hashlib
from typing import Final

import zstandard

from sheratan.ambient.folder import Folder
from sheratan.contracts.errors import Conflict, CorruptData
from sheratan.kernel.chain import PAGE_SEPARATOR
from sheratan.kernel.fold_archive import SegmentFact

__all__ = ["Archive"]

_LEVEL: Final = 6
_SEGMENT_BYTES_MAX: Final = 1 << 32
"""No segment is as large. A frame that says it is more is damaged, and is not given the memory that it asks for."""


class Archive:
    """The files in one folder. A file that is there is never changed."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def keep(self, first: int, lines: list[bytes]) -> tuple[str, int, str]:
        """Keep these entries durably; the file's name, its size and its SHA-256.

        What an earlier try has left is used again. Conflict when the name is taken by anything else, Unavailable when
        the disk is full or fails.
        """
        name = f"journal-{first:012}-{first + len(lines) - 1:012}.jsonl.zst"
        body = b"".join([line + PAGE_SEPARATOR for line in lines])
        packed = self._folder.read(name)
        if packed is None:
            packed = zstandard.ZstdCompressor(level=_LEVEL).compress(body)
        elif not _holds(packed, body):
            raise Conflict(f"the archive has a file {name}, which holds something else; move it away")
        partial = f"{name}.partial"
        folder = self._folder
        folder.write(partial, packed)
        folder.sync(partial)
        folder.rename(partial, name)
        folder.sync_names()
        return name, len(packed), hashlib.sha256(packed).hexdigest()

    def lines(self, segment: SegmentFact) -> list[bytes]:
        """The entries of a segment; CorruptData when its file is not there or is not the one that was kept."""
        packed = self._folder.read(segment.file)
        if packed is None:
            raise CorruptData(f"{segment.file} is not in the archive")
        found = hashlib.sha256(packed).hexdigest()
        if (len(packed), found) != (segment.size, segment.digest):
            raise CorruptData(
                f"{segment.file} has {len(packed)} bytes and the SHA-256 {found}; by entry {segment.entry} it has"
                f" {segment.size} and {segment.digest}"
            )
        return _unpack(segment.file, packed).removesuffix(PAGE_SEPARATOR).split(PAGE_SEPARATOR)


def _holds(packed: bytes, body: bytes) -> bool:
    try:
        return _unpack("", packed) == body
    except CorruptData:
        return False


def _unpack(name: str, packed: bytes) -> bytes:
    try:
        if zstandard.frame_content_size(packed) > _SEGMENT_BYTES_MAX:
            raise CorruptData(f"{name} is in no form that is known")
        return zstandard.ZstdDecompressor().decompress(packed)
    except (zstandard.ZstdError, MemoryError) as error:
        raise CorruptData(f"{name} cannot be unpacked: {error}") from error
