"""Restate: its server calls the handlers of the worker processes, which share a port, over HTTP/2.

The server knows a handler once its process has been registered, so that is done before anything is submitted. While no
worker runs, the server tries again and again to reach one; its settings say how often.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib
import json
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

from bench.peers.scripts import common

__all__ = ["RestateScript"]

SERVICE = "bench"
PORT = "port"
HEADERS = {"content-type": "application/json", "accept": "application/json"}
UNFINISHED = "SELECT count(*) AS unfinished FROM sys_invocation WHERE status <> 'completed'"
OK = range(200, 300)


class _Connection(http.client.HTTPConnection):
    """HTTP over one of the server's sockets."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))

    def post(self, path: str, body: Any) -> Any:
        """Send JSON; returns the answer's."""
        self.request("POST", path, json.dumps(body), HEADERS)
        response = self.getresponse()
        text = response.read()
        if response.status not in OK:
            sys.exit(f"{path}: {response.status} {text.decode()}")
        return json.loads(text)


class RestateScript(common.Script):
    """The URL is the folder with the server's sockets."""

    def __init__(self) -> None:
        self._sockets = Path(common.url())
        self._ingress = _Connection(self._sockets / "ingress.sock")
        self._admin = _Connection(self._sockets / "admin.sock")

    def prepare(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            (common.folder() / PORT).write_text(str(free.getsockname()[1]), "utf-8")
        asyncio.run(self._register())

    async def _register(self) -> None:
        stopped = asyncio.Event()
        serving = asyncio.create_task(self._serve(stopped))
        body = {"uri": f"http://127.0.0.1:{self._port()}"}
        await asyncio.to_thread(self._admin.post, "/deployments", body)
        stopped.set()
        await serving

    def submit(self, count: int) -> None:
        for _ in range(count):
            self._ingress.post(f"/{SERVICE}/{common.task()}/send", common.PAYLOAD)

    def left(self) -> int:
        count: int = self._admin.post("/query", {"query": UNFINISHED})["rows"][0]["unfinished"]
        return count

    def work(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await self._serve(stopped)

    async def _serve(self, stopped: asyncio.Event) -> None:
        config = importlib.import_module("hypercorn.config").Config()
        config.bind = [f"127.0.0.1:{self._port()}"]
        config.workers = 2  # so that both processes may listen on the port
        config.graceful_timeout = 1.0
        serve = importlib.import_module("hypercorn.asyncio").serve
        await serve(_application(), config, shutdown_trigger=stopped.wait)

    def _port(self) -> int:
        return int((common.folder() / PORT).read_text("utf-8"))

    def close(self) -> None:
        self._ingress.close()
        self._admin.close()


def _application() -> Any:
    restate = importlib.import_module("restate")
    service = restate.Service(SERVICE)

    async def noop(context: Any, text: str) -> None:
        common.stamp()

    async def steps(context: Any, text: str) -> None:
        for number in range(common.STEPS):
            await context.run_typed("act", partial(common.act, number))

    for handler in (noop, steps):
        service.handler(handler.__name__)(handler)
    return restate.app(services=[service])


if __name__ == "__main__":
    common.main(RestateScript(), sys.argv[1:])
