"""Who sees what durable handlers do, and the code that they are run by."""

from __future__ import annotations

from typing import Any, NamedTuple

from sheratan.simulation.coverage import Coverage
from sheratan.simulation.story import Story

__all__ = ["Code", "Witness"]


class Witness:
    """Sees what the handlers of all attempts do, outside the engine: what was recorded, no later attempt does again.

    One that has lost its lease and does not know may: only its writes can be refused.
    """

    def __init__(self, coverage: Coverage, story: Story) -> None:
        self.coverage = coverage
        self.story = story
        self._recorded: dict[tuple[int, str], Any] = {}
        self._waited: dict[tuple[int, str], Any] = {}

    def does(self, number: int, key: str, fence: int) -> None:
        """A step of a job is about to be done."""
        known = self._recorded.get((number, key))
        if known is not None and fence >= known["fence"]:
            self.story.blame(f"step {key} of job {number} is done again, and it was recorded")

    def got(self, number: int, key: str, output: Any) -> None:
        """A handler got the output of a step, or how it failed for good: so it is recorded."""
        known = self._recorded.setdefault((number, key), output)
        if known != output:
            self.story.blame(f"step {key} of job {number} gave {output!r}, and {known!r} was recorded")

    def waited(self, number: int, key: str, output: Any) -> None:
        """A handler got what it waited for; every attempt gets the same."""
        known = self._waited.setdefault((number, key), output)
        if known != output:
            self.story.blame(f"{key} of job {number} gave {output!r}, and {known!r} before")


class Code(NamedTuple):
    """The code of a worker: whether it is that of the later program, and whether it is broken."""

    is_patched: bool
    is_broken: bool

    @property
    def digest(self) -> str:
        """What tells it from other code."""
        return ("patched" if self.is_patched else "old") + ("-broken" if self.is_broken else "")
