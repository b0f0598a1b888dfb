"""What a journal says about jobs: the open ones in full, the ended ones in one byte each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from sheratan.contracts.journal import Entry

__all__ = [
    "Ended",
    "FailureFact",
    "KeyFact",
    "Mention",
    "NewFacts",
    "OpenJob",
    "Outcomes",
    "QueueFact",
    "Violation",
]


class Violation(NamedTuple):
    """A broken invariant: the entry where it shows, the invariant's id (E2, J1, …) and one sentence."""

    seq: int
    invariant: str
    text: str


class OpenJob(msgspec.Struct, gc=False):
    """A job that has not ended. Instants in microseconds since the epoch.

    `attempt` runs, or is the next to run; `failures` and `losses` are how earlier ones ended; `missing` and
    `parents_failed` count the jobs that it runs after; `session` and `fence` mean something while it runs, and
    `due_us` while it is scheduled or blocked.
    """

    number: int
    subject: str
    tenant: str
    queue: str
    kind: str
    priority: int
    attempts_max: int
    state: str
    entry: int
    since_us: int
    delay_due_us: int
    due_us: int
    missing: int
    parents_failed: int
    run_timeout_us: int
    attempt: int = 1
    failures: int = 0
    losses: int = 0
    fence: int = -1
    session: int = -1
    cancel_us: int = 0
    retrying: bool = False


class Ended(NamedTuple):
    """How a job ended: `output` is the SHA-256 of its canonical output, None when it did not succeed."""

    number: int
    state: str
    attempt: int
    losses: int
    finished_us: int
    output: str | None
    entry: int


class FailureFact(NamedTuple):
    """A failed attempt: `digest` is the SHA-256 of the error as it is kept beside the journal."""

    number: int
    entry: int
    digest: str


class Mention(NamedTuple):
    """An entry that mentions a job beside its story."""

    number: int
    entry: int


class KeyFact(NamedTuple):
    """The job that an idempotency key made, and the digest of the request that it stands for."""

    number: int
    request: bytes | None
    """None for a key of the first schema, whose entries did not tell it."""


class QueueFact(NamedTuple):
    """A queue that was paused or resumed, and the entry that says so."""

    paused: bool
    reason: str
    entry: int


class PlainJobs(NamedTuple):
    """Jobs that came in with nothing unusual about them, as columns: what their rows must say.

    `lanes` are tenant, queue and kind; `inputs` digests; `entries` the entries, or their lines when undecoded.
    """

    numbers: list[int]
    salts: list[int]
    lanes: list[tuple[str, str, str]]
    priorities: list[int]
    created_us: list[int]
    options: list[list[int]]
    inputs: list[str]
    entries: list[Entry | bytes]

    def columns(self) -> tuple[list[Any], ...]:
        """The columns, whatever they hold."""
        return tuple(self)

    def add(self, *facts: Any) -> None:
        """Add one job, by its facts in the order of the columns."""
        for column, fact in zip(self.columns(), facts, strict=True):
            column.append(fact)

    def extend(self, others: PlainJobs) -> None:
        """Add other jobs."""
        for column, facts in zip(self.columns(), others.columns(), strict=True):
            column.extend(facts)

    def part(self, start: int, stop: int) -> PlainJobs:
        """Some of the jobs."""
        return PlainJobs(*(column[start:stop] for column in self.columns()))


class NewFacts(NamedTuple):
    """What entries have said since it was last asked, and what no later entry can change."""

    plain: PlainJobs
    submitted: list[Entry]
    ended: list[Ended]
    failures: list[FailureFact]


def no_facts() -> NewFacts:
    """Room for facts."""
    return NewFacts(PlainJobs([], [], [], [], [], [], [], []), [], [], [])


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
