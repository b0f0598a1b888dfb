"""Huey on SQLite with a sync per commit. MODE: `thread` or `process` (its consumer with two workers), or `loop`."""

from __future__ import annotations

import importlib
import signal
import sys
import time
from typing import Any

from bench.peers.scripts import common

__all__ = ["HueyScript"]

POLL_SECONDS = 0.01


def application() -> tuple[Any, Any]:
    """A durable SqliteHuey that keeps no results, and its task."""
    huey = importlib.import_module("huey").SqliteHuey(filename=str(common.folder() / "huey.db"), fsync=True)

    def noop(text: str) -> None:
        common.stamp()

    # A task is found by its module's name, which is __main__ in every process here.
    return huey, huey.task(name="noop")(noop)


class HueyScript(common.Script):
    """Huey deletes a task when it is taken: finished means started here."""

    def __init__(self) -> None:
        self._huey, self._task = application()

    def submit(self, count: int) -> None:
        for _ in range(count):
            self._task(common.PAYLOAD)

    def left(self) -> int:
        count: int = self._huey.pending_count()
        return count

    def work(self) -> None:
        if common.mode() == "loop":
            self._loop()
        consumer = self._huey.create_consumer(
            workers=2,
            worker_type=common.mode(),
            periodic=False,
            initial_delay=POLL_SECONDS,
            max_delay=POLL_SECONDS,
        )
        signal.signal(signal.SIGINT, signal.default_int_handler)
        consumer.run()

    def _loop(self) -> None:
        """Huey without its consumer: take a task and run it."""
        while True:
            task = self._huey.dequeue()
            if task is None:
                time.sleep(0.005)
            else:
                self._huey.execute(task)


if __name__ == "__main__":
    common.main(HueyScript(), sys.argv[1:])
