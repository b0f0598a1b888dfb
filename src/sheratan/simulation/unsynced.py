"""A file as its disk has it, and what was asked of it since the last sync.

When the power goes, each of those changes may be lost, may have reached the disk, or may have reached it in part: a
sector of 512 bytes is written whole or not at all (SQLite counts on that much: https://sqlite.org/psow.html).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

__all__ = ["Change", "Truncation", "UnsyncedFile", "Write", "sectors"]

SECTOR: Final = 512


class Write(NamedTuple):
    """Bytes at an offset."""

    offset: int
    data: bytes


class Truncation(NamedTuple):
    """Nothing beyond this size."""

    size: int


Change = Write | Truncation


class UnsyncedFile:
    """What is durable, and the changes that nobody has asked to be kept."""

    def __init__(self, durable: bytes = b"") -> None:
        self.pending: list[Change] = []
        self._durable = bytearray(durable)

    def sync(self) -> None:
        """From now on everything so far is durable."""
        for change in self.pending:
            _apply(self._durable, change)
        self.pending.clear()

    def fail_sync(self, arrives: Callable[[Change], Iterable[Change]]) -> None:
        """A sync has failed, and the machine takes its changes for written: what has not arrived by now never will.

        Whatever syncs come later, only what is written again arrives. Who reads goes on seeing it until the power goes
        (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
        """
        self._durable = bytearray(self.image(arrives))
        self.pending.clear()

    def image(self, arrives: Callable[[Change], Iterable[Change]]) -> bytes:
        """What a machine finds that starts anew; `arrives` says of each pending change what of it reached the disk."""
        content = bytearray(self._durable)
        for change in self.pending:
            for arrived in arrives(change):
                _apply(content, arrived)
        return bytes(content)


def sectors(write: Write) -> list[Write]:
    """A write in pieces that end where sectors do."""
    pieces: list[Write] = []
    start, end = write.offset, write.offset + len(write.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        pieces.append(Write(start, write.data[start - write.offset : stop - write.offset]))
        start = stop
    return pieces


def _apply(content: bytearray, change: Change) -> None:
    if isinstance(change, Truncation):
        del content[change.size :]
        return
    end = change.offset + len(change.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[change.offset : end] = change.data
