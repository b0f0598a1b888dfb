"""What every case of the battery shares: a name, a promise with its figure, and a run that a seed repeats."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["Case", "Outcome", "Run", "Scale"]

Scale = Literal["slice", "full"]
"""A slice takes seconds and runs with every change; the full size is what the figure of the promise asks for."""


@dataclass(frozen=True)
class Run:
    """One run of a case: the seed that repeats it, its size, and an empty folder of its own."""

    seed: int
    scale: Scale
    folder: Path

    @property
    def draw(self) -> random.Random:
        """A source of draws that the seed decides, from its beginning."""
        return random.Random(self.seed)  # noqa: S311 - a run must repeat, not surprise

    def size(self, *, slice: int, full: int) -> int:
        """How many of something this run takes."""
        return full if self.scale == "full" else slice

    def say(self, text: str) -> None:
        """Tell the person who waits how far it is."""
        sys.stderr.write(f"{text}\n")


@dataclass
class Outcome:
    """What a run found: figures by name, and every violation of the promise in a sentence."""

    figures: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Whether the promise was kept."""
        return not self.violations


@dataclass(frozen=True)
class Case:
    """A case of the battery. `control` breaks the promise on purpose; its run must find violations."""

    id: str
    name: str
    promise: str
    run: Callable[[Run], Outcome]
    control: Callable[[Run], Outcome]
    control_does: str
    needs: Callable[[], str | None] = lambda: None
    """Why this machine cannot run the case, or None when it can."""
