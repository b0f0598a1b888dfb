"""How much memory the process uses, and how much it may, as Linux tells it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Memory", "read_memory"]

_GROUPS: Final = Path("sys/fs/cgroup")


class Memory(NamedTuple):
    """Bytes used, and the limit that they are the largest part of."""

    used: int
    limit: int


def read_memory(bytes_max: int = 0, root: Path = Path("/")) -> Memory:
    """What is used of what there is; OSError where `/proc` does not say it.

    Each limit counts: `bytes_max` (0: none) and the machine's memory for what this process has in memory, and those of
    its control groups (version 2) for all that is in the group, without files that may be dropped at any time.
    """
    resident = int((root / "proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    machine = int(_fields(root / "proc/meminfo")["MemTotal:"]) * 1_024
    found = [Memory(resident, bytes_max or machine), *_of_groups(root)]
    return max(found, key=lambda one: one.used / one.limit)


def _of_groups(root: Path) -> Iterator[Memory]:
    """What the process's own group and those above it use, of those that have a limit."""
    path = ""
    with suppress(OSError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
        path = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), "")
    group = Path(path)
    for one in (group, *group.parents):
        folder = root / _GROUPS / one
        with suppress(OSError, ValueError, KeyError):
            limits = [int(text) for text in _limits(folder) if text != "max"]
            if limits:
                current = int((folder / "memory.current").read_text())
                yield Memory(
                    max(0, current - int(_fields(folder / "memory.stat")["inactive_file"])), min(limits) or 1
                )


def _limits(folder: Path) -> Iterator[str]:
    for name in ("memory.max", "memory.high"):
        with suppress(FileNotFoundError):
            yield (folder / name).read_text().strip()


def _fields(path: Path) -> dict[str, str]:
    """The lines of a file as names and their values."""
    return {words[0]: words[1] for line in path.read_text().splitlines() if len(words := line.split()) > 1}
