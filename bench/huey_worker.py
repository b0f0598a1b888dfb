"""A Huey application and its consumer, run as a program of its own: `python -m bench.huey_worker FOLDER MODE`.

MODE is `thread` or `process` (Huey's own consumer with two workers) or `loop` (one loop that takes and runs tasks,
Huey without its consumer). The task takes down when it ran, 8 bytes in a file that is opened for appending: a few
microseconds, so that start and end are known whichever process runs it.
"""

from __future__ import annotations

import importlib
import os
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["MODES", "RAN", "SIZE", "application"]

MODES = ("thread", "process", "loop")
RAN = "ran"
SIZE = struct.calcsize("d")


def application(folder: Path) -> tuple[Any, Any]:
    """A durable SqliteHuey in a folder, and its task."""
    huey = importlib.import_module("huey").SqliteHuey(filename=str(folder / "huey.db"), fsync=True)
    handle = os.open(folder / RAN, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def noop(text: str) -> None:
        os.write(handle, struct.pack("d", time.monotonic()))

    # A task is found by its module's name, and this module has two: here and in the program that imports it.
    noop.__module__ = "bench"
    return huey, huey.task(name="noop")(noop)


def main(arguments: list[str]) -> None:
    """Work until the parent ends the process; the loop ends with the queue."""
    folder, mode = Path(arguments[0]), arguments[1]
    huey, _ = application(folder)
    if mode == "loop":
        while (task := huey.dequeue()) is not None:
            huey.execute(task)
        return
    consumer = huey.create_consumer(workers=2, worker_type=mode, periodic=False, max_delay=0.1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    consumer.run()


if __name__ == "__main__":
    main(sys.argv[1:])
