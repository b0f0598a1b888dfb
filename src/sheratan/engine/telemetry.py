"""The one stream of events: what was committed, and what has befallen the process. Whatever listens hangs on it.

It fails open: a listener that raises loses the event, which is counted, and nobody else notices.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Final, Literal, NamedTuple, TypeVar

from sheratan.ambient.clock import Clock
from sheratan.contracts.ids import look_up_job_id
from sheratan.contracts.journal import Entry
from sheratan.contracts.limits import LANES_MAX
from sheratan.contracts.telemetry import (
    ENTRY_LEVELS,
    LEVELS,
    BatchCommitted,
    CommandRefused,
    EntryCommitted,
    Event,
    Level,
    SpanEnded,
)
from sheratan.engine.batch import Batch
from sheratan.engine.commands import Pending
from sheratan.engine.spans import spans_of
from sheratan.kernel.story import tell
from sheratan.store.rows import Lane, Lease

__all__ = ["OWN", "Hears", "Telemetry"]

OWN: Final = "telemetry"
"""The name under which it counts batches that it failed to tell of."""

T = TypeVar("T")

_LANE: Final = attrgetter("lane")
_TYPE: Final = attrgetter("type")

Listener = Callable[[Event], None]


class _Listening(NamedTuple):
    name: str
    rank: int
    unwanted: frozenset[type[Event]]
    listener: Listener


Hears = Literal["entries", "figures", "spans"]
"""How a listener is told of what is committed: entry by entry, in figures by the batch, or as parts of jobs' traces."""

_FORMS: Final[dict[Hears, type[Event]]] = {
    "entries": EntryCommitted,
    "figures": BatchCommitted,
    "spans": SpanEnded,
}


class Telemetry:
    """Tells listeners of events, each of those from its level on. A listener must not block: see `listen`."""

    def __init__(self, clock: Clock) -> None:
        self.dropped = Counter[str]()
        """Events that a listener has lost, by its name."""
        self._counting = threading.Lock()
        self._clock = clock
        self._listeners: list[_Listening] = []
        self._loud: frozenset[str] = frozenset()
        """Types of entries of which somebody wants to hear one by one."""
        self._has_spans = False

    def listen(self, name: str, listener: Listener, level: Level, *, hears: Hears = "entries") -> None:
        """Tell a listener of events from a level on, and of what is committed in one way.

        It is called on the loop: one that may have to wait queues them. Only of what blocks the loop another thread
        tells.
        """
        rank = LEVELS.index(level)
        unwanted = frozenset(form for one, form in _FORMS.items() if one != hears)
        self._listeners.append(_Listening(name, rank, unwanted, listener))
        self._has_spans |= hears == "spans"
        if hears == "entries":
            self._loud |= {one for one, found in ENTRY_LEVELS.items() if LEVELS.index(found) >= rank}

    def now_us(self) -> int:
        """The wall clock: microseconds since the epoch, UTC."""
        return self._clock.now_us()

    def emit(self, event: Event) -> None:
        """Tell everybody who wants to hear of it."""
        rank = LEVELS.index(event.level)
        for name, wanted, unwanted, listener in self._listeners:
            if rank >= wanted and type(event) not in unwanted:
                try:
                    listener(event)
                except Exception:
                    # Whatever is wrong with who listens, what was committed stays so and the engine goes on.
                    self.drop(name)

    def drop(self, name: str, events: int = 1) -> None:
        """Count events that a listener has lost. From any thread."""
        with self._counting:
            self.dropped[name] += events

    def refused(self, pending: Pending, code: str, field: str | None = None) -> None:
        """Tell of a command that is not done."""
        command = type(pending.command).__name__
        self.emit(CommandRefused(at_us=self.now_us(), command=command, code=code, field=field))

    def committed(self, batch: Batch, commit_us: int) -> None:
        """Tell of a batch, once it is committed, which took the database so long, and of what it has refused."""
        if not self._listeners:
            return
        try:
            self._tell(batch, commit_us)
        except Exception:
            # What cannot even be told is as good as dropped for everybody.
            self.drop(OWN)

    def _tell(self, batch: Batch, commit_us: int) -> None:
        for pending, error in batch.refused:
            self.refused(pending, error.code, error.field)
        if batch.unit.is_empty:
            return
        event = self._summary(batch, commit_us)
        self.emit(event)
        if not self._loud.isdisjoint(event.types):
            for told in self._entries(batch):
                self.emit(told)
        if self._has_spans:
            for span in spans_of(batch):
                self.emit(span)

    def _summary(self, batch: Batch, commit_us: int) -> BatchCommitted:
        """The batch in figures, from what it has at hand. What is done for each job here every job pays for."""
        unit, at_us, leased, ended = batch.unit, batch.at_us, batch.leased, batch.ended
        submitted = list(map(_LANE, unit.jobs))
        return BatchCommitted(
            at_us=at_us,
            batch_us=self._clock.monotonic_us() - batch.monotonic_us,
            commit_us=commit_us,
            types=list(map(_TYPE, unit.entries)),
            submitted={lane: len(same) for lane, same in _by_lane(submitted, submitted).items()},
            started=_by_lane(list(map(_LANE, leased)), [at_us - row.since_us for row in leased]),
            ended=_by_lane([job.lane for job, _ in ended], [result.state for _, result in ended]),
            ran=_ran(batch),
            charged=[(lane, unit, amount) for (lane, unit), amount in batch.takings.items() if amount],
        )

    def _entries(self, batch: Batch) -> Iterator[EntryCommitted]:
        """The entries of which somebody wants to hear."""
        lanes = batch.state.lane_by_number
        ended = {job.number: lanes[job.lane & LANES_MAX] for job, _ in batch.ended}
        for entry in batch.unit.entries:
            if entry.type in self._loud:
                lane = _lane(batch, ended, entry)
                yield EntryCommitted(
                    at_us=entry.at,
                    type=entry.type,  # type: ignore[arg-type]
                    entry=entry.seq,
                    subject=entry.subject,
                    tenant=entry.tenant,
                    actor=entry.actor,
                    on_behalf_of=entry.on_behalf_of,
                    text=tell(entry),
                    kind=entry.data.get("kind") if lane is None else lane.kind,
                    queue=entry.data.get("queue") if lane is None else lane.queue,
                )


def _by_lane(numbers: list[int], values: list[T]) -> dict[int, list[T]]:
    """Values by their lane, of the numbers that stand in the rows of jobs. Most batches have one lane."""
    if len(set(numbers)) == 1:
        return {numbers[0] & LANES_MAX: values}
    found: dict[int, list[T]] = {}
    for number, value in zip(numbers, values, strict=True):
        found.setdefault(number & LANES_MAX, []).append(value)
    return found


def _ran(batch: Batch) -> dict[int, list[int]]:
    """How long the attempts ran that ended jobs; some have ended without one."""
    at_us, moves = batch.at_us, batch.unit.moves
    lanes: list[int] = []
    ran_us: list[int] = []
    for job, _ in batch.ended:
        before = moves[job.number][0]
        if type(before) is Lease:
            lanes.append(job.lane)
            ran_us.append(at_us - before.leased_us)
    return _by_lane(lanes, ran_us)


def _lane(batch: Batch, ended: dict[int, Lane], entry: Entry) -> Lane | None:
    """The lane of the job that an entry is about, if the job is at hand."""
    if not entry.subject.startswith("job_"):
        return None
    number = look_up_job_id(entry.subject).number
    job = batch.state.cached.get(number)
    return ended.get(number) if job is None else batch.state.lane_of(job)
