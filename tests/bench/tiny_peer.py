"""A queue of a few lines, as a script of a peer. MODE: `good`, or a fault that the harness must notice."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys

from bench.peers.scripts import common


class TinyScript(common.Script):
    def __init__(self) -> None:
        self._database = sqlite3.connect(common.folder() / "tiny.db", isolation_level=None)

    def prepare(self) -> None:
        self._database.execute("CREATE TABLE job (number INTEGER PRIMARY KEY, is_done INTEGER DEFAULT 0)")

    def submit(self, count: int) -> None:
        for _ in range(count):
            self._database.execute("INSERT INTO job DEFAULT VALUES")

    def bulk(self, count: int) -> None:
        self._database.executemany("INSERT INTO job (is_done) VALUES (?)", [(0,)] * count)

    def left(self) -> int:
        count: int = self._database.execute("SELECT count(*) FROM job WHERE NOT is_done").fetchone()[0]
        return count

    def work(self) -> None:
        for (number,) in self._database.execute("SELECT number FROM job ORDER BY number").fetchall():
            self._run(number)
        signal.pause()

    def _run(self, number: int) -> None:
        if not (common.mode() == "forgets" and number == 3):
            common.stamp()
        if common.mode() == "twice" and number == 3:
            common.stamp()
        if common.mode() == "dies" and number == 3:
            sys.stderr.write("it gives up\n")
            sys.stderr.flush()
            os._exit(1)
        if not (common.mode() == "never ends" and number == 3):
            self._database.execute("UPDATE job SET is_done = 1 WHERE number = ?", (number,))


if __name__ == "__main__":
    common.main(TinyScript(), sys.argv[1:])
