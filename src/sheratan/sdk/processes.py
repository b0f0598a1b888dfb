"""CPU-bound handlers in processes of their own, one call at a time each, killed when the call is given up."""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, NamedTuple

from sheratan.sdk.errors import HandlerError, ProcessDied

__all__ = ["ProcessPool", "end_with_parent"]

_NICENESS: Final = 5
"""Handlers get a quarter of a CPU that the engine wants, too; alone they get all of it."""

_FIRST_TO_GO: Final = 500
"""Added to a handler's badness when the kernel looks for a process to end for its memory (-1000 to 1000)."""


class RemoteError(Exception):
    """The handler raised an exception that could not be carried over; its text is here."""


class _Child(NamedTuple):
    process: BaseProcess
    pipe: Connection


class ProcessPool:
    """Processes that are started when needed and used again. The caller runs at most `size` calls at once."""

    def __init__(self, size: int) -> None:
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="sheratan-process")
        self._idle: list[_Child] = []
        self._spawn = multiprocessing.get_context("spawn")

    async def run(self, handler: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        """Call a handler in a process; when this is cancelled the process is killed."""
        loop = asyncio.get_running_loop()
        child = self._idle.pop() if self._idle else await loop.run_in_executor(self._threads, self._start)
        try:
            message = (handler.__module__, handler.__qualname__, list(arguments))
            ok, value = await loop.run_in_executor(self._threads, _ask, child, message)
        except BaseException:
            # Given up or broken: a process that may still be computing is of no use to the next call.
            child.process.kill()
            child.pipe.close()
            raise
        self._idle.append(child)
        if ok:
            return value
        raise value

    def close(self) -> None:
        """End the processes that are idle."""
        for child in self._idle:
            child.process.kill()
            child.process.join()
            child.pipe.close()
        self._idle.clear()
        self._threads.shutdown(wait=False)

    def _start(self) -> _Child:
        ours, theirs = self._spawn.Pipe()
        process = self._spawn.Process(target=_serve, args=(theirs, list(sys.path)), daemon=True)
        process.start()
        _put_first(process)
        theirs.close()
        return _Child(process, ours)


def _put_first(process: BaseProcess) -> None:
    """A handler that takes all memory must not end the engine; said before the process has grown to its own size."""
    with suppress(OSError):
        Path(f"/proc/{process.pid}/oom_score_adj").write_text(str(_FIRST_TO_GO), "ascii")


def _ask(child: _Child, message: tuple[str, str, list[Any]]) -> tuple[bool, Any]:
    try:
        child.pipe.send_bytes(pickle.dumps(message))
        answer: tuple[bool, Any] = child.pipe.recv()
    except (EOFError, OSError) as error:
        child.process.join(timeout=5)
        raise ProcessDied(f"the handler's process ended with exit code {child.process.exitcode}") from error
    return answer


def _serve(pipe: Connection, path: list[str]) -> None:
    """The child's main loop. Ctrl-C is for the parent, which decides what happens to running jobs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[:] = path
    os.nice(_NICENESS)
    end_with_parent()
    while True:
        try:
            message = pipe.recv_bytes()
        except EOFError:
            return
        pipe.send_bytes(_pack(*_call(message)))


def end_with_parent() -> None:
    """Have this process end when the one that started it does, however that ends."""
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """A handler whose engine was killed must not compute on: its job will be run again elsewhere."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _pack(ok: bool, value: Any) -> bytes:
    """An answer as bytes that the parent can surely read."""
    try:
        packed = pickle.dumps((ok, value))
        if not ok:
            # Many exceptions can be taken apart and not put together again.
            pickle.loads(packed)  # noqa: S301 - written here
    except Exception as error:
        if isinstance(value, HandlerError):
            plain = HandlerError(str(value))
            plain.error_class, plain.retry_after_seconds = value.error_class, value.retry_after_seconds
            return pickle.dumps((False, plain))
        return pickle.dumps((False, RemoteError(f"{type(error).__qualname__}: {error}")))
    return packed


def _call(message: bytes) -> tuple[bool, Any]:
    try:
        # The parent of this process wrote the message; nobody else can.
        module, name, arguments = pickle.loads(message)  # noqa: S301
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        # The module's name stands for the kind; the function is inside it.
        return True, getattr(found, "handler", found)(*arguments)
    except HandlerError as error:
        return False, error
    except Exception as error:
        text = "".join(traceback.format_exception(error))
        return False, RemoteError(f"{type(error).__qualname__}: {error}\n{text}")
