"""The parts of the Makefile and of the wheel test that fail for a reason one can read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tools.source_tree import ROOT
from tools.wheel_test import missing_files


def make(folder: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run make in a copy of the Makefile, from somewhere else."""
    shutil.copy(ROOT / "Makefile", folder)
    environment = {**os.environ, "PATH": path or os.environ["PATH"]}
    # Of an outer make this one knows nothing.
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON"):
        environment.pop(name, None)
    command = [shutil.which("make") or "make", "-C", str(folder), *arguments]
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)


def test_help_lists_the_targets(tmp_path: Path) -> None:
    done = make(tmp_path, "help")
    targets = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("  make ")}
    assert {"bench", "check", "clean", "demo", "lock", "setup", "test", "wheel-test"} <= targets


def test_a_python_that_does_not_run_is_named(tmp_path: Path) -> None:
    done = make(tmp_path, ".venv/bin/python", "PYTHON=false")
    assert done.returncode != 0
    assert "PYTHON=false is older or does not run" in done.stderr


def test_a_machine_without_python_hears_what_to_do(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "echo", "uname"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    done = make(tmp_path, ".venv/bin/python", path=str(tools))
    assert done.returncode != 0
    assert "Sheratan needs Python 3.11 or newer, and none was found" in done.stderr


def test_quietly_says_one_line_or_everything() -> None:
    def quietly(code: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tools.quietly", "step", sys.executable, "-c", code]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    good, bad = quietly("print('chatter')"), quietly("print('the reason'); raise SystemExit(3)")
    assert (good.returncode, good.stdout, good.stderr) == (0, "step: ok\n", "")
    assert bad.returncode == 1
    assert "the reason" in bad.stderr


def test_a_file_forgotten_in_the_wheel_is_named(tmp_path: Path) -> None:
    package = tmp_path / "src" / "sheratan"
    (package / "__pycache__").mkdir(parents=True)
    for name in ("__init__.py", "claim.sql", "__pycache__/x.pyc"):
        (package / name).touch()
    wheel = tmp_path / "sheratan.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sheratan/__init__.py", "")
    assert missing_files(wheel, tmp_path / "src") == ["sheratan/claim.sql"]
