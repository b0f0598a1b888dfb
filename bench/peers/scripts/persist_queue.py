"""persist-queue: a durable queue without workers. A loop in one process gets a job and acknowledges it."""

from __future__ import annotations

import importlib
import sqlite3
import sys
import time

from bench.peers.scripts import common

__all__ = ["PersistQueueScript"]

ACKNOWLEDGED = 5
UNFINISHED = f"SELECT count(*) FROM ack_queue_default WHERE status < {ACKNOWLEDGED}"  # noqa: S608 - a number


class PersistQueueScript(common.Script):
    """SQLiteAckQueue, a commit per call."""

    def __init__(self) -> None:
        package = importlib.import_module("persistqueue")
        self._queue = package.SQLiteAckQueue(str(common.folder() / "queue"), auto_commit=True)
        self._empty = package.Empty
        self._reader = sqlite3.connect(common.folder() / "queue" / "data.db")

    def submit(self, count: int) -> None:
        for _ in range(count):
            self._queue.put(common.PAYLOAD)

    def left(self) -> int:
        count: int = self._reader.execute(UNFINISHED).fetchone()[0]
        return count

    def work(self) -> None:
        while True:
            try:
                item = self._queue.get(block=False, raw=True)
            except self._empty:
                time.sleep(0.005)
                continue
            common.stamp()
            self._queue.ack(id=item["pqid"])


if __name__ == "__main__":
    common.main(PersistQueueScript(), sys.argv[1:])
