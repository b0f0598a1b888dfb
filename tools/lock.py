"""Re-create the hashed locks in requirements/ from pyproject.toml: `python -m tools.lock` (or `make lock`).

Resolves everything once, for every platform and every Python from the floor up, so that the locks never
contradict each other:

  run.txt    what a user gets            build.txt  the build backend alone
  dev.txt    run + build + dev           lock.txt   the resolver itself

The peers of the benchmarks and their servers live in environments of their own, so each is resolved by itself:
group `peer-NAME` becomes peers/NAME.txt, and two peers may want different versions of one package.

A release younger than a week is not taken: most poisoned packages are found within days. Locks hold
names, versions, markers and hashes; no address and no path, so that they install from any index.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
SCRATCH = ROOT / "build" / "lock-venv"
COOLDOWN = "7 days"

PROJECT = "pyproject.toml"
# lock name -> what it resolves
SOURCES: dict[str, list[str]] = {
    "run": [PROJECT],
    "build": ["--group", "build"],
    "dev": [PROJECT, "--group", "build", "--group", "dev"],
    "lock": ["--group", "lock"],
}
EVERYTHING = [PROJECT, "--group", "build", "--group", "dev", "--group", "lock"]

PEER = "peer-"
"""How the group of a peer begins."""

# What cannot be had as prebuilt packages for the floor: another Python, and the packages that are built from source.
PEER_PYTHON = {"oban": "3.12"}
PEER_BUILT = {"oban": ["erlpack"]}


def main() -> int:
    resolver = install_resolver()
    (LOCKS / "peers").mkdir(exist_ok=True)
    for name in peers():
        options = [f"--no-binary={package}" for package in PEER_BUILT.get(name, ())]
        python = PEER_PYTHON.get(name, floor())
        target = LOCKS / "peers" / f"{name}.txt"
        compile_lock(resolver, [*options, "--group", PEER + name], target, python)
    with tempfile.TemporaryDirectory() as scratch:
        everything = Path(scratch) / "everything.txt"
        compile_lock(resolver, EVERYTHING, everything)
        for name, sources in SOURCES.items():
            compile_lock(resolver, [*sources, "--constraints", str(everything)], LOCKS / f"{name}.txt")
    names = [*SOURCES, *(f"peers/{name}" for name in peers())]
    print(f"locks: wrote {', '.join(f'requirements/{name}.txt' for name in names)}")
    return 0


def install_resolver() -> str:
    """Install uv into a scratch environment: from its own lock, or by name when there is none yet."""
    venv.create(SCRATCH, with_pip=True)
    own_lock = LOCKS / "lock.txt"
    wanted = ["--require-hashes", "-r", str(own_lock)] if own_lock.exists() else ["uv"]
    pip = [
        str(SCRATCH / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-input",
        "--only-binary=:all:",
    ]
    subprocess.run([*pip, *wanted], check=True)
    return str(SCRATCH / "bin" / "uv")


def compile_lock(resolver: str, sources: list[str], target: Path, python: str = "") -> None:
    command = [
        resolver, "pip", "compile", "--quiet", "--no-config", "--no-sources", "--no-python-downloads",
        "--universal", "--upgrade", "--python-version", python or floor(), "--exclude-newer", COOLDOWN,
        "--generate-hashes", "--only-binary=:all:", "--no-header", "--no-annotate",
        "--output-file", str(target), *sources,
    ]  # fmt: skip
    # The resolver's own settings must not leak in from the caller's environment.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


def peers() -> list[str]:
    """Return the names of the peers, as the groups in pyproject.toml say them."""
    groups = tomllib.loads((ROOT / PROJECT).read_text("utf-8"))["dependency-groups"]
    return sorted(name.removeprefix(PEER) for name in groups if name.startswith(PEER))


def floor() -> str:
    """Return the lowest Python we support, as pyproject.toml says it."""
    project = tomllib.loads((ROOT / PROJECT).read_text("utf-8"))["project"]
    return str(project["requires-python"]).removeprefix(">=")


if __name__ == "__main__":
    sys.exit(main())
