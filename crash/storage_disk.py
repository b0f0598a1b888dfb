"""A small disk for a server's data: a tmpfs where this user may mount one, and a quota of a VFS anywhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crash.storage_limits import QUOTA_FILE

__all__ = ["SmallDisk", "can_mount", "small_disk"]


@dataclass(frozen=True)
class SmallDisk:
    """A folder with little room; `free` makes more."""

    folder: Path
    kind: str
    environment: dict[str, str]
    prefix: tuple[str, ...]
    ballast: Path
    room: int

    def free(self) -> None:
        """Give the room back that the ballast takes."""
        if self.kind == "tmpfs":
            self.ballast.unlink()
        else:
            self.ballast.write_text(str(self.room * 4), "ascii")


def can_mount() -> bool:
    """Whether this user may mount a tmpfs here."""
    unshare = shutil.which("unshare")
    if unshare is None or shutil.which("mount") is None or os.getuid() != 0:
        return False
    tried = [unshare, "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(folder: Path, room: int, *, inodes: int | None = None, mounted: bool) -> Generator[SmallDisk]:
    """A disk with `room` bytes and, if given, so many inodes; a ballast takes three times as much."""
    place = folder / "disk"
    place.mkdir()
    bootstrap = (sys.executable, "-m", "crash.storage_limits")
    if not mounted:
        quota = folder / "quota"
        quota.write_text(str(room), "ascii")
        yield SmallDisk(place, "quota of a VFS", {QUOTA_FILE: str(quota)}, bootstrap, quota, room)
        return
    options = f"size={room * 4}" + (f",nr_inodes={inodes}" if inodes else "")
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "sheratan-crash", str(place)], check=True)
    try:
        ballast = place / "ballast"
        ballast.write_bytes(bytes(room * 3))
        yield SmallDisk(place, "tmpfs", {}, bootstrap, ballast, room)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
