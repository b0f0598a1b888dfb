"""Randomness: the host's, and a seeded one whose draws repeat."""

from __future__ import annotations

import hashlib
import secrets
from typing import Protocol

__all__ = ["Randomness", "SeededRandomness", "SystemRandomness"]


_BLOCK_BYTES = 4_096


class Randomness(Protocol):
    """Draws by named stream, so that a new draw in one place does not shift the draws of another."""

    def bits(self, stream: str, count: int) -> int:
        """A number of `count` random bits (at most 256)."""
        ...


class SystemRandomness:
    """The host's random source, read a block at a time: a system call per draw would cost more than the draw."""

    def __init__(self) -> None:
        self._block = b""
        self._used = 0

    def bits(self, stream: str, count: int) -> int:
        """A number of `count` random bits; the stream's name does not matter here."""
        size = (count + 7) // 8
        if self._used + size > len(self._block):
            self._block, self._used = secrets.token_bytes(_BLOCK_BYTES), 0
        taken = self._block[self._used : self._used + size]
        self._used += size
        return int.from_bytes(taken, "big") >> (size * 8 - count)


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
