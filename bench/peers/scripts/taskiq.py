"""taskiq on a stream of Valkey, with acknowledgements. Its own program runs the workers."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from bench.peers.scripts import common

__all__ = ["TaskiqScript", "broker", "task"]

GROUP = STREAM = "taskiq"


def declare() -> tuple[Any, Any]:
    """The broker and the task. The group reads from the start: jobs are submitted before workers exist."""
    package = importlib.import_module("taskiq_redis")
    made = package.RedisStreamBroker(url=common.url(), consumer_id="0", xread_count=200)

    async def noop(text: str) -> None:
        common.stamp()

    return made, made.task(task_name="noop")(noop)


broker, task = declare() if common.url() else (None, None)


class TaskiqScript(common.AsyncScript):
    """Unfinished is what the group has not read, or read and not acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self._is_open = False
        self._valkey = importlib.import_module("redis").Redis.from_url(common.url())

    def prepare(self) -> None:
        self.run(self._open())

    async def submit_async(self, count: int) -> None:
        await self._open()
        assert task is not None
        for _ in range(count):
            await task.kiq(common.PAYLOAD)

    def left(self) -> int:
        (group,) = self._valkey.xinfo_groups(STREAM)
        if group["lag"] is None:
            raise RuntimeError("the server cannot say how far the group lags behind")
        count: int = group["lag"] + group["pending"]
        return count

    async def _open(self) -> None:
        if not self._is_open:
            assert broker is not None
            await broker.startup()
            self._is_open = True

    async def close_async(self) -> None:
        if self._is_open:
            assert broker is not None
            await broker.shutdown()


if __name__ == "__main__":
    common.main(TaskiqScript(), sys.argv[1:])
