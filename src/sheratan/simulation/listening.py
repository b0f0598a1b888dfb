"""Listens to an engine's telemetry and holds it against what was committed; beside a listener that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from sheratan.contracts.journal import Entry
from sheratan.contracts.telemetry import BatchCommitted, CommitFailed, EntryCommitted, Event, SpanEnded
from sheratan.engine.batch import Batch
from sheratan.engine.telemetry import OWN, Telemetry
from sheratan.simulation.auditor import Auditor
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.story import Story

__all__ = ["Listening"]

T = TypeVar("T")


class Listening:
    """What is told of one engine."""

    def __init__(self, telemetry: Telemetry, auditor: Auditor, coverage: Coverage, story: Story) -> None:
        self._telemetry = telemetry
        self._auditor = auditor
        self._coverage = coverage
        self._story = story
        self._batch: Batch | None = None
        self._spans: set[tuple[str, str]] = set()
        self._submitted: list[str] = []
        """The jobs that were submitted, of which a span is to be told yet."""
        self._next: int | None = None
        """The entry that is to be told next; None before the first one."""
        telemetry.listen("failing", self._fail, "debug")
        telemetry.listen("entries", self._hear_entry, "debug")
        telemetry.listen("figures", self._hear_figures, "debug", hears="figures")
        telemetry.listen("spans", self._hear_span, "debug", hears="spans")

    def committed(self, batch: Batch) -> None:
        """A batch is committed, and is told of next."""
        if self._telemetry.dropped[OWN]:
            self._story.blame("the telemetry failed to tell of a batch")
        # An engine that has read the entries of another writes nothing any more, and there is nothing to tell.
        if not batch.unit.is_empty and self._next not in (None, batch.unit.first_seq):
            self._story.blame(f"the telemetry did not tell of entry {self._next}")
        self._batch = batch

    def _hear_span(self, event: Event) -> None:
        """Every job that is submitted has a span, and no span is told twice."""
        if type(event) is not SpanEnded:
            return
        if (event.trace, event.span) in self._spans or event.began_us > event.at_us:
            self._story.blame(f"the telemetry told of span {event.name} twice, or before it was over")
        self._spans.add((event.trace, event.span))
        if event.name.startswith("submit "):
            self._submitted.remove(str(event.attributes["messaging.message.id"]))
        if event.links:
            self._coverage.hit("span.linked")

    def _fail(self, event: Event) -> None:
        self._coverage.hit("listener.failed")
        raise RuntimeError("a listener fails")

    def _hear_entry(self, event: Event) -> None:
        if type(event) is CommitFailed:
            self._coverage.hit("listener.commit_failed")
        if type(event) is not EntryCommitted:
            return
        if event.entry >= self._auditor.head.seq:
            self._story.blame(f"the telemetry told of entry {event.entry}, which is not committed")
        if self._next not in (None, event.entry):
            self._story.blame(f"the telemetry told of entry {event.entry} in the place of {self._next}")
        self._next = event.entry + 1

    def _hear_figures(self, event: Event) -> None:
        """Hold the figures of a batch against its entries."""
        if type(event) is not BatchCommitted or self._batch is None:
            return
        entries = self._batch.unit.entries
        if self._submitted:
            self._story.blame(f"the telemetry told of no spans for {self._submitted}")
        self._submitted = [entry.subject for entry in entries if entry.type == "job.submitted"]
        for what, holds in _said(event, entries).items():
            if not holds:
                self._story.blame(f"the telemetry says other things of a batch than its entries: {what}")


def _said(event: BatchCommitted, entries: list[Entry]) -> dict[str, bool]:
    """Whether each figure of a batch is what its entries come to."""
    return {
        "types": event.types == [entry.type for entry in entries],
        "submitted": sum(event.submitted.values()) == event.types.count("job.submitted"),
        "started": len(_all(event.started)) == sum(len(entry.data["jobs"]) for entry in _leases(entries)),
        "ended": _all(event.ended).count("succeeded") == event.types.count("job.succeeded"),
        "charged": sum(amount for *_, amount in event.charged) == sum(_settled(entries)),
        "durations": min(event.commit_us, event.batch_us, *_all(event.started), *_all(event.ran)) >= 0,
    }


def _all(by_lane: dict[int, list[T]]) -> list[T]:
    return [value for values in by_lane.values() for value in values]


def _settled(entries: list[Entry]) -> Iterator[int]:
    """What each attempt was charged, of those that were settled."""
    for entry in entries:
        if entry.type == "ledger.transferred" and "attempts" in entry.data and entry.decision is not None:
            asked, chosen = entry.decision["input"]["transfers"], entry.decision["chosen"]
            for transfer, (_, amount) in zip(asked, chosen, strict=True):
                if transfer.get("phase") == "post":
                    yield amount


def _leases(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.type == "worker.leased"]
