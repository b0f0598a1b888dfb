"""Forks that are killed, and a SQLite VFS that kills its own process before the n-th operation on its files."""

from __future__ import annotations

import itertools
import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

import apsw

__all__ = ["KillAtOperation", "forked"]

_numbers = itertools.count(1)


class KillAtOperation(apsw.VFS):
    """A VFS that kills its own process before an operation that changes files; with 0 it only counts.

    The disk is never waited for: what was written is in the hands of the kernel, which outlives a kill.
    """

    def __init__(self, kill_at: int) -> None:
        self.kill_at = kill_at
        self.operations = 0
        self.kinds: dict[str, int] = {}
        self.name = f"kill-at-operation-{next(_numbers)}"
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        """Open a file."""
        return _CountedFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - apsw's name
        """Delete a file."""
        self.operate("delete")
        super().xDelete(filename, syncdir)

    def operate(self, kind: str) -> None:
        """One more operation."""
        self.operations += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if self.operations == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


class _CountedFile(apsw.VFSFile):
    def __init__(self, vfs: KillAtOperation, name: Any, flags: list[int]) -> None:
        self._vfs = vfs
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        self._vfs.operate("write")
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        self._vfs.operate("truncate")
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        self._vfs.operate("sync")


def forked(act: Callable[[], object]) -> bool:
    """Do it in a fork; False when that was killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.waitstatus_to_exitcode(status):
        raise AssertionError("the script has failed")
    return True
