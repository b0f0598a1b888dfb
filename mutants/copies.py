"""Copies of the sources: a bug is planted in one, and the simulator runs on it in another process."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

from mutants.bug import Bug, planted
from mutants.child import WAITS

__all__ = ["ROOT", "SECONDS_MAX", "Copy", "Found", "copies"]

ROOT = Path(__file__).resolve().parent.parent

SECONDS_MAX = 90
"""How long one seed may compute before it counts as one without an end; hardly a sound one takes ten seconds."""

_IMPORT_SECONDS = 60.0


@dataclass(frozen=True)
class Found:
    """What a run of seeds came to: the first seed that was broken and how it showed, or None and nothing."""

    seed: int | None
    text: str = ""

    @property
    def seeds(self) -> int:
        """How many seeds it took, when the first of them was 0."""
        return 0 if self.seed is None else self.seed + 1


class Copy:
    """A copy of `src`, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "sheratan"

    def run(self, first: int, end: int, bug: Bug | None = None) -> Found:
        """Run seeds from `first` up to `end` until one is broken, with a bug planted meanwhile."""
        texts: dict[Path, str] = {} if bug is None else planted(bug, self.package)
        sound = {file: file.read_text("utf-8") for file in texts}
        try:
            for file, text in texts.items():
                file.write_text(text, "utf-8")
            return self._run(first, end)
        finally:
            for file, text in sound.items():
                file.write_text(text, "utf-8")

    def _run(self, first: int, end: int) -> Found:
        paths = os.pathsep.join([str(self.folder), str(ROOT)])
        numbers = (str(first), str(end), str(SECONDS_MAX))
        done = subprocess.run(
            [sys.executable, "-m", "mutants.child", str(self.folder), *numbers],
            env=os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_IMPORT_SECONDS + WAITS * SECONDS_MAX * (end - first),
            check=False,
        )
        return _found(done)


def _found(done: subprocess.CompletedProcess[str]) -> Found:
    if done.returncode == 0:
        return Found(None)
    lines = done.stdout.splitlines()
    if not lines:
        # Nothing was simulated, so nothing was found either.
        raise RuntimeError(f"the simulator did not start: {done.stderr[-2_000:]}")
    last: dict[str, Any] = json.loads(lines[-1])
    if "violation" in last:
        return Found(last["seed"], last["violation"])
    if done.returncode in (-signal.SIGPROF, -signal.SIGALRM):
        return Found(last["seed"], f"no end within {SECONDS_MAX} s")
    error = done.stderr.strip().splitlines()
    return Found(last["seed"], f"the simulator fell: {error[-1] if error else done.returncode}")


@contextmanager
def copies(count: int) -> Generator[list[Copy]]:
    """So many copies of the sources as they are now; what is changed meanwhile changes none of them."""
    with tempfile.TemporaryDirectory(prefix="sheratan-mutants-") as name:
        folder = Path(name).resolve()
        found = [Copy(folder / str(number)) for number in range(count)]
        for copy in found:
            source = found[0].folder if copy is not found[0] else ROOT / "src"
            shutil.copytree(source, copy.folder, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
        for copy in found:
            # A planted file may have the size and the second of the sound one: what is compiled goes by content.
            compileall.compile_dir(copy.folder, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
        yield found
