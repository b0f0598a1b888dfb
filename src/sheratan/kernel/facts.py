"""What a journal says about jobs: the open ones in full, the ended ones in one byte each."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from sheratan.contracts.journal import Entry

__all__ = ["Ended", "FailureFact", "Mention", "NewFacts", "OpenJob", "Outcomes", "QueueFact", "Violation"]


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


class QueueFact(NamedTuple):
    """A queue that was paused or resumed, and the entry that says so."""

    paused: bool
    reason: str
    entry: int


class NewFacts(NamedTuple):
    """What entries have said since it was last asked, and what no later entry can change."""

    submitted: list[Entry]
    ended: list[Ended]
    failures: list[FailureFact]


_BITS: Final = 12
_MASK: Final = (1 << _BITS) - 1
_STATES: Final = ("", "open", "succeeded", "failed", "cancelled")
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

    def put(self, number: int, state: str) -> None:
        """Note what became of a job."""
        chunk = self._chunks.get(number >> _BITS)
        if chunk is None:
            chunk = self._chunks[number >> _BITS] = bytearray(1 << _BITS)
        if not chunk[number & _MASK]:
            self.count += 1
            self.newest = max(self.newest, number)
        chunk[number & _MASK] = _CODES[state]
