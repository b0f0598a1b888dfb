"""One virtual environment per peer under build/peers/, from the peer's own lock in requirements/peers/."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from bench.machine import ROOT

__all__ = ["Missing", "ensure", "interpreter", "interpreter_version", "lock_of", "versions"]

BASE = ROOT / "build" / "peers"
SECONDS_MAX = 600.0
STAMP = "installed"
NEWEST_MINOR = 15

# A lock is complete. Without --no-deps pip would refuse `package[extra]`, which a lock spells without the extra.
_PIP = (
    "-m",
    "pip",
    "install",
    "-qq",
    "--disable-pip-version-check",
    "--no-input",
    "--no-deps",
    "--require-hashes",
)
_PREBUILT = "--only-binary=:all:"


class Missing(Exception):
    """A peer cannot be run here; the message is what its row says."""


def lock_of(name: str) -> Path:
    """The lock of a peer."""
    return ROOT / "requirements" / "peers" / f"{name}.txt"


def ensure(name: str, python: tuple[int, int] = (3, 11), built: Sequence[str] = ()) -> Path:
    """The Python of a peer's environment, made when there is none for its lock; Missing when it cannot be made.

    `built` are packages that exist as source only: they are built with the setuptools that the lock holds.
    """
    folder, lock = BASE / name, lock_of(name)
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / STAMP
    if not (stamp.exists() and stamp.read_text("utf-8") == digest):
        base = interpreter(python)
        if base is None:
            raise Missing(f"needs Python {python[0]}.{python[1]}")
        shutil.rmtree(folder, ignore_errors=True)
        _run(name, [str(base), "-m", "venv", str(folder)])
        _install(name, folder / "bin" / "python", lock, built)
        stamp.write_text(digest, "utf-8")
    return folder / "bin" / "python"


def versions(name: str) -> dict[str, str]:
    """What the lock of a peer holds, by package."""
    return dict(re.findall(r"^([\w.-]+)==([\w.!+-]+)", lock_of(name).read_text("utf-8"), re.MULTILINE))


def interpreter_version(name: str) -> str:
    """The version of the Python that a peer's environment was made with."""
    text = (BASE / name / "pyvenv.cfg").read_text("utf-8")
    found = re.search(r"^version\s*=\s*(\S+)", text, re.MULTILINE)
    return found[1] if found else "unknown"


@cache
def interpreter(at_least: tuple[int, int]) -> Path | None:
    """A Python that is new enough: this one, else the oldest that is on the PATH or that pyenv keeps."""
    if sys.version_info[:2] >= at_least:
        return Path(sys.executable)
    return next((path for path in _candidates(at_least) if _is_usable(path, at_least)), None)


def _candidates(at_least: tuple[int, int]) -> Iterator[Path]:
    major = at_least[0]
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in range(at_least[1], NEWEST_MINOR + 1):
        found = shutil.which(f"python{major}.{minor}")
        if found is not None:
            yield Path(found)
        yield from sorted(kept.glob(f"{major}.{minor}.*/bin/python{major}.{minor}"))


def _is_usable(path: Path, at_least: tuple[int, int]) -> bool:
    # A link of a version manager may be there and not run.
    code = f"import sys, venv, ensurepip; sys.exit(sys.version_info < {at_least})"
    return subprocess.run([str(path), "-c", code], capture_output=True, check=False).returncode == 0


def _install(name: str, python: Path, lock: Path, built: Sequence[str]) -> None:
    if not built:
        _run(name, [str(python), *_PIP, _PREBUILT, "-r", str(lock)])
        return
    # Without isolation pip cannot fetch an unhashed build dependency: the locked one has to be there before.
    pins = re.findall(r"^setuptools==(?:.*\\\n)*.*\n", lock.read_text("utf-8"), re.MULTILINE)
    backend = python.parent.parent / "backend.txt"
    backend.write_text("".join(pins), "utf-8")
    _run(name, [str(python), *_PIP, _PREBUILT, "-r", str(backend)])
    sources = [f"--no-binary={package}" for package in built]
    _run(name, [str(python), *_PIP, _PREBUILT, *sources, "--no-build-isolation", "-r", str(lock)])


def _run(name: str, command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise Missing(f"its environment was not installed within {SECONDS_MAX:g} s") from None
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise Missing(f"{name} could not be installed: {said[-1] if said else done.returncode}")
