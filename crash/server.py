"""`sheratan up` as a process that can be killed at any moment, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crash.nursery import Child

__all__ = ["Life", "Server", "clean_environment"]

_FOLDER = Path(__file__).parent.parent
_START_SECONDS_MAX = 30.0


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what would steer Sheratan, and with `more`."""
    steers = ("NOTIFY_SOCKET", "NO_COLOR", "FORCE_COLOR")
    kept = {n: v for n, v in os.environ.items() if not n.startswith("SHERATAN_") and n not in steers}
    return {**kept, "XDG_CONFIG_HOME": "/nonexistent", **more}


@dataclass
class Life:
    """One process of the server, from its start to its end, in wall-clock microseconds as the journal has them."""

    began_us: int
    ended_us: int = 0
    code: int = 0


@dataclass
class Server:
    """A server on a data directory, one process after the other. `faults` break it on purpose (crash/faults.py)."""

    data: Path
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    faults: str = ""
    prefix: Sequence[str] = ()
    """A command that runs the server, such as one that limits it."""
    lives: list[Life] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _child: Child | None = None

    @property
    def log(self) -> Path:
        """What its processes have said on stderr."""
        return self.data.with_name(self.data.name + ".log")

    @property
    def is_alive(self) -> bool:
        """Whether a process of it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def number(self) -> int:
        """The process id of the last life."""
        assert self._process is not None
        return self._process.pid

    def start(self, faults: str | None = None) -> None:
        """Start a process, and do not wait until it serves."""
        chosen = self.faults if faults is None else faults
        program = ["crash.faults", chosen] if chosen else ["sheratan"]
        command = [
            *self.prefix,
            sys.executable,
            "-m",
            *program,
            "up",
            "--data",
            str(self.data),
            *self.options,
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=_FOLDER,
                env=clean_environment(self.environment),
            )
        self._child = Child(self._process.pid)
        self.lives.append(Life(time.time_ns() // 1_000))

    def wait_ready(self) -> None:
        """Wait until it has said that it is ready."""
        start = self.log.read_bytes().rfind(b"sheratan ") if self.log.exists() else 0
        deadline = time.monotonic() + _START_SECONDS_MAX
        while time.monotonic() < deadline:
            said = self.log.read_bytes()[max(start, 0) :].split(f", process {self.number}\n".encode())
            if len(said) > 1 and b"\nready\n" in b"\n" + said[-1]:
                return
            if self.wait(0.005):
                raise AssertionError(f"the server ended before it was ready: {self.last_words()}")
        raise AssertionError(f"the server was not ready in time: {self.last_words()}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._child is not None
        self._child.signal(number)

    def kill(self) -> None:
        """End it as a power cut of the process would."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it goes on."""
        assert self._process is not None
        assert self._child is not None
        if not self._child.wait(seconds):
            return False
        life = self.lives[-1]
        if not life.ended_us:
            life.code = self._process.wait()
            life.ended_us = time.time_ns() // 1_000
        return True

    def stop(self, seconds: float = 60.0) -> int:
        """Ask it to stop and return its exit code; one that does not is killed."""
        self.signal(signal.SIGTERM)
        if not self.wait(seconds):
            self.kill()
        return self.lives[-1].code

    def second_opinion(self) -> list[str]:
        """What `sheratan journal verify` and `replay`, the product's own checks, find in the data."""
        found = []
        for check in ("verify", "replay"):
            command = [sys.executable, "-m", "sheratan", "journal", check, "--data", str(self.data)]
            environment = clean_environment({})
            done = subprocess.run(
                command, cwd=_FOLDER, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                found.append(f"`journal {check}` ended with code {done.returncode}: {done.stdout[-500:]}")
        return found

    def close(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            self.kill()

    def last_words(self) -> str:
        """The end of what it said."""
        return self.log.read_bytes()[-2_000:].decode("utf-8", "replace")
