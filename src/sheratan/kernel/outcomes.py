"""What became of each job number, in a byte per job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["Outcomes"]

_BITS: Final = 12
_MASK: Final = (1 << _BITS) - 1
_STATES: Final = ("", "open", "succeeded", "failed", "cancelled")
_OPEN: Final = 1
_NOTHING: Final = bytes(1 << _BITS)
_CODES: Final = {state: code for code, state in enumerate(_STATES)}


class Outcomes:
    """What became of each job number: `open`, a terminal state, or nothing. A byte per job, for millions of them."""

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}
        self.count = 0
        self.newest = 0

    def get(self, number: int) -> str:
        """`open`, `succeeded`, `failed`, `cancelled`, or the empty text for a number that was never given."""
        chunk = self._chunks.get(number >> _BITS)
        return _STATES[chunk[number & _MASK]] if chunk is not None else ""

    def count_of(self, state: str) -> int:
        """How many jobs this has become of."""
        return sum(chunk.count(_CODES[state]) for chunk in self._chunks.values())

    def unless(self, numbers: list[int], states: Iterable[str]) -> list[int]:
        """Those of these numbers, which ascend, of which something else became, or nothing."""
        first, last = numbers[0], numbers[-1]
        if last - first == len(numbers) - 1:
            # One after the other: one look at all of them, which as a rule is the end of it.
            became: set[int] = set()
            for block in range(first >> _BITS, (last >> _BITS) + 1):
                start, stop = max(first - (block << _BITS), 0), last + 1 - (block << _BITS)
                became.update(self._chunks.get(block, _NOTHING)[start:stop])
            if became <= {_CODES[state] for state in states}:
                return []
        wanted = frozenset(states)
        return [number for number in numbers if self.get(number) not in wanted]

    def come_in(self, number: int) -> bool:
        """Note a new job; False, and nothing is noted, when its number was given before."""
        chunk = self._chunks.get(number >> _BITS)
        if chunk is None or chunk[number & _MASK] or number <= self.newest:
            if self.get(number):
                return False
            self.put(number, "open")
            return True
        chunk[number & _MASK] = _OPEN
        self.count += 1
        self.newest = number
        return True

    def put_open(self, first: int, count: int) -> None:
        """Note new jobs with consecutive numbers, all above the newest: so none of them was given before."""
        for block in range(first >> _BITS, ((first + count - 1) >> _BITS) + 1):
            chunk = self._chunks.setdefault(block, bytearray(1 << _BITS))
            start, stop = max(first - (block << _BITS), 0), min(first + count - (block << _BITS), 1 << _BITS)
            chunk[start:stop] = bytes([_OPEN]) * (stop - start)
        self.count += count
        self.newest = first + count - 1

    def put_all(self, numbers: list[int], state: str) -> None:
        """Note what became of jobs that came in before."""
        chunks, code = self._chunks, _CODES[state]
        for number in numbers:
            chunks[number >> _BITS][number & _MASK] = code

    def put(self, number: int, state: str) -> None:
        """Note what became of a job."""
        chunk = self._chunks.get(number >> _BITS)
        if chunk is None:
            chunk = self._chunks[number >> _BITS] = bytearray(1 << _BITS)
        if not chunk[number & _MASK]:
            self.count += 1
            self.newest = max(self.newest, number)
        chunk[number & _MASK] = _CODES[state]

    def freeze(self) -> tuple[int, int, list[tuple[int, bytes]]]:
        """All that there is, as values in order."""
        return (
            self.count,
            self.newest,
            [(block, bytes(chunk)) for block, chunk in sorted(self._chunks.items())],
        )

    @classmethod
    def thaw(cls, count: int, newest: int, chunks: list[tuple[int, bytes]]) -> Outcomes:
        """The same again."""
        outcomes = cls()
        outcomes.count, outcomes.newest = count, newest
        outcomes._chunks = {block: bytearray(chunk) for block, chunk in chunks}
        return outcomes
