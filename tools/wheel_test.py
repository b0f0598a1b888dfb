"""Build the wheel, install it in a fresh environment and run the tests against it: `python -m
tools.wheel_test [pytest arguments]`.

The tree is left as it is. src/ is on nobody's path, so the tests can only see the wheel;
tools/wheel_guard.py makes sure of it in every test process. Before the tests, the wheel must hold every
file of src/sheratan: a forgotten .sql file is found here by its name, not by a puzzling failure.
Everything is made under build/.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from tools.source_tree import ROOT

SCRATCH = ROOT / "build" / "wheel-test"
ENVIRONMENT = SCRATCH / "venv"
PIP = ["-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input", "--only-binary=:all:"]


def main(arguments: list[str]) -> int:
    shutil.rmtree(SCRATCH, ignore_errors=True)
    wheel = build_wheel()
    missing = missing_files(wheel, ROOT / "src")
    if missing:
        print(f"wheel: {wheel.name} lacks {', '.join(missing)}", file=sys.stderr)
        return 1
    python = install(wheel)
    print(f"wheel: testing {wheel.name}", flush=True)
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [str(python), "-m", "pytest", "-p", "tools.wheel_guard", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}).returncode


def build_wheel() -> Path:
    """Build with the locked backend of this environment: nothing is fetched."""
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(SCRATCH),
        str(ROOT),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout)
    (wheel,) = SCRATCH.glob("*.whl")
    return wheel


def missing_files(wheel: Path, source: Path) -> list[str]:
    """Return the files of the package that the wheel does not hold."""
    files = (file for file in (source / "sheratan").rglob("*") if file.is_file())
    expected = {file.relative_to(source).as_posix() for file in files if "__pycache__" not in file.parts}
    with zipfile.ZipFile(wheel) as archive:
        return sorted(expected - set(archive.namelist()))


def install(wheel: Path) -> Path:
    """Install the development lock (what a user gets is in it) and the wheel; return the Python to use."""
    venv.create(ENVIRONMENT, with_pip=True)
    python = ENVIRONMENT / "bin" / "python"
    subprocess.run(
        [str(python), *PIP, "--require-hashes", "-r", "requirements/dev.txt"], cwd=ROOT, check=True
    )
    subprocess.run([str(python), *PIP, "--no-deps", "--no-index", str(wheel)], cwd=ROOT, check=True)
    return python


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
