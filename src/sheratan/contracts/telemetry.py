"""Telemetry: what is told of a running engine as it happens, to logs, metrics and whatever else listens.

An event decides nothing and is stored nowhere: what counts is in the journal. What the journal says is told only
once it is committed, and under the entry's own type; the events below are about the process itself.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal, get_args

import msgspec

from sheratan.contracts.journal import EntryType
from sheratan.contracts.patterns import ENDPOINT
from sheratan.contracts.pressure import PressureLevel

__all__ = [
    "ENTRY_LEVELS",
    "LEVELS",
    "PROCESS_EVENTS",
    "TRACE_REASONS",
    "BatchCommitted",
    "BreakerClosed",
    "BreakerHalfOpened",
    "BreakerOpened",
    "CommandRefused",
    "CommitFailed",
    "EngineHalted",
    "EntryCommitted",
    "Event",
    "EventsDropped",
    "Level",
    "LinesLeftOut",
    "LoopBlocked",
    "PressureChanged",
    "SpanEnded",
    "SpanKind",
    "TraceSettings",
    "event_name",
]

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""From the least to the most urgent."""

_LEVEL_TYPES: Final[dict[Level, tuple[EntryType, ...]]] = {
    # What every job and every run brings with it.
    "debug": (
        "worker.leased",
        "job.submitted",
        "job.throttled",
        "job.proposed",
        "job.due",
        "job.unblocked",
        "job.succeeded",
        "job.cancel_requested",
        "job.cancelled",
        "job.waiting",
        "job.woken",
        "signal.sent",
        "schedule.fired",
        "step.succeeded",
        "workflow.started",
        "workflow.forked",
        "workflow.advanced",
        "workflow.ended",
        "retention.pruned",
        "retention.runs_pruned",
        "ledger.transferred",
        "ledger.expired",
        "ledger.shared",
    ),
    # Starts, stops, what people do, and attempts that are made again.
    "info": (
        "engine.started",
        "engine.draining",
        "engine.stopped",
        "policy.set",
        "worker.registered",
        "worker.ended",
        "queue.paused",
        "queue.resumed",
        "kind.paused",
        "kind.resumed",
        "tenant.paused",
        "tenant.resumed",
        "flow.limited",
        "job.retried",
        "job.requeued",
        "job.replayed",
        "job.discarded",
        "bulk.started",
        "bulk.ended",
        "schedule.created",
        "schedule.changed",
        "schedule.backfilled",
        "schedule.triggered",
        "schedule.paused",
        "schedule.resumed",
        "schedule.deleted",
        "approval.asked",
        "approval.voted",
        "approval.delegated",
        "approval.cancelled",
        "step.failed",
        "workflow.stopping",
        "workflow.compensating",
        "retention.set",
        "journal.kept",
        "journal.archived",
        "ledger.account_opened",
        "price.set",
        "budget.set",
        "alert.notified",
    ),
    # What somebody may have to see to.
    "warning": (
        "engine.resumed",
        "system.changed",
        "clock.stepped",
        "job.refused",
        "job.failed",
        "job.timed_out",
        "job.fenced_off",
        "job.blocked",
        "schedule.missed",
        "schedule.skipped",
        "schedule.postponed",
        "approval.expired",
        "workflow.blocked",
        "ledger.refused",
        "alert.raised",
        "alert.cleared",
    ),
    "error": (),
}
ENTRY_LEVELS: Final[dict[EntryType, Level]] = {
    entry_type: level for level, types in _LEVEL_TYPES.items() for entry_type in types
}
"""How urgent each type of entry is."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Something that has happened, at `at_us` in microseconds since the epoch."""

    LEVEL: ClassVar[Level] = "info"
    at_us: int

    @property
    def level(self) -> Level:
        """How urgent it is."""
        return self.LEVEL


class EntryCommitted(Event, tag="entry", frozen=True, kw_only=True):
    """An entry is durable. Its name is the entry's type; `text` is the sentence that `sheratan why` tells.

    `kind` and `queue` are those of the job that it is about, where the engine has them at hand.
    """

    type: EntryType
    entry: int
    subject: str
    tenant: str
    actor: str
    on_behalf_of: str
    text: str
    kind: str | None = None
    queue: str | None = None

    @property
    def level(self) -> Level:
        """How urgent its type is."""
        return ENTRY_LEVELS[self.type]


class BatchCommitted(Event, tag="batch.committed", frozen=True, kw_only=True):
    """A batch is durable, in figures: for metrics, in place of its entries.

    In microseconds, `batch_us` from its first command to its answers, `commit_us` of it in the database. `types` are
    the types of its entries. By number of the lane: how many jobs were `submitted`; how long those were ready of which
    an attempt was `started`; the states in which jobs have `ended`, and how long the attempts `ran` that ended one;
    and how many minor units of which unit attempts were `charged`.
    """

    LEVEL: ClassVar[Level] = "debug"
    batch_us: int
    commit_us: int
    types: list[str]
    submitted: dict[int, int]
    started: dict[int, list[int]]
    ended: dict[int, list[str]]
    ran: dict[int, list[int]]
    charged: list[tuple[int, str, int]]


SpanKind = Literal["internal", "client", "producer", "consumer"]
"""What a span is of: work by itself, a call of something outside, a job that is submitted, or an attempt at one."""


class SpanEnded(Event, tag="span.ended", frozen=True, kw_only=True):
    """A part of a job's trace is over, which has begun at `began_us`; told only to who listens to spans.

    `trace`, `span` and `parent` are ids of W3C Trace Context, in hexadecimal digits; `links` are traces and spans of
    other jobs, or of attempts before. `error` is the type of the error that has ended it. There is nothing in it of
    what a job was given or gave.
    """

    LEVEL: ClassVar[Level] = "debug"
    trace: str
    span: str
    parent: str | None
    name: str
    kind: SpanKind
    began_us: int
    error: str | None = None
    links: list[tuple[str, str]] = []
    attributes: dict[str, str | int] = {}


class CommitFailed(Event, tag="commit.failed", frozen=True, kw_only=True):
    """A batch could not be written and nothing of it has happened; so many commands were `refused` for it."""

    LEVEL: ClassVar[Level] = "error"
    reason: str
    refused: int


class CommandRefused(Event, tag="command.refused", frozen=True, kw_only=True):
    """The engine has refused a command, with the `code` of an error; a warning where a limit was reached."""

    command: str
    code: str
    field: str | None

    @property
    def level(self) -> Level:
        """How urgent it is."""
        return "warning" if self.code in ("limit_reached", "overloaded") else "info"


class PressureChanged(Event, tag="pressure.changed", frozen=True, kw_only=True):
    """The process has come under more pressure, or under less; while there is any, some work is not taken in."""

    LEVEL: ClassVar[Level] = "warning"
    source: PressureLevel
    to: PressureLevel
    reason: str


class LoopBlocked(Event, tag="loop.blocked", frozen=True, kw_only=True):
    """A call has kept the event loop from its work for so long, in microseconds, or still does.

    `function`, `file` and `line` are its place, `calls` how it came there, from the outside in. `job` and `kind` are
    those of the handler whose turn it was, if it was one's. A place that was told of in the last minute is told of
    `again`, and less urgently. The watchdog's own thread tells it.
    """

    blocked_us: int
    still: bool
    function: str
    file: str
    line: int
    calls: str
    job: str | None
    kind: str | None
    again: bool

    @property
    def level(self) -> Level:
        """How urgent it is."""
        return "debug" if self.again else "warning"


class EngineHalted(Event, tag="engine.halted", frozen=True, kw_only=True):
    """This process decides nothing any more."""

    LEVEL: ClassVar[Level] = "error"
    reason: str


class EventsDropped(Event, tag="telemetry.dropped", frozen=True, kw_only=True):
    """A listener did not keep up or failed; so many events were dropped for it, all told."""

    LEVEL: ClassVar[Level] = "warning"
    listener: str
    count: int


class LinesLeftOut(Event, tag="log.left_out", frozen=True, kw_only=True):
    """The log has had no more lines of one name for the rest of a second: so many were left out."""

    LEVEL: ClassVar[Level] = "warning"
    name: str
    count: int


class BreakerOpened(Event, tag="breaker.opened", frozen=True, kw_only=True):
    """Calls of a dependency fail: jobs that need it are refused, and tried again later."""

    LEVEL: ClassVar[Level] = "warning"
    dependency: str
    because: str


class BreakerHalfOpened(Event, tag="breaker.half_opened", frozen=True, kw_only=True):
    """The next call of a dependency is let through, to find out whether it works again."""

    dependency: str
    because: str


class BreakerClosed(Event, tag="breaker.closed", frozen=True, kw_only=True):
    """A dependency works again; `because` is why it was not called."""

    dependency: str
    because: str


class TraceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the traces of jobs are sent."""

    endpoint: Annotated[str, msgspec.Meta(pattern=ENDPOINT)] = ""
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0


TRACE_REASONS: Final = {
    "endpoint": "where spans go by OTLP, as http://127.0.0.1:4318/v1/traces, with the extra `otel`; empty: nowhere",
    "timeout_seconds": "how long the collector may take; spans wait meanwhile, and what is too much is dropped",
}


PROCESS_EVENTS: Final[tuple[type[Event], ...]] = (
    BatchCommitted,
    BreakerClosed,
    BreakerHalfOpened,
    BreakerOpened,
    CommitFailed,
    CommandRefused,
    EngineHalted,
    PressureChanged,
    LoopBlocked,
    EventsDropped,
    LinesLeftOut,
)
"""Every event that no entry tells of."""


def event_name(event: Event | type[Event]) -> str:
    """What an event is called."""
    tag: Any = event.__struct_config__.tag
    return event.type if isinstance(event, EntryCommitted) else str(tag)
