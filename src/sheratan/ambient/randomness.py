"""Randomness: the host's, and a seeded one whose draws repeat."""

from __future__ import annotations

import hashlib
import secrets
from typing import Protocol

__all__ = ["Randomness", "SeededRandomness", "SystemRandomness"]


_DRAWS_AT_ONCE = 512


class Randomness(Protocol):
    """Draws by named stream, so that a new draw in one place does not shift the draws of another."""

    def bits(self, stream: str, count: int) -> int:
        """A number of `count` random bits (at most 256)."""
        ...


class SystemRandomness:
    """The host's random source, drawn from many times at once: a system call per draw would cost more than the draw."""

    def __init__(self) -> None:
        self._drawn: dict[int, list[int]] = {}

    def bits(self, stream: str, count: int) -> int:
        """A number of `count` random bits; the stream's name does not matter here."""
        drawn = self._drawn.get(count)
        if not drawn:
            drawn = self._drawn[count] = _draw(count)
        return drawn.pop()


def _draw(count: int) -> list[int]:
    size = (count + 7) // 8
    block = secrets.token_bytes(size * _DRAWS_AT_ONCE)
    spare = size * 8 - count
    return [
        int.from_bytes(block[start : start + size], "big") >> spare for start in range(0, len(block), size)
    ]


class SeededRandomness:
    """Draw n of a stream is SHA-256(seed, stream, n): the same on any machine."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn: dict[str, int] = {}

    def bits(self, stream: str, count: int) -> int:
        """A number of `count` bits, decided by the seed, the stream and how often it was drawn from."""
        drawn = self._drawn.get(stream, 0)
        self._drawn[stream] = drawn + 1
        digest = hashlib.sha256(f"{self._seed}/{stream}/{drawn}".encode()).digest()
        return int.from_bytes(digest, "big") >> (256 - count)
