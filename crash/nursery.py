"""Processes that start in milliseconds: forked from one that has imported everything, killed like any other.

Hundreds of workers and clients die in a run. Each is a process of its own; only its imports are done before.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

__all__ = ["Child", "Nursery"]

_FOLDER = Path(__file__).parent.parent
_PR_SET_PDEATHSIG = 1


class Child:
    """A process by a handle that no later process can be mistaken for."""

    def __init__(self, number: int) -> None:
        self.number = number
        try:
            self._handle: int | None = os.pidfd_open(number)
        except ProcessLookupError:
            self._handle = None

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not self.wait(0)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self._handle is not None and not self.wait(0):
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """End it as a power cut would, and wait for the end."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it goes on."""
        if self._handle is None:
            return True
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        if not poll.poll(seconds * 1_000):
            return False
        os.close(self._handle)
        self._handle = None
        return True


class Nursery:
    """Starts children that call a function of a module. They die with it, and it ends with this program."""

    def __init__(self, *modules: str, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "crash.nursery", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_FOLDER,
            env={**os.environ, **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, function: str, *arguments: Any) -> Child:
        """Call `module:function` with arguments that JSON can carry, in a new process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([function, *arguments]) + "\n")
        self._process.stdin.flush()
        return Child(int(self._process.stdout.readline()))

    def close(self) -> None:
        """End it and all its children."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _serve(modules: list[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    # The kernel buries the children; whoever asked for them holds a handle.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while line := sys.stdin.readline():
        number = os.fork()
        if number == 0:
            _live(json.loads(line))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def _live(call: list[Any]) -> NoReturn:
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        module, _, name = call[0].partition(":")
        getattr(importlib.import_module(module), name)(*call[1:])
        code = 0
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1:])
