"""RQ on Valkey with its SimpleWorker, which runs jobs in its own process; a job is gone once it has succeeded."""

from __future__ import annotations

import importlib
import sys

from bench.peers.scripts import common

__all__ = ["RqScript", "noop"]

FUNCTION = "bench.peers.scripts.rq.noop"


def noop(text: str) -> None:
    """Do nothing."""
    common.stamp()


class RqScript(common.Script):
    """Unfinished is what waits and what is in progress."""

    def __init__(self) -> None:
        self._package = importlib.import_module("rq")
        self._valkey = importlib.import_module("redis").Redis.from_url(common.url())
        self._queue = self._package.Queue("default", connection=self._valkey)

    def submit(self, count: int) -> None:
        for _ in range(count):
            self._queue.enqueue(FUNCTION, common.PAYLOAD, result_ttl=0)

    def bulk(self, count: int) -> None:
        for start in range(0, count, common.BULK_JOBS):
            jobs = min(common.BULK_JOBS, count - start)
            prepared = [
                self._package.Queue.prepare_data(FUNCTION, (common.PAYLOAD,), result_ttl=0)
                for _ in range(jobs)
            ]
            self._queue.enqueue_many(prepared)

    def left(self) -> int:
        count: int = self._valkey.llen("rq:queue:default") + self._valkey.zcard("rq:wip:default")
        return count

    def work(self) -> None:
        self._package.SimpleWorker([self._queue], connection=self._valkey).work(logging_level="ERROR")


if __name__ == "__main__":
    common.main(RqScript(), sys.argv[1:])
