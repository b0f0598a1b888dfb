"""Run a server in less than it would like: on a disk that is full at some size, or broken on purpose.

`python -m crash.storage_limits python -m sheratan ARGUMENTS` runs `sheratan ARGUMENTS` in this process. SHERATAN-free
names in the environment say how: QUOTA_FILE names a file that holds how many bytes the database's files may have
together, which may change at any time; SWALLOW_FULL makes the store report what did not fit as written.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

from sheratan.contracts.errors import Unavailable
from sheratan.store.sqlite.store import SqliteStore
from sheratan.store.unit import Unit
from sheratan.wiring import main

__all__ = ["QUOTA_FILE", "SWALLOW_FULL"]

QUOTA_FILE, SWALLOW_FULL = "CRASH_QUOTA_FILE", "CRASH_SWALLOW_FULL"

_HOST = apsw.vfs_names()[0]
"""The default of before, by its name: an empty one would mean the quota itself."""


class _Quota(apsw.VFS):
    """A disk of a size that a file tells; every database of this process lies on it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.sizes: dict[str, int] = {}
        super().__init__("quota", _HOST, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        """Open a file."""
        return _LimitedFile(self, name, flags)

    def grow(self, path: str, size: int) -> None:
        """A file is to have this size, if that fits."""
        others = sum(known for name, known in self.sizes.items() if name != path)
        if others + size > int(self._file.read_text("ascii")):
            raise apsw.FullError("the disk is full")
        self.sizes[path] = size


class _LimitedFile(apsw.VFSFile):
    def __init__(self, quota: _Quota, name: Any, flags: list[int]) -> None:
        super().__init__(_HOST, name, flags)
        self._quota = quota
        self._path = str(name.filename() if isinstance(name, apsw.URIFilename) else name)
        self._size = super().xFileSize()
        quota.sizes[self._path] = self._size

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        end = offset + len(data)
        if end > self._size:
            self._quota.grow(self._path, end)
            self._size = end
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        super().xTruncate(newsize)
        self._size = newsize
        self._quota.sizes[self._path] = newsize


def _swallow_full() -> None:
    """Break the product: what does not fit is reported as written."""
    commit = SqliteStore.commit

    def broken(self: SqliteStore, unit: Unit) -> None:
        with suppress(Unavailable):
            commit(self, unit)

    SqliteStore.commit = broken  # type: ignore[method-assign]


if __name__ == "__main__":
    quota_file = os.environ.get(QUOTA_FILE)
    quota = _Quota(Path(quota_file)) if quota_file else None
    if os.environ.get(SWALLOW_FULL):
        _swallow_full()
    sys.exit(main(sys.argv[sys.argv.index("sheratan") + 1 :]))
