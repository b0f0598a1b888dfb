"""Jobs that harm whoever runs them: they eat memory, crash, never end, say too much, or return what nobody can read."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import time

from crash.effects import note_effect
from sheratan import Context, job

__all__ = [
    "babble",
    "crash_hard",
    "crash_inside",
    "crunch",
    "hog",
    "hog_inside",
    "reckon",
    "return_garbage",
    "return_much",
    "spin",
]

_CHUNK = 1 << 22
_SECONDS_MAX = 0.5


@job(cpu_bound=True, attempts_max=3)
def reckon(ctx: Context, number: int) -> int:
    """Harmless: it shares the processes of the harmful ones."""
    note_effect("begin", ctx.job_id, ctx.attempt, ctx.fence)
    found = sum(range(number)) + number
    note_effect("end", ctx.job_id, ctx.attempt, ctx.fence)
    return found


@job(cpu_bound=True, attempts_max=1)
def crunch(ctx: Context, milliseconds: int) -> int:
    """Harmless, too: compute for so long."""
    note_effect("begin", ctx.job_id, ctx.attempt, ctx.fence)
    rounds, end = 0, time.process_time() + milliseconds / 1_000
    while time.process_time() < end:
        rounds += 1
    note_effect("end", ctx.job_id, ctx.attempt, ctx.fence)
    return rounds


@job(cpu_bound=True, attempts_max=3)
def hog(size: int) -> int:
    """Take so many bytes and touch them all."""
    return _take(size)


@job(attempts_max=3)
def hog_inside(size: int) -> int:
    """The same in a thread of the server, where nothing can be done about it."""
    return _take(size)


def _take(size: int) -> int:
    taken = [os.urandom(64) * (_CHUNK // 64) for _ in range(size // _CHUNK)]
    return sum(map(len, taken))


@job(cpu_bound=True, attempts_max=3)
def crash_hard(number: int) -> int:
    """Read from address 0."""
    return _crash()


@job(attempts_max=3)
def crash_inside(number: int) -> int:
    """The same in a thread of the server."""
    return _crash()


def _crash() -> int:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return len(ctypes.string_at(0))


@job(cpu_bound=True, attempts_max=2, run_timeout_seconds=_SECONDS_MAX, backoff_base_seconds=0.01)
def spin(number: int) -> int:
    """Compute for ever."""
    while True:
        number += 1


@job(cpu_bound=True, attempts_max=2, backoff_base_seconds=0.01)
def babble(size: int) -> int:
    """Print so many bytes, and fail."""
    line = "x" * 65_535 + "\n"
    for _ in range(size // len(line)):
        sys.stdout.write(line)
    raise ValueError("said enough")


@job(cpu_bound=True, attempts_max=2, backoff_base_seconds=0.01)
def return_much(size: int) -> str:
    """Return more than a result may have."""
    return "x" * size


@job(cpu_bound=True, attempts_max=2, backoff_base_seconds=0.01)
def return_garbage(number: int) -> str:
    """Return text that no encoding can carry."""
    return "\udcff" * number
