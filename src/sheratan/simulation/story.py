"""What happened in a run, line by line, in virtual time; its digest says whether two runs were the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sheratan.simulation.loop import NODE, SimulatedLoop

__all__ = ["Story", "Violation"]


class Violation(Exception):
    """A promise was broken."""


class Story:
    """The lines of a run. They hold no address and nothing of the host, so the same run tells the same story."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.lines: list[str] = []
        self.violation: Violation | None = None
        self._loop = loop
        self._digest = hashlib.sha256()
        self._hidden: str | None = None

    @property
    def digest(self) -> str:
        """The SHA-256 of everything that was told."""
        return self._digest.hexdigest()

    def hide(self, folder: Path) -> None:
        """Leave this folder of the host out of every text from now on: another run of the same seed has another."""
        self._hidden = f"{folder}/"

    def without_host(self, text: str) -> str:
        """A text as any run of the seed would have it."""
        return text if self._hidden is None else text.replace(self._hidden, "")

    def tell(self, text: str) -> None:
        """Something happened."""
        line = f"{self._loop.now_us / 1_000_000:.6f} {NODE.get()}: {self.without_host(text)}"
        self.lines.append(line)
        self._digest.update(line.encode() + b"\n")

    def blame(self, text: str) -> None:
        """A promise was broken; the first one counts, and ends the run."""
        if self.violation is None:
            self.violation = Violation(text)
            self.tell(f"VIOLATION {text}")
            self._loop.stop(self.violation)
