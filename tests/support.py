"""A real server and the real command line, as other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from sheratan.store.sqlite.pages import PageReader
from tools.source_tree import ROOT

__all__ = ["Server", "change_journal", "clean_environment", "run_cli", "running_server", "started_cli"]

SECONDS_MAX = 30.0
"""Nothing here takes that long: a test that waits longer has found a hang."""


_STEERING = ("NOTIFY_SOCKET", "NO_COLOR", "FORCE_COLOR", "TRACEPARENT")


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without what would steer Sheratan, and with `more`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SHERATAN_", "OTEL_")) and name not in _STEERING
    }
    return kept | {"XDG_CONFIG_HOME": str(ROOT / "build" / "no-such-folder")} | more


def run_cli(
    *arguments: str,
    data: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    stdin: str | bytes = "",
) -> subprocess.CompletedProcess[str]:
    """Run `sheratan ARGUMENTS` and return how it ended; `data` arrives as SHERATAN_DATA."""
    chosen = {"SHERATAN_DATA": str(data)} if data is not None else {}
    done = subprocess.run(
        [sys.executable, "-m", "sheratan", *arguments],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        env=clean_environment(**chosen, **(env or {})),
        cwd=cwd,
        timeout=SECONDS_MAX,
        check=False,
    )
    text = (part.decode("utf-8") for part in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, *text)


def change_journal(data: Path, old: str, new: str) -> None:
    """Forge the journal of a stopped data directory, past the guards of the database itself."""
    connection = apsw.Connection(str(data / "sheratan.db"))
    wanted = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'page'"
    guards = connection.execute(wanted).fetchall()
    for name, _ in guards:
        connection.execute(f"DROP TRIGGER {name}")
    unpack, changed = PageReader().body, 0
    for first_seq, stored, codec in connection.execute("SELECT first_seq, body, codec FROM page").fetchall():
        body = unpack(first_seq, stored, codec)
        if old.encode() in body:
            forged = body.replace(old.encode(), new.encode())
            connection.execute("UPDATE page SET body = ?, codec = 0 WHERE first_seq = ?", (forged, first_seq))
            changed += 1
    assert changed
    for _, text in guards:
        connection.execute(text)
    connection.close()


@contextmanager
def started_cli(*arguments: str, data: Path) -> Generator[subprocess.Popen[str]]:
    """A command that goes on by itself, with its output as pipes, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sheratan", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(SHERATAN_DATA=str(data)),
        cwd=ROOT,
        # Who runs the tests in a shell's background has Ctrl-C ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


class Server:
    """`sheratan up` as a process. `said` holds the lines of its stderr so far."""

    def __init__(self, data: Path, process: subprocess.Popen[str]) -> None:
        self.data = data
        self.process = process
        self.said: list[str] = []
        self._news = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def cli(self, *arguments: str, stdin: str | bytes = "") -> subprocess.CompletedProcess[str]:
        """Run a command against this server."""
        return run_cli(*arguments, data=self.data, stdin=stdin)

    def submit(self, kind: str, given: str = "null", *options: str) -> str:
        """Submit a job and return its id."""
        done = self.cli("job", "submit", kind, "--input", given, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def wait_said(self, wanted: Callable[[str], bool]) -> str:
        """Wait for a line of stderr, and return it; fail when the server ends without having said it."""
        with self._news:
            found = self._news.wait_for(lambda: self._over or any(map(wanted, self.said)), SECONDS_MAX)
            line = next(filter(wanted, self.said), None)
        assert found, f"it did not say so in time: {self.said}"
        assert line is not None, f"it ended without saying so: {self.said}"
        return line

    def wait_started(self) -> None:
        """Wait until it has said how it stands: `ready` or `not ready`."""
        said = ("ready", '"text":"ready"}')
        self.wait_said(lambda line: line == said[0] or line.endswith(said[1]) or line.startswith("not ready"))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code once it has ended."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        code = self.process.wait(SECONDS_MAX)
        self._reader.join(SECONDS_MAX)
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.said.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()


@contextmanager
def running_server(
    data: Path,
    kinds: Sequence[str] = (),
    *options: str,
    drain_seconds: float = 1.0,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Generator[Server]:
    """Run a server on a data directory until the block ends; it is started once this is entered.

    It drains for a second, not for 25: what a test left running shall not hold up the next one.
    """
    named = [part for module in kinds for part in ("--kinds", module)]
    named += ["--drain-seconds", str(drain_seconds)]
    process = subprocess.Popen(
        [sys.executable, "-m", "sheratan", "up", "--data", str(data), *named, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(**(env or {})),
        cwd=cwd,
    )
    server = Server(data, process)
    try:
        server.wait_started()
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            server.wait()
        except subprocess.TimeoutExpired:
            process.kill()
            server.wait()
        assert process.stderr is not None
        process.stderr.close()
