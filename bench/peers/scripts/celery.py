"""Celery on Valkey: acknowledged after the task has run, no results. Its own program runs the workers."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from bench.peers.scripts import common

__all__ = ["CeleryScript", "app"]

_PREFETCH = 64


def application() -> Any:
    """The application, as `celery -A` finds it."""
    made = importlib.import_module("celery").Celery(
        "bench", broker=common.url().replace("unix://", "redis+socket://")
    )
    made.conf.update(
        task_acks_late=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=_PREFETCH,
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
    )
    return made


app = application() if common.url() else None


def noop(text: str) -> None:
    """Do nothing."""
    common.stamp()


task = app.task(name="noop")(noop) if app is not None else None


class CeleryScript(common.Script):
    """Unfinished is what waits and what was taken but not acknowledged."""

    def __init__(self) -> None:
        self._valkey = importlib.import_module("redis").Redis.from_url(common.url())

    def submit(self, count: int) -> None:
        assert task is not None
        for _ in range(count):
            task.delay(common.PAYLOAD)

    def left(self) -> int:
        count: int = self._valkey.llen("celery") + self._valkey.hlen("unacked")
        return count


if __name__ == "__main__":
    common.main(CeleryScript(), sys.argv[1:])
