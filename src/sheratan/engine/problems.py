"""What a check found wrong: the first problems in full, the rest counted."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from sheratan.contracts.errors import CorruptData, InvalidInput
from sheratan.kernel.canonical import digest
from sheratan.kernel.facts import Violation

__all__ = ["PROBLEMS_MAX", "Problem", "Problems", "kept_digest"]

PROBLEMS_MAX: Final = 100
"""One fault may break thousands of rows; nobody reads more than the first hundred."""


class Problem(msgspec.Struct, frozen=True):
    """A broken invariant: its id, one sentence, and where: an entry's number, or a row."""

    invariant: str
    text: str
    seq: int | None = None
    row: str | None = None


class Problems:
    """A bounded list of problems."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.count = 0

    def add(self, invariant: str, text: str, *, seq: int | None = None, row: str | None = None) -> None:
        """Note a problem."""
        self.count += 1
        if len(self.found) < PROBLEMS_MAX:
            self.found.append(Problem(invariant, text, seq, row))

    def take(self, violations: Iterable[Violation]) -> None:
        """Note violations of the journal."""
        for violation in violations:
            self.add(violation.invariant, violation.text, seq=violation.seq)

    def merge(self, other: Problems) -> None:
        """Note what another list holds."""
        for problem in other.found:
            self.add(problem.invariant, problem.text, seq=problem.seq, row=problem.row)
        self.count += other.count - len(other.found)

    def missing(self, row: str, seq: int, text: str) -> None:
        """Note that a row is not there of which the entry `seq` tells."""
        self.add("J5", text, seq=seq, row=row)

    def differ(
        self, table: str, said: Mapping[tuple[Any, ...], Any], stands: Mapping[tuple[Any, ...], Any]
    ) -> None:
        """Note where what stands in a table is not what the journal said, by key."""
        for key in sorted(said.keys() | stands.keys()):
            name = f"{table} {'/'.join(map(str, key))}"
            if key not in stands:
                self.add("J5", "the journal tells of it and it is not there", row=name)
            elif key not in said:
                self.add("J5", "the journal does not tell of it", row=name)
            elif said[key] != stands[key]:
                self.add("J14", f"it is {stands[key]}; by the journal it is {said[key]}", row=name)

    def differ_in(
        self, row: str, seq: int, names: Iterable[str], said: Iterable[Any], stands: Iterable[Any]
    ) -> None:
        """Note in which columns a row is not what the entry `seq` said."""
        for name, expected, found in zip(names, said, stands, strict=True):
            if found != expected:
                self.add("J14", f"{name} is {found}; by the journal it is {expected}", seq=seq, row=row)

    @contextmanager
    def reading(self, what: str) -> Generator[None]:
        """Within it, a damaged database is a problem instead of an error; what comes after goes on."""
        try:
            yield
        except (CorruptData, InvalidInput, AttributeError, TypeError, ValueError) as error:
            # Damage below the tables' own checks may leave values of any type where numbers or bytes should be.
            self.add("database", f"{type(error).__name__}: {error}", row=what)


def kept_digest(inline: bytes | None, payload: bytes | None) -> str:
    """The SHA-256 of a value that is kept in its row or, under that digest, apart from it."""
    if inline is not None and payload is not None:
        return "two values at once"
    return payload.hex() if payload is not None else digest(inline or b"")
