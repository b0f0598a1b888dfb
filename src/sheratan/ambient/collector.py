"""The garbage collector of the process: paused for a while, or set for a server."""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

__all__ = ["collector_paused", "spare_collector"]

_YOUNG_OBJECTS: Final = 20_000
"""Objects between two looks at the young ones. Jobs make many that die at once, without the collector's help; with
Python's own 700 it looked after every dozen jobs and took a twentieth of the time."""

_lock = threading.Lock()
_pauses = 0
_was_enabled = False


@contextmanager
def collector_paused() -> Generator[None]:
    """Within it the collector rests, for work that makes many objects and no cycles.

    It is as it was once the last of several pauses has ended.
    """
    global _pauses, _was_enabled
    with _lock:
        if not _pauses:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if not _pauses and _was_enabled:
                gc.enable()


def spare_collector() -> None:
    """Take what has been built so far for permanent, and look at what comes later less often.

    Only a program that is a server may do this.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
