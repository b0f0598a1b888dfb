"""One owner per data directory, by a lock that the kernel releases when the owner dies."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

import msgspec

from sheratan.contracts.errors import DataDirectoryInUse, InvalidInput

__all__ = ["Holder", "OwnerLock", "read_holder"]

LOCK_NAME = "owner.lock"
_LOCK_FORMAT = "@hhqqi4x"


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns a data directory: its process id, what it runs, and since when (microseconds since the epoch)."""

    pid: int
    program: str
    since_us: int


class OwnerLock:
    """The lock on a data directory, held until `release` or the end of the process."""

    def __init__(self, directory: Path, holder: Holder) -> None:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InvalidInput(f"{directory} cannot be used: {error.strerror}", field="data") from error
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _lock_request())
        except OSError:
            os.close(self._file)
            raise DataDirectoryInUse(_refusal(directory), field="data") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, msgspec.json.encode(holder), 0)

    def release(self) -> None:
        """Give the directory back."""
        os.close(self._file)


def read_holder(directory: Path) -> Holder | None:
    """Who holds the lock now, or None when nobody does."""
    path = directory / LOCK_NAME
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Asked, not taken: a lock taken for a look could turn away an owner that starts at that moment.
        answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _lock_request())
    finally:
        os.close(file)
    return _read(path) if struct.unpack(_LOCK_FORMAT, answer)[0] != fcntl.F_UNLCK else None


def _lock_request() -> bytes:
    """A lock on the whole file that belongs to the open file, as fcntl(2) wants it: `struct flock`."""
    return struct.pack(_LOCK_FORMAT, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def _read(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None


def _refusal(directory: Path) -> str:
    holder = _read(directory / LOCK_NAME)
    who = f"process {holder.pid} ({holder.program})" if holder else "another process"
    return f"{directory} is in use by {who}; talk to it over its socket, or stop it first"
