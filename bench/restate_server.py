"""Restate's server for the peers: one program from npm's registry, checked against a digest that is kept here.

It listens on sockets below its folder and nowhere else, and syncs each commit, as it does by default.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.machine import ROOT
from bench.peers.environments import Missing
from bench.processes import NOBODY_ELSE, Service, running, wait_until_ready

__all__ = ["restate", "restate_binary"]

VERSION: Final = "1.7.12"
SHA512: Final = {
    "x64": "URotJ1AIqaSCDkRMl4OrQfTLH+NYuOZb3ZsP7wxxiuAB6pncgPhTUYSvegTF5PTrAShnNyHNpju9kjf2O3QxoA==",
    "arm64": "aV7YxWvPhp88MjQtObGDhDCTwCBa68wwZOAMmJqDreO0auHYuSfOqabEx4I90coZsx3zShNusppbTPKprOa+dw==",
}
"""Of the package for each architecture."""

ARCHITECTURES: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
BASE = ROOT / "build" / "peers"
PROGRAM: Final = "package/bin/restate-server"
SECONDS_MAX = 600.0
NODE: Final = "bench"

SETTINGS: Final = {
    # While no worker runs, the server tries to reach one with every invocation: often enough that none rests for long.
    "RESTATE_DEFAULT_RETRY_POLICY__INITIAL_INTERVAL": "100ms",
    "RESTATE_DEFAULT_RETRY_POLICY__EXPONENTIATION_FACTOR": "1.0",
    "RESTATE_DEFAULT_RETRY_POLICY__MAX_ATTEMPTS": "1000000",
    "RESTATE_DISABLE_TELEMETRY": "true",
    "RESTATE_LOG_FILTER": "error",
}


@contextmanager
def restate(folder: Path) -> Generator[Service]:
    """A new server; its URL is the folder that holds its sockets."""
    binary = restate_binary()
    folder.mkdir(parents=True)
    sockets = Path(tempfile.mkdtemp(prefix="bench-"))
    # Its sockets lie with its data, in a path that may be too long for one.
    base = sockets / "data"
    base.symlink_to(folder)
    command = [
        str(binary),
        "--base-dir",
        str(base),
        "--node-name",
        NODE,
        "--listen-mode",
        "unix",
        "--no-logo",
    ]
    log = folder / "log"
    try:
        with running(command, log, NOBODY_ELSE, signal.SIGTERM, SETTINGS) as process:
            place = base / NODE
            wait_until_ready(
                process, log, lambda: all((place / f"{name}.sock").exists() for name in _SOCKETS)
            )
            yield Service(str(place), f"Restate {VERSION}, its log synced", process.pid)
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


_SOCKETS: Final = ("admin", "ingress")


def restate_binary() -> Path:
    """The server's program, fetched when it is not there; Missing when it cannot be had."""
    architecture = ARCHITECTURES.get(platform.machine().lower())
    if architecture is None or platform.system() != "Linux":
        raise Missing(f"no Restate server is made for {platform.system()} on {platform.machine()}")
    binary = BASE / f"restate-server-{VERSION}"
    if not binary.exists():
        with tempfile.TemporaryDirectory() as scratch:
            _unpack(_fetch(architecture, Path(scratch)), binary)
    return binary


def _fetch(architecture: str, folder: Path) -> Path:
    """The package as npm's registry holds it; nothing of it is run."""
    npm = shutil.which("npm")
    if npm is None:
        raise Missing("its server comes from npm's registry, and there is no npm")
    wanted = f"@restatedev/restate-server-linux-{architecture}@{VERSION}"
    command = [npm, "pack", "--silent", "--pack-destination", str(folder), wanted]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX, cwd=folder
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"its server was not fetched within {SECONDS_MAX:g} s") from None
    found = sorted(folder.glob("*.tgz"))
    if done.returncode or not found:
        said = re.findall(r"\S.*", done.stderr)
        raise Missing(f"its server could not be fetched: {said[-1] if said else done.returncode}")
    digest = base64.b64encode(hashlib.sha512(found[0].read_bytes()).digest()).decode()
    if digest != SHA512[architecture]:
        raise Missing(f"its server is not the one that is known: sha512 {digest}")
    return found[0]


def _unpack(package: Path, binary: Path) -> None:
    with tarfile.open(package) as archive:
        source = archive.extractfile(PROGRAM)
        assert source is not None, "the digest says which package it is"
        binary.parent.mkdir(parents=True, exist_ok=True)
        new = binary.with_name(f"{binary.name}.new")
        with source, new.open("wb") as target:
            shutil.copyfileobj(source, target)
    new.chmod(0o755)
    new.rename(binary)
