"""A disk that keeps what was synced, and of the rest what it likes: a SQLite VFS with the power cut at an operation.

Each file is what it was at its last sync, plus operations that nobody has asked to be kept. When the power goes, each
of those may be lost, may have reached the disk, or may have reached it in part: a sector of 512 bytes is written whole
or not at all (SQLite counts on that much: https://sqlite.org/psow.html). The files that SQLite works on hold
everything, as the memory of a running machine does; `image` says what a machine finds that starts anew.
"""

from __future__ import annotations

import itertools
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import apsw

__all__ = ["PowerCutDisk"]

SECTOR = 512
_SYNCED_BY_NAME = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL
_names = itertools.count(1)


@dataclass
class _Write:
    offset: int
    data: bytes


@dataclass
class _Truncate:
    size: int


@dataclass
class _File:
    """A file as the disk has it, and what it was asked to do since the last sync."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[_Write | _Truncate] = field(default_factory=list)
    is_named: bool = False
    """Whether its name is in the folder as the disk has it."""
    is_deleted: bool = False

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.durable, change)
        self.pending.clear()


class PowerCutDisk(apsw.VFS):
    """Use it as a VFS by its `name`. The power goes at operation `cut_at`, or never while that is None."""

    def __init__(self, draw: random.Random, cut_at: int | None = None) -> None:
        self.name = f"power-cut-{os.getpid()}-{next(_names)}"
        self.operations = 0
        self.cut_at = cut_at
        self.is_liar = False
        """Whether it reports a sync as done and keeps nothing."""
        self._draw = draw
        self._files: dict[str, _File] = {}
        super().__init__(self.name, "")

    @property
    def is_off(self) -> bool:
        """Whether the power has gone."""
        return self.cut_at is not None and self.operations >= self.cut_at

    def image(self) -> dict[str, bytes]:
        """What is on the disk now, by file name: what was synced, and a drawn part of what was not."""
        keeping = self._draw.choice((0.0, 0.5, 0.5, 0.5, 0.9, 1.0))
        found: dict[str, bytes] = {}
        for path, file in self._files.items():
            if file.is_deleted and (not file.is_named or self._draw.random() < 0.5):
                continue
            if not file.is_named and self._draw.random() >= keeping:
                continue
            content = bytearray(file.durable)
            for change in file.pending:
                self._arrive(content, change, keeping)
            found[Path(path).name] = bytes(content)
        return found

    def _arrive(self, content: bytearray, change: _Write | _Truncate, keeping: float) -> None:
        if isinstance(change, _Truncate) or keeping in (0.0, 1.0) or self._draw.random() < 0.5:
            if self._draw.random() < keeping:
                _apply(content, change)
            return
        for piece in _sectors(change):
            if self._draw.random() < keeping:
                _apply(content, piece)

    # ---------------------------------------------------------------------------------------------------------------
    # What SQLite calls

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        """Open a file; one that was there before is durable as it is."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        known = self._files.get(path) if path else None
        if path and (known is None or known.is_deleted):
            here = Path(path)
            there = here.exists()
            durable = bytearray(here.read_bytes()) if there else bytearray()
            self._files[path] = _File(durable, is_named=there)
        return _CutFile(self, self._files.get(path or "", _File()), name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - apsw's name
        """Delete a file; durable at once only when the folder is synced."""
        self.operate()
        super().xDelete(filename, syncdir)
        file = self._files.get(filename)
        if file is not None:
            file.is_deleted = True
        if syncdir:
            self.sync_folder()

    def sync_folder(self) -> None:
        """Make the names durable, those that came and those that went."""
        for file in self._files.values():
            file.is_named = not file.is_deleted

    def operate(self) -> None:
        """One more operation; it does not take place when the power is gone."""
        self.operations += 1
        if self.is_off:
            _fail()


class _CutFile(apsw.VFSFile):
    """A file on such a disk."""

    def __init__(self, disk: PowerCutDisk, file: _File, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._file = file
        # SQLite's own file system syncs the folder with the first sync of a new journal or log, not of a database.
        self._syncs_folder = bool(flags[0] & _SYNCED_BY_NAME) and not file.is_named
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        """Write; durable with the next sync."""
        self._disk.operate()
        super().xWrite(data, offset)
        self._file.pending.append(_Write(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        """Cut the file off; durable with the next sync."""
        self._disk.operate()
        super().xTruncate(newsize)
        self._file.pending.append(_Truncate(newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        """Make everything durable. The real disk is not asked: what is durable is kept in memory here."""
        self._disk.operate()
        if self._disk.is_liar:
            return
        self._file.sync()
        if self._syncs_folder:
            self._disk.sync_folder()
            self._syncs_folder = False


def _fail() -> NoReturn:
    raise apsw.IOError("the power is gone")


def _apply(content: bytearray, change: _Write | _Truncate) -> None:
    if isinstance(change, _Truncate):
        del content[change.size :]
        return
    end = change.offset + len(change.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[change.offset : end] = change.data


def _sectors(change: _Write) -> list[_Write]:
    """A write in pieces that end where sectors do."""
    pieces: list[_Write] = []
    start, end = change.offset, change.offset + len(change.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        pieces.append(_Write(start, change.data[start - change.offset : stop - change.offset]))
        start = stop
    return pieces
