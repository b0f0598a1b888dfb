"""Refuse a SQLite library that can lose or corrupt what it was given."""

from __future__ import annotations

import apsw

from sheratan.contracts.errors import UnsafeLibrary

__all__ = ["check_library"]

_FIXED = (3, 51, 3)
_BACKPORTS = {(3, 44): 6, (3, 50): 7}


def check_library(version: str | None = None) -> str:
    """The library's version, or UnsafeLibrary when two connections can corrupt a WAL file with it.

    The WAL-reset race is in 3.7.0 to 3.51.2, except 3.44.6 and 3.50.7 and later of those lines
    (https://sqlite.org/wal.html#walresetbug).
    """
    found = version or apsw.sqlite_lib_version()
    major, minor, patch = (int(part) for part in found.split(".")[:3])
    backport = _BACKPORTS.get((major, minor))
    if (major, minor, patch) >= _FIXED or (backport is not None and patch >= backport):
        return found
    raise UnsafeLibrary(
        f"SQLite {found} can corrupt a database in WAL mode; 3.51.3 or later is needed"
        " (install apsw from its wheel, which bundles one)"
    )
