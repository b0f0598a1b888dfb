"""One run of one peer: the same steps for all, ours included."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.harness import percentile
from bench.machine import ROOT
from bench.memory import server, share_mb
from bench.peers.environments import ensure
from bench.peers.peer import Command, Peer, Sizes
from bench.peers.scripts.common import stamps
from bench.processes import Service
from bench.services import serving

__all__ = ["MEASURES", "Failed", "measure_once", "rate"]

MEASURES = ("submit", "bulk", "drain", "p50", "p99", "workers", "server")
"""Jobs/s one at a time, in bulk and drained; milliseconds to the start; MB of the workers and of their server."""

SECONDS_MAX = 420.0
STOP_SECONDS = 3.0


class Failed(Exception):
    """A peer was started and did not do what it should; the message is what its row says."""


def measure_once(peer: Peer, folder: Path, sizes: Sizes) -> tuple[dict[str, float], str]:
    """Submit, submit in bulk, drain, start when idle: the figures, and the version of the server that was used.

    Nothing runs while jobs are submitted. Then the workers are started and drain what is there: from the first start
    of a handler until the peer holds no unfinished job. The same workers, idle now, are weighed, and start one job
    after the other.
    """
    python = _python(peer)
    place = folder / "run"
    place.mkdir()
    with _served(peer, folder) as service:
        run = _Run(peer, python, place, service.url if service else "")
        run.call("prepare")
        figures: dict[str, float] = {}
        jobs = 0
        for measure, count in (("submit", sizes.submits), ("bulk", sizes.bulk)):
            if count:
                answer = run.call(measure, count)
                figures[measure] = count / answer["seconds"]
                jobs += answer["jobs"]
        figures |= _drain_and_start(run, jobs, sizes.starts, service)
        return figures, service.version if service else ""


def rate(instants: Sequence[float], end: float) -> float:
    """Jobs per second from the first start to the end."""
    return len(instants) / (end - min(instants))


def _drain_and_start(run: _Run, jobs: int, starts: int, service: Service | None) -> dict[str, float]:
    with ExitStack() as stack:
        end = stack.enter_context(run.waiting(jobs))
        workers = stack.enter_context(run.working())
        at: float = end.answer()["at"]
        instants = stamps(run.folder)
        if len(instants) != jobs:
            raise Failed(f"{len(instants)} handlers ran for {jobs} jobs")
        figures = {"drain": rate(instants, at), "workers": sum(share_mb(worker.pid) for worker in workers)}
        if service:
            figures["server"] = share_mb(service.process)
        if starts and not run.peer.starts_alone:
            figures |= _starts(run, starts)
    if starts and run.peer.starts_alone:
        figures |= _starts(run, starts)
    return figures


def _starts(run: _Run, count: int) -> dict[str, float]:
    seconds = run.call("latency", count)["seconds"]
    return {"p50": percentile(seconds, 50) * 1e3, "p99": percentile(seconds, 99) * 1e3}


def _python(peer: Peer) -> Path:
    return Path(sys.executable) if peer.is_ours else ensure(peer.environment, peer.python, peer.built)


@contextmanager
def _served(peer: Peer, folder: Path) -> Generator[Service | None]:
    if peer.server == "sheratan":
        # Its socket lies in its data folder.
        with server(folder / "run") as process:
            yield Service("", "", process)
        return
    with serving(peer.server, folder / "server") as service:
        yield service


class _Waiting:
    """The process that watches for the end of a drain."""

    def __init__(self, run: _Run, process: subprocess.Popen[str]) -> None:
        self._run = run
        self._process = process

    def answer(self) -> Any:
        """What it found; Failed when it gave up, or a worker did."""
        until = time.monotonic() + SECONDS_MAX
        while self._process.poll() is None:
            self._run.expect_workers()
            if time.monotonic() > until:
                raise Failed(f"the drain did not end within {SECONDS_MAX:g} s")
            time.sleep(0.05)
        text, _ = self._process.communicate()
        if self._process.returncode:
            raise Failed(f"the drain did not end: {self._run.said('end')}")
        return json.loads(text.splitlines()[-1])


class _Run:
    """The processes of one run."""

    def __init__(self, peer: Peer, python: Path, folder: Path, url: str) -> None:
        self.peer = peer
        self.folder = folder
        self._python = python
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SHERATAN_", "PG", "DBOS_", "ABSURD_", "PYTHON"))
        }
        self._environment = kept | {
            "PEER_FOLDER": str(folder),
            "PEER_URL": url,
            "PEER_MODE": peer.mode,
            "PEER_TASK": peer.task,
            "PEER_SECONDS": f"{peer.seconds_max:g}",
        }
        self._workers: list[subprocess.Popen[str]] = []

    def call(self, command: str, count: int = 0) -> Any:
        """Run a command of the script to its end; returns its answer."""
        with self._log(command) as log:
            try:
                done = subprocess.run(
                    self._command(("-m", self.peer.module, command, str(count))),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    cwd=ROOT,
                    env=self._environment,
                    timeout=SECONDS_MAX,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise Failed(f"{command} took more than {SECONDS_MAX:g} s") from None
        if done.returncode:
            raise Failed(f"{command} failed: {self.said(command)}")
        return json.loads(done.stdout.splitlines()[-1])

    @contextmanager
    def waiting(self, jobs: int) -> Generator[_Waiting]:
        """A process that watches for the end of so many jobs; it is ready when this is entered."""
        with self._started(("-m", self.peer.module, "end", str(jobs)), "end") as process:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise Failed(f"nobody could watch for the end: {self.said('end')}")
            yield _Waiting(self, process)

    @contextmanager
    def working(self) -> Generator[list[subprocess.Popen[str]]]:
        """The workers, until the block ends."""
        with ExitStack() as stack:
            for number, command in enumerate(self.peer.workers(self.peer.module)):
                self._workers.append(stack.enter_context(self._started(command, f"work{number}")))
            try:
                yield self._workers
            finally:
                for worker in self._workers:
                    _signal(worker, signal.SIGTERM)
                self._workers = []

    def expect_workers(self) -> None:
        """Failed when a worker has ended by itself."""
        for number, worker in enumerate(self._workers):
            if worker.poll() is not None:
                raise Failed(f"a worker ended ({worker.returncode}): {self.said(f'work{number}')}")

    def said(self, name: str) -> str:
        """The last line that a process wrote to stderr."""
        lines = (self.folder / f"{name}.log").read_text("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"

    @contextmanager
    def _started(self, command: Command, name: str) -> Generator[subprocess.Popen[str]]:
        is_watched = name == "end"
        with self._log(name) as log:
            process = subprocess.Popen(
                self._command(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if is_watched else log,
                stderr=log,
                text=True,
                cwd=ROOT,
                env=self._environment,
                start_new_session=True,
            )
            with process:
                try:
                    yield process
                finally:
                    _end(process)

    def _command(self, command: Command) -> list[str]:
        return [str(self._python), *command]

    def _log(self, name: str) -> Any:
        return (self.folder / f"{name}.log").open("w", encoding="utf-8")


def _end(process: subprocess.Popen[str]) -> None:
    """End a process, and then what it may have left of its own session."""
    _signal(process, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):  # nothing was left
        os.killpg(process.pid, signal.SIGKILL)


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)
