"""Choices: every draw of a run, by named stream, from one seed; recorded on a tape that can be replayed and shrunk."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Container, Mapping, Sequence
from typing import Final, TypeVar

__all__ = ["Choices", "Tape"]

Tape = dict[str, list[int]]
"""The draws of a run, by stream and in order. A draw of 0 is always the plainest choice: no fault, the first option."""

T = TypeVar("T")

_NUMBERS_PER_DIGEST: Final = 8
_numbers_of = struct.Struct(f">{_NUMBERS_PER_DIGEST}I").unpack


class Choices:
    """Draws by stream: a draw that is added in one place does not shift the draws of another.

    With a tape the draws are read from it, and 0 is drawn beyond its end. So any tape is a run: shortening one, or
    setting draws to 0, makes a simpler run, which is what shrinking does.
    """

    def __init__(self, seed: int, tape: Mapping[str, Sequence[int]] | None = None) -> None:
        self.seed = seed
        self.tape: Tape = {}
        """What has been drawn so far."""
        self.is_calm = False
        """While calm, every chance comes out as no: nothing goes wrong any more."""
        self.spared: Container[str] = ()
        """Streams of which every chance comes out as no from now on: enough of it has gone wrong."""
        self._given = tape
        self._drawn: dict[str, tuple[int, ...]] = {}

    def draw(self, stream: str, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        drawn = self.tape.setdefault(stream, [])
        if self._given is None:
            value = self._next(stream, len(drawn)) % bound
        else:
            given = self._given.get(stream, ())
            value = given[len(drawn)] % bound if len(drawn) < len(given) else 0
        drawn.append(value)
        return value

    def chance(self, stream: str, permille: int) -> bool:
        """True so many times in a thousand; never while calm, and never on a tape of zeros."""
        if permille <= 0 or self.is_calm or stream in self.spared:
            return False
        return self.draw(stream, 1000) >= 1000 - permille

    def pick(self, stream: str, options: Sequence[T]) -> T:
        """One of some options; the first is the plainest."""
        return options[self.draw(stream, len(options))]

    def between(self, stream: str, low: int, high: int) -> int:
        """A number from `low` to `high`, both included; `low` is the plainest."""
        return low + self.draw(stream, high - low + 1)

    def _next(self, stream: str, position: int) -> int:
        """The number at a position of a stream: SHA-256(seed, stream, position // 8), its part position % 8."""
        block, part = divmod(position, _NUMBERS_PER_DIGEST)
        if part == 0:
            digest = hashlib.sha256(f"{self.seed}/{stream}/{block}".encode()).digest()
            self._drawn[stream] = _numbers_of(digest)
        return self._drawn[stream][part]
