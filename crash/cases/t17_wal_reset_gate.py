"""T17: no library that can corrupt a log, no second owner, and readers beside the writer do no harm."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import apsw

from crash.case import Case, Outcome, Run
from crash.history import History
from crash.judge import judge
from crash.nursery import Nursery
from crash.server import Server, clean_environment
from sheratan import Client
from sheratan.ambient.clock import VirtualClock
from sheratan.contracts.errors import UnsafeLibrary
from sheratan.store.sqlite import store

__all__ = ["CASE"]

# The race is in 3.7.0 to 3.51.2, without 3.44.6 and 3.50.7: https://sqlite.org/wal.html#walresetbug
_UNSAFE = ("3.7.0", "3.7.17", "3.40.1", "3.44.5", "3.45.0", "3.50.6", "3.51.0", "3.51.2")
_SAFE = ("3.44.6", "3.50.7", "3.51.3", "3.52.0", "3.54.1", "4.0.0")
_CALLERS = 8
_READ_SECONDS_MAX = 30
"""How long one reading may take on a machine that is busy."""


def _run(run: Run) -> Outcome:
    outcome = Outcome()
    _try_libraries(run.folder, outcome)
    server = Server(run.folder / "data", ["--kinds", "crash.storage_kinds", "--drain-seconds", "1"])
    server.start()
    try:
        server.wait_ready()
        _try_second_owner(server, outcome)
        history = History()
        with Nursery(__name__) as nursery:
            asyncio.run(_hammer(server, nursery, run.size(slice=1, full=3_600), history, outcome))
        if server.stop() != 0:
            outcome.violations.append(f"the server did not stop cleanly: {server.last_words()[-300:]}")
        outcome.violations += judge(server.data / "sheratan.db", history)
        outcome.violations += server.second_opinion()
    finally:
        server.close()
    return outcome


def _control(run: Run) -> Outcome:
    """The gate is taken out: a library of the range is then used."""
    gate = store.check_library
    store.check_library = lambda version=None: version or apsw.sqlite_lib_version()
    try:
        outcome = Outcome()
        _try_libraries(run.folder, outcome)
        return outcome
    finally:
        store.check_library = gate


@contextmanager
def _library(version: str) -> Generator[None]:
    """Within it, SQLite says that it is another version."""
    real: Callable[[], str] = apsw.sqlite_lib_version
    apsw.sqlite_lib_version = lambda: version
    try:
        yield
    finally:
        apsw.sqlite_lib_version = real


def _try_libraries(folder: Path, outcome: Outcome) -> None:
    """Open a database for its owner, and for reading, with each version: those of the range touch no file."""
    now_us = VirtualClock().now_us()
    known = folder / "known.db"
    store.connect_owner(known, now_us).close()
    for version in (*_UNSAFE, *_SAFE):
        path = folder / f"{version}.db"
        with _library(version):
            opened = [
                _opens(lambda path=path: store.connect_owner(path, now_us).close()),
                _opens(lambda: store.open_reader(known, clock=VirtualClock().monotonic_us).close()),
            ]
        wanted = version in _SAFE
        if opened != [wanted, wanted]:
            outcome.violations.append(
                f"SQLite {version}: opened to write and to read: {opened}, wanted {wanted}"
            )
        if path.exists() != wanted:
            outcome.violations.append(f"SQLite {version} was refused after it had made a file")
    outcome.figures["versions refused"] = len(_UNSAFE)


def _opens(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except UnsafeLibrary:
        return False
    return True


def _try_second_owner(server: Server, outcome: Outcome) -> None:
    """Two processes that write would checkpoint at once: the second must not come so far."""
    second = [sys.executable, "-m", "sheratan", "up", "--data", str(server.data)]
    done = subprocess.run(
        second, env=clean_environment({}), capture_output=True, text=True, timeout=30, check=False
    )
    outcome.figures["exit code of a second server"] = done.returncode
    if done.returncode != 5 or f"process {server.number}" not in done.stderr:
        outcome.violations.append(f"a second server ended with {done.returncode}: {done.stderr[-300:]}")


async def _hammer(server: Server, nursery: Nursery, seconds: int, history: History, outcome: Outcome) -> None:
    """Write as fast as callers can, with two processes beside that open the database for reading again and again."""
    until = time.monotonic() + seconds
    checks = [asyncio.create_task(_verify_again(server.data, until, outcome))]
    reads = asyncio.create_task(
        asyncio.to_thread(_read_again, nursery, server.data, server.data.with_name("readings"), until)
    )
    async with await Client.connect(server.data) as client:
        await asyncio.gather(*(_call(client, number, until, history) for number in range(_CALLERS)))
    outcome.figures |= {
        "jobs": history.count("submit", "acknowledged"),
        "opened to read": await reads,
        "verified meanwhile": sum(await asyncio.gather(*checks)),
    }


async def _call(client: Client, caller: int, until: float, history: History) -> None:
    number = 0
    while time.monotonic() < until:
        key = f"{caller}/{number}"
        call = history.send(f"caller {caller}", "submit", {"kind": "weigh", "input": key}, key=key)
        handle = await client.submit("weigh", key, key=key)
        history.acknowledge(call, handle.id)
        number += 1


async def _verify_again(data: Path, until: float, outcome: Outcome) -> int:
    times = 0
    while time.monotonic() < until or not times:
        verify = ("-m", "sheratan", "journal", "verify", "--data", str(data))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *verify,
            env=clean_environment({}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode != 0:
            outcome.violations.append(f"`journal verify` beside the server: {said.decode()[-400:]}")
        times += 1
    return times


def _read_again(nursery: Nursery, data: Path, log: Path, until: float) -> int:
    child = nursery.start(f"{__name__}:read_again", str(data / "sheratan.db"), str(log), until)
    child.wait(until - time.monotonic() + _READ_SECONDS_MAX)
    return int(log.read_text())


def read_again(path: str, log: str, until: float) -> None:
    """A process that opens and closes the database until that moment of the monotonic clock, and logs how often.

    Each time takes and gives back the locks that a reset of the log looks at.
    """
    times = 0
    while time.monotonic() < until or not times:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(1_000)
        connection.execute("SELECT count(*), max(first_seq) FROM page").fetchall()
        connection.close()
        times += 1
    Path(log).write_text(str(times))


CASE = Case(
    id="T17",
    name="wal-reset-gate",
    promise=(
        "a SQLite library within the WAL-reset corruption range is refused before it touches a file; a second owner is"
        " refused; minutes of writing beside processes that open, read and verify: integrity_check ok, nothing lost"
    ),
    run=_run,
    control=_control,
    control_does="the gate is taken out, and SQLite says it is of the range",
)
