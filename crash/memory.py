"""A group of processes with a limit on their memory, by the kernel's control groups (version 1 or 2)."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["MemoryGroup", "limited_memory", "why_not"]

_LIMITS = (("memory.limit_in_bytes", "memory.oom_control"), ("memory.max", "memory.events"))
"""The files of the limit and of the count of kills: version 1, version 2."""


class MemoryGroup:
    """A control group. `prefix` is a command that runs another one inside it."""

    def __init__(self, path: Path, counts: str) -> None:
        self.path = path
        self._counts = counts

    @property
    def prefix(self) -> list[str]:
        """The beginning of a command whose rest runs in the group."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.path / "cgroup.procs")]

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed for want of memory."""
        for line in (self.path / self._counts).read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
        return 0


@contextmanager
def limited_memory(size: int) -> Generator[MemoryGroup]:
    """A group whose processes have so many bytes together, until the block ends; by then they must have ended."""
    group = _make(size)
    if group is None:
        raise AssertionError("ask `why_not` first")
    try:
        yield group
    finally:
        group.path.rmdir()


def why_not() -> str | None:
    """Why this machine has no such groups for this user, or None when it has."""
    group = _make(1 << 30)
    if group is None:
        return "no control group with a memory limit can be made by this user"
    group.path.rmdir()
    return None


def _make(size: int) -> MemoryGroup | None:
    for parent in _parents():
        path = parent / f"sheratan-crash-{os.getpid()}"
        try:
            path.mkdir()
        except OSError:
            continue
        for limit, counts in _LIMITS:
            if (path / limit).exists():
                (path / limit).write_text(str(size))
                return MemoryGroup(path, counts)
        path.rmdir()
    return None


def _parents() -> list[Path]:
    """Where a group can be made: under the group of this process, or at the top."""
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own[controllers or "cgroup2"] = path.lstrip("/")
    found: list[Path] = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, kind, options, *_ = line.split(" ")
        if kind == "cgroup2":
            name = "cgroup2"
        elif kind == "cgroup" and "memory" in options.split(","):
            name = next((name for name in own if "memory" in name.split(",")), "")
        else:
            continue
        found += [Path(mount) / own.get(name, ""), Path(mount)]
    return found
