"""A folder of the host, in steps that each do one thing: so that what is durable, and when, can be told and tested."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sheratan.contracts.errors import Unavailable

__all__ = ["Folder", "HostFolder"]


class Folder(Protocol):
    """Files by name. What is written or renamed may be lost when the power goes, until it was synced."""

    def read(self, name: str) -> bytes | None:
        """What a file holds; None when it is not there. Unavailable when it cannot be read."""
        ...

    def write(self, name: str, body: bytes) -> None:
        """Write a file anew. Unavailable when that is not possible, and then it may hold anything."""
        ...

    def sync(self, name: str) -> None:
        """Make what a file holds durable."""
        ...

    def rename(self, name: str, to: str) -> None:
        """Give a file another name, in place of whatever has it."""
        ...

    def sync_names(self) -> None:
        """Make it durable which files there are."""
        ...


class HostFolder:
    """A folder of the host's file system, which is made when it is first written to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, name: str) -> bytes | None:
        """What a file holds; None when it is not there."""
        with self._told(name, "read"):
            try:
                return (self._path / name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, name: str, body: bytes) -> None:
        """Write a file anew."""
        with self._told(name, "written"):
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._path / name).write_bytes(body)

    def sync(self, name: str) -> None:
        """Make what a file holds durable."""
        with self._told(name, "written"):
            _sync(self._path / name)

    def rename(self, name: str, to: str) -> None:
        """Give a file another name, in place of whatever has it."""
        with self._told(to, "written"):
            (self._path / name).replace(self._path / to)

    def sync_names(self) -> None:
        """Make it durable which files there are, and the folder itself."""
        with self._told("", "written"):
            _sync(self._path)
            _sync(self._path.parent)

    @contextmanager
    def _told(self, name: str, what: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(f"{self._path / name} cannot be {what}: {error.strerror}") from error


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
