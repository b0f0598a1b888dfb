"""Servers that a benchmark starts: as whom, until they are ready, and ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers.environments import Missing

__all__ = ["NOBODY_ELSE", "Service", "User", "running", "wait_until_ready"]

SECONDS_MAX = 30.0


@dataclass(frozen=True)
class Service:
    """A server that runs: its URL, what it calls itself, and its first process."""

    url: str
    version: str
    process: int


@dataclass(frozen=True)
class User:
    """Who a server is to be, in Popen's words; nobody else when there is no root to drop."""

    user: int | None = None
    group: int | None = None
    extra_groups: tuple[int, ...] | None = None


NOBODY_ELSE = User()


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    user: User,
    stop: signal.Signals,
    environment: Mapping[str, str] | None = None,
) -> Generator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; what it says goes to `log`, beside which it runs."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            env=None if environment is None else {**os.environ, **environment},
            user=user.user,
            group=user.group,
            extra_groups=user.extra_groups,
        )
        try:
            yield process
        finally:
            process.send_signal(stop)
            try:
                process.wait(SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool]) -> None:
    """Missing when a server ends before it is ready, or is not within 30 s."""
    until = time.monotonic() + SECONDS_MAX
    while not is_ready():
        if process.poll() is not None or time.monotonic() > until:
            said = log.read_text("utf-8", "replace").strip().splitlines()
            raise Missing(f"its server did not start: {said[-1] if said else 'it said nothing'}")
        time.sleep(0.02)
