"""A disk whose unsynced writes can be lost or torn, that fills up and whose syncs fail: a VFS under the real SQLite.

The files lie in a folder of the host, which is never synced. What was written since the last sync is remembered
write by write; when the power fails each of them is kept, lost or torn at a sector, as the seed decides.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage

__all__ = ["SimulatedDisk"]

_SECTOR: Final = 512
_serial = count()


class _Write(NamedTuple):
    """A write that was not synced: where, what was there before, what is there now. A truncation writes nothing."""

    offset: int
    before: bytes
    after: bytes
    size_before: int


class SimulatedDisk:
    """The disk of one host. A crash makes a new folder: whoever still holds files of the old one writes to nobody."""

    def __init__(self, choices: Choices, coverage: Coverage) -> None:
        self.name = f"simulated-{next(_serial)}"
        self.is_full = False
        self.sync_fails: Callable[[], bool] = lambda: False
        self.dies: Callable[[], bool] = lambda: False
        """Asked before each write: whether the process is killed here."""
        self.is_dead = False
        """Nothing is written any more: the process that wrote is gone."""
        self.unsynced: dict[str, list[_Write]] = {}
        self._choices = choices
        self._coverage = coverage
        self._root = Path(tempfile.mkdtemp(prefix="sheratan-simulation-"))
        self._generation = 0
        self._vfs = _Vfs(self)
        self.folder.mkdir()

    @property
    def folder(self) -> Path:
        """Where the files lie now."""
        return self._root / str(self._generation)

    def crash(self, *, power: bool) -> None:
        """The process is gone, and with `power` what was not synced may be, too. A new process finds the rest."""
        old = self.folder
        self._generation += 1
        self.folder.mkdir()
        unsynced = self.unsynced
        self.unsynced = {}
        for file in sorted(old.iterdir()):
            if file.name.endswith("-shm"):
                continue
            content = file.read_bytes()
            writes = unsynced.get(str(file), [])
            if power:
                content = self._after_power_cut(content, writes)
            elif writes:
                # The host still has them in memory; they are as unsynced as before.
                self.unsynced[str(self.folder / file.name)] = writes
            (self.folder / file.name).write_bytes(content)
        if power:
            self._coverage.hit("power.cut")
        self.is_dead = False

    def remove(self) -> None:
        """Give the host its folder back."""
        self._vfs.unregister()
        shutil.rmtree(self._root, ignore_errors=True)

    def _after_power_cut(self, content: bytes, writes: list[_Write]) -> bytes:
        image = bytearray(content)
        for write in reversed(writes):
            image[write.offset : write.offset + len(write.after)] = write.before
            del image[write.size_before :]
        for write in writes:
            self._maybe_keep(image, write)
        return bytes(image)

    def _maybe_keep(self, image: bytearray, write: _Write) -> None:
        fate = self._choices.pick("power", ("kept", "lost", "torn"))
        if fate == "lost":
            self._coverage.hit("power.lost_write")
            return
        parts = [(0, len(write.after))]
        if fate == "torn":
            self._coverage.hit("power.torn_write")
            starts = range(0, len(write.after), _SECTOR)
            parts = [
                (start, start + _SECTOR)
                for start in starts
                if self._choices.pick("power.sector", (True, False))
            ]
        for start, end in parts:
            piece, offset = write.after[start:end], write.offset + start
            if len(image) < offset:
                image.extend(bytes(offset - len(image)))
            image[offset : offset + len(piece)] = piece


class _Vfs(apsw.VFS):
    """Hands out files that tell the disk what is done to them."""

    def __init__(self, disk: SimulatedDisk) -> None:
        super().__init__(disk.name, "")
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        """Open a file."""
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - apsw's name
        """Delete a file; like all of a folder's changes, it is taken as synced."""
        self._disk_must_live()
        self._disk.unsynced.pop(filename, None)
        super().xDelete(filename, syncdir)

    def _disk_must_live(self) -> None:
        if self._disk.is_dead:
            raise apsw.IOError("the process was killed")


class _File(apsw.VFSFile):
    """A file that remembers what was not synced."""

    def __init__(self, disk: SimulatedDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._folder = disk.folder

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        """Write, unless the disk is full or the process ends here."""
        disk = self._disk
        self._must_live()
        if disk.dies():
            disk.is_dead = True
            raise apsw.IOError("the process is killed here")
        size = self.xFileSize()
        # SQLite bears a checkpoint that finds the disk full, but an exception from here would come out all the same.
        if disk.is_full and self._path.endswith("-wal") and offset + len(data) > size:
            raise apsw.FullError("the simulated disk is full")
        before = self.xRead(min(len(data), max(0, size - offset)), offset) if offset < size else b""
        disk.unsynced.setdefault(self._path, []).append(_Write(offset, before, bytes(data), size))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        """Truncate; like a change of a folder, it is taken as synced."""
        self._must_live()
        writes = self._disk.unsynced.get(self._path, [])
        writes[:] = [write for write in writes if write.offset < newsize]
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        """Sync: what was written is safe from now on, unless the disk fails."""
        self._must_live()
        if self._disk.sync_fails():
            raise apsw.IOError("the simulated sync failed")
        self._disk.unsynced.pop(self._path, None)

    def _must_live(self) -> None:
        if self._disk.is_dead or self._folder != self._disk.folder:
            raise apsw.IOError("the process was killed")
