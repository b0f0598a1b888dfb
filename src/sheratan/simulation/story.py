"""What happened in a run, line by line, in virtual time; its digest says whether two runs were the same."""

from __future__ import annotations

import hashlib

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

    @property
    def digest(self) -> str:
        """The SHA-256 of everything that was told."""
        return self._digest.hexdigest()

    def tell(self, text: str) -> None:
        """Something happened."""
        line = f"{self._loop.now_us / 1_000_000:.6f} {NODE.get()}: {text}"
        self.lines.append(line)
        self._digest.update(line.encode() + b"\n")

    def blame(self, text: str) -> None:
        """A promise was broken; the first one counts, and ends the run."""
        if self.violation is None:
            self.violation = Violation(text)
            self.tell(f"VIOLATION {text}")
            self._loop.stop(self.violation)
