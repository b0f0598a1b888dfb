"""Shrinking: from a tape that breaks a promise to a shorter one that breaks the same promise."""

from __future__ import annotations

import re
from collections.abc import Callable

from sheratan.simulation.choices import Tape
from sheratan.simulation.world import Outcome, simulate

__all__ = ["RUNS_MAX", "shrink"]

RUNS_MAX = 600
"""Runs that a shrinking may take; each takes about as long as the run that failed, mostly less."""


class _Shrinker:
    """Tries simpler tapes as long as they break the same promise and there are runs left."""

    def __init__(self, found: Outcome, runs_max: int) -> None:
        self.best = found
        self._kind = _kind(found.violation)
        self._left = runs_max

    def run(self) -> Outcome:
        """Whole streams first, then ever smaller parts of them, until nothing more can be left out."""
        before = None
        while self._left > 0 and before != self.best.digest:
            before = self.best.digest
            for stream in sorted(self.best.tape, key=self._rank):
                self._shrink_stream(stream)
        return self.best

    def _rank(self, stream: str) -> tuple[bool, int, str]:
        """The world's options first: a fault that is switched off, or a worker less, takes much else with it."""
        is_detail = not stream.startswith(("options.", "limits."))
        return is_detail, -len(self.best.tape[stream]), stream

    def _shrink_stream(self, stream: str) -> None:
        if not any(self.best.tape.get(stream, ())):
            return
        if self._try(stream, lambda draws: []):
            return
        size = len(self.best.tape[stream]) // 2
        while size >= 1 and self._left > 0:
            # A bound on the parts: the last few zeros of a long stream explain nothing.
            start = 0
            while start < len(self.best.tape.get(stream, ())) and self._left > 0:
                self._zero(stream, start, start + size)
                start += size
            size = size // 4 if size > 4 else size - 1 if size > 1 else 0

    def _zero(self, stream: str, start: int, end: int) -> None:
        draws = self.best.tape[stream]
        if any(draws[start:end]):
            self._try(stream, lambda known: [*known[:start], *([0] * (end - start)), *known[end:]])

    def _try(self, stream: str, change: Callable[[list[int]], list[int]]) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        tape: Tape = dict(self.best.tape)
        tape[stream] = change(tape[stream])
        found = simulate(self.best.seed, tape)
        if _kind(found.violation) != self._kind:
            return False
        self.best = found
        return True


def shrink(found: Outcome, runs_max: int = RUNS_MAX) -> Outcome:
    """The simplest run that was found to break the same promise."""
    return _Shrinker(found, runs_max).run()


def _kind(violation: str | None) -> str:
    """A violation without what differs from run to run: numbers, ids, hashes."""
    return "" if violation is None else re.sub(r"job_[0-9a-f]+|[0-9a-f]{16,}|\d+", "_", violation)[:60]
