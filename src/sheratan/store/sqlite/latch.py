"""A halt that cannot be written into the database is kept in a file beside it, until an engine has."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from sheratan.store.port_system import Latch

__all__ = ["read_latch", "remove_latch", "write_latch"]

_SUFFIX = ".halted"
_UNREADABLE = "an engine has halted, and why cannot be read any more"


def _file_of(database: str) -> Path | None:
    """Where the latch of a database lies; None for one in memory."""
    return Path(database + _SUFFIX) if database else None


def read_latch(database: str) -> Latch | None:
    """The halt that is kept beside a database; one that cannot be read counts, too."""
    file = _file_of(database)
    if file is None or not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Latch)
    except (OSError, msgspec.DecodeError):
        return Latch(_UNREADABLE, 0)


def write_latch(database: str, latch: Latch) -> None:
    """Keep a halt beside a database; the first one stays. OSError when not even that can be written."""
    file = _file_of(database)
    if file is None or file.exists():
        return
    draft = file.with_name(f"{file.name}.draft")
    with draft.open("wb") as writer:
        writer.write(msgspec.json.encode(latch))
        writer.flush()
        os.fsync(writer.fileno())
    draft.replace(file)
    _sync_folder(file.parent)


def remove_latch(database: str) -> None:
    """The journal says it now."""
    file = _file_of(database)
    if file is not None:
        with suppress(FileNotFoundError):
            file.unlink()
            _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
