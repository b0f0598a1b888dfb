"""DBOS on PostgreSQL: a workflow that does nothing, from a queue that its workers poll."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from typing import Any

from bench.peers.scripts import common

__all__ = ["DbosScript"]

QUEUE = "bench"
POLL_SECONDS = 0.05
UNFINISHED = "SELECT count(*) FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING', 'DELAYED')"


class DbosScript(common.Script):
    """The client submits; a process that has launched the library runs workflows."""

    def __init__(self) -> None:
        self._package = importlib.import_module("dbos")
        self._client: Any = None
        self._connection: Any = None

    def prepare(self) -> None:
        self._launch()
        self._package.DBOS.destroy()

    def submit(self, count: int) -> None:
        if self._client is None:
            self._client = self._package.DBOSClient(system_database_url=common.url())
        options = {"queue_name": QUEUE, "workflow_name": common.task()}
        for _ in range(count):
            self._client.enqueue(options, common.PAYLOAD)

    def left(self) -> int:
        if self._connection is None:
            psycopg = importlib.import_module("psycopg")
            self._connection = psycopg.connect(common.url(), autocommit=True)
        count: int = self._connection.execute(UNFINISHED).fetchone()[0]
        return count

    def work(self) -> None:
        stopped = threading.Event()
        signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
        self._launch()
        stopped.wait()
        self._package.DBOS.destroy()

    def _launch(self) -> None:
        dbos = self._package.DBOS
        config = {
            "name": "bench",
            "system_database_url": common.url(),
            "application_version": "1",
            # With one name for both, the second process would recover, and run again, what the first one runs.
            "executor_id": f"bench-{os.getpid()}",
            "log_level": "ERROR",
            "run_admin_server": False,
        }
        dbos(config=config)

        def noop(text: str) -> None:
            common.stamp()

        act = dbos.step(name="act")(common.act_now)

        def steps(text: str) -> None:
            for number in range(common.STEPS):
                act(number)

        dbos.workflow(name="noop")(noop)
        dbos.workflow(name="steps")(steps)
        dbos.launch()
        dbos.register_queue(QUEUE, polling_interval_sec=POLL_SECONDS)

    def close(self) -> None:
        if self._client is not None:
            self._client.destroy()
        if self._connection is not None:
            self._connection.close()


if __name__ == "__main__":
    common.main(DbosScript(), sys.argv[1:])
