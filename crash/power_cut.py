"""A disk that keeps what was synced, and of the rest what it likes: a SQLite VFS with the power cut at an operation.

The files that SQLite works on hold everything, as the memory of a running machine does; `image` says what a machine
finds that starts anew (`simulation/unsynced.py`), names of files included.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import apsw

from sheratan.simulation.unsynced import Change, Truncation, UnsyncedFile, Write, sectors

__all__ = ["PowerCutDisk"]

_SYNCED_BY_NAME = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL
_names = itertools.count(1)


@dataclass
class _File:
    """A file, and what the folder that it is in knows of it."""

    content: UnsyncedFile
    is_named: bool = False
    """Whether its name is in the folder as the disk has it."""
    is_deleted: bool = False


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
            found[Path(path).name] = file.content.image(lambda change: self._arrives(change, keeping))
        return found

    def _arrives(self, change: Change, keeping: float) -> Iterable[Change]:
        if isinstance(change, Truncation) or keeping in (0.0, 1.0) or self._draw.random() < 0.5:
            return (change,) if self._draw.random() < keeping else ()
        return [piece for piece in sectors(change) if self._draw.random() < keeping]

    # ---------------------------------------------------------------------------------------------------------------
    # What SQLite calls

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        """Open a file; one that was there before is durable as it is."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        known = self._files.get(path) if path else None
        if path and (known is None or known.is_deleted):
            here = Path(path)
            there = here.exists()
            durable = UnsyncedFile(here.read_bytes() if there else b"")
            self._files[path] = _File(durable, is_named=there)
        return _CutFile(self, self._files.get(path or "", _File(UnsyncedFile())), name, flags)

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
        self._file.content.pending.append(Write(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        """Cut the file off; durable with the next sync."""
        self._disk.operate()
        super().xTruncate(newsize)
        self._file.content.pending.append(Truncation(newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        """Make everything durable. The real disk is not asked: what is durable is kept in memory here."""
        self._disk.operate()
        if self._disk.is_liar:
            return
        self._file.content.sync()
        if self._syncs_folder:
            self._disk.sync_folder()
            self._syncs_folder = False


def _fail() -> NoReturn:
    raise apsw.IOError("the power is gone")
