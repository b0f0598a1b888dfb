"""A disk whose unsynced writes can be lost or torn, that fills up and whose syncs fail: a VFS under the real SQLite.

A sync that fails makes nothing durable later either: what it was to save is lost or kept then and there, and the next
one knows nothing of it. So a process that starts anew reads what no power cut will leave.

The files lie in a folder of the host, which is never synced; what a power cut would leave of them is kept beside.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

import apsw

from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.unsynced import Change, Truncation, UnsyncedFile, Write, sectors

__all__ = ["SimulatedDisk"]

_serial = count()


class SimulatedDisk:
    """The disk of one host. A crash makes a new folder: whoever still holds files of the old one writes to nobody."""

    def __init__(self, choices: Choices, coverage: Coverage) -> None:
        self.name = f"simulated-{next(_serial)}"
        self.is_full = False
        self.sync_fails: Callable[[bool], bool] = lambda is_log: False
        """Asked at each sync of the log or of the database: whether it fails."""
        self.dies: Callable[[], bool] = lambda: False
        """Asked before each write: whether the process is killed here."""
        self.is_dead = False
        """Nothing is written any more: the process that wrote is gone."""
        self._choices = choices
        self._coverage = coverage
        self.root = Path(tempfile.mkdtemp(prefix="sheratan-simulation-"))
        """The folder of the host that it keeps everything in."""
        self._generation = 0
        self.folder = self._new_folder()
        """Where the files lie now."""
        self._files: dict[str, UnsyncedFile] = {}
        self._forsaken_in: int | None = None
        """The generation in which a failed sync last gave something up; None since the power was cut."""
        self._is_built_upon = False
        """Whether a later process has synced something since."""
        self._vfs = _Vfs(self)

    def file(self, path: str) -> UnsyncedFile:
        """A file as the disk has it; one that was there before it was first asked for is durable as it is."""
        if path not in self._files:
            here = Path(path)
            self._files[path] = UnsyncedFile(here.read_bytes() if here.exists() else b"")
        return self._files[path]

    def forget(self, path: str) -> None:
        """A file was deleted; like all changes of a folder, that is taken as synced."""
        self._files.pop(path, None)

    def crash(self, *, power: bool) -> None:
        """The process is gone, and with `power` what was not synced may be, too. A new process finds the rest."""
        old, known = self.folder, self._files
        self._generation += 1
        self.folder = self._new_folder()
        self._files = {}
        for place in sorted(old.iterdir()):
            if place.name.endswith("-shm"):
                continue
            path = self.folder / place.name
            file = known.get(str(place))
            if power and file is not None:
                path.write_bytes(file.image(self._arrives_in_time))
                continue
            shutil.copyfile(place, path)
            if file is not None:
                # The host still has its changes in memory; they are as unsynced as before.
                self._files[str(path)] = file
        if power:
            self._coverage.hit("power.cut")
            if self._is_built_upon:
                self._coverage.hit("power.after_forsaken")
            self._forsaken_in, self._is_built_upon = None, False
        self.is_dead = False

    def _new_folder(self) -> Path:
        folder = self.root / str(self._generation)
        folder.mkdir()
        return folder

    def remove(self) -> None:
        """Give the host its folder back."""
        self._vfs.unregister()
        shutil.rmtree(self.root, ignore_errors=True)

    def sync(self, file: UnsyncedFile, *, is_log: bool) -> None:
        """Make a file durable, unless the disk fails: then what has not arrived by now is forsaken."""
        if self.sync_fails(is_log):
            file.fail_sync(self._arrives_at_all)
            raise apsw.IOError("the simulated sync failed")
        file.sync()
        if self._forsaken_in is not None and self._forsaken_in < self._generation:
            self._is_built_upon = True

    def _arrives_in_time(self, change: Change) -> Iterable[Change]:
        fate, arrived = self._draw_fate("power", change)
        if fate != "kept":
            self._coverage.hit(f"power.{fate}_write")
        return arrived

    def _arrives_at_all(self, change: Change) -> Iterable[Change]:
        fate, arrived = self._draw_fate("sync", change)
        if fate != "kept":
            self._coverage.hit("disk.forsaken_write")
            self._forsaken_in = self._generation
        return arrived

    def _draw_fate(self, stream: str, change: Change) -> tuple[str, Iterable[Change]]:
        fate = self._choices.pick(stream, ("kept", "lost", "torn"))
        if fate == "lost":
            return fate, ()
        if fate == "kept" or isinstance(change, Truncation):
            return "kept", (change,)
        return fate, [
            piece for piece in sectors(change) if self._choices.pick(f"{stream}.sector", (True, False))
        ]


class _Vfs(apsw.VFS):
    """Hands out files that tell the disk what is done to them."""

    def __init__(self, disk: SimulatedDisk) -> None:
        super().__init__(disk.name, "")
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        """Open a file."""
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - apsw's name
        """Delete a file."""
        self._disk_must_live()
        self._disk.forget(filename)
        super().xDelete(filename, syncdir)

    def _disk_must_live(self) -> None:
        if self._disk.is_dead:
            raise apsw.IOError("the process was killed")


class _File(apsw.VFSFile):
    """A file that tells its disk what is done to it."""

    def __init__(self, disk: SimulatedDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._disk = disk
        self._folder = disk.folder
        self._is_log = path.endswith("-wal")
        # Before it is opened, which creates it.
        self._file = disk.file(path) if path else UnsyncedFile()
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        """Write, unless the disk is full or the process ends here."""
        disk = self._disk
        self._must_live()
        if disk.dies():
            disk.is_dead = True
            raise apsw.IOError("the process is killed here")
        if disk.is_full and offset + len(data) > self.xFileSize():
            raise apsw.FullError("the simulated disk is full")
        super().xWrite(data, offset)
        self._file.pending.append(Write(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        """Cut the file off; durable with the next sync."""
        self._must_live()
        super().xTruncate(newsize)
        self._file.pending.append(Truncation(newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        """Sync: what was written is safe from now on, unless the disk fails."""
        self._must_live()
        self._disk.sync(self._file, is_log=self._is_log)

    def _must_live(self) -> None:
        if self._disk.is_dead or self._folder is not self._disk.folder:
            raise apsw.IOError("the process was killed")
