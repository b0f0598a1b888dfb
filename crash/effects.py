"""What handlers did, written by the handlers themselves to a file that no engine ever opens."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["EFFECTS_VARIABLE", "Effect", "note_effect", "read_effects"]

EFFECTS_VARIABLE = "CRASH_EFFECTS"
"""The environment names the file: a handler learns it in whatever process it runs."""

What = Literal["begin", "step", "end"]

_FILES: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Effect:
    """The beginning or the end of an attempt, or a step of it, as its handler saw it.

    `job` is the job's id, and with a step `id/name`. `at_us`: microseconds, monotonic.
    """

    what: What
    job: str
    attempt: int
    fence: int
    at_us: int
    process: int


def note_effect(what: What, job: str, attempt: int, fence: int, path: str | None = None) -> None:
    """Append a line: one write to a file opened for appending, so that no process overwrites another's."""
    name = path or os.environ[EFFECTS_VARIABLE]
    file = _FILES.get(name)
    if file is None:
        file = _FILES[name] = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    at_us = time.monotonic_ns() // 1_000
    os.write(file, f"{what} {job} {attempt} {fence} {at_us} {os.getpid()}\n".encode())


def read_effects(path: Path) -> list[Effect]:
    """Every line, in the order in which they were written."""
    found = []
    if not path.exists():
        return found
    for line in path.read_text("ascii").split("\n")[:-1]:
        what, job, attempt, fence, at_us, process = line.split(" ")
        assert what == "begin" or what == "step" or what == "end"
        found.append(Effect(what, job, int(attempt), int(fence), int(at_us), int(process)))
    return found
