"""The fold of entries about archived segments: oldest first, without a gap, and none that something open needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.journal import GENESIS, Entry
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_system import SystemFold

__all__ = ["ArchiveFold", "SegmentFact"]


class SegmentFact(NamedTuple):
    """A segment that was archived: its entries are those from `first` on and before `end`.

    `until_us` is the instant of the last of them and `head` its hash; `file` is the name of the file that they stand
    in, of `size` bytes with the SHA-256 `digest`. `state` is the SHA-256 of the fold's state after them.
    """

    first: int
    end: int
    until_us: int
    head: str
    file: str
    size: int
    digest: str
    state: str
    entry: int
    """The entry that tells of it."""


class ArchiveFold(SystemFold):
    """What an entry about a segment does, and what it must fit."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.segments: list[SegmentFact] = []

    def archived(self, entry: Entry) -> None:
        """The oldest entries were moved into a file."""
        data, last = entry.data, self.segments[-1] if self.segments else None
        fact = SegmentFact(
            data["first"], data["last"] + 1, data["until_us"], data["after"], data["file"], data["bytes"],
            data["digest"], data["state"], entry.seq,
        )  # fmt: skip
        self.check_previous(entry, last.entry if last else None)
        told = (fact.first, data["before"])
        stands = (last.end, last.head) if last else (0, GENESIS)
        if told != stands:
            self.say(entry, "R2", f"it goes on from {told}, and the segment before ends with {stands}")
        if not fact.first < fact.end <= entry.seq:
            self.say(
                entry, "R2", f"entries {fact.first} to {data['last']} are no segment of what came before it"
            )
        for subject in self._needed_since(fact.until_us, fact.end):
            self.say(entry, "R2", f"{subject} needs an entry that was archived")
        self.segments.append(fact)

    def _needed_since(self, until_us: int, end: int) -> Iterator[str]:
        """What is open or paused, and was so by an instant and before an entry: it keeps its story in the journal."""
        before_ms = until_us // 1_000
        yield from (
            job.subject for job in self.open.values() if parse_job_id(job.subject).milliseconds < before_ms
        )
        yield from (run.subject for run in self.runs.values() if run.created_us < until_us)
        yield from (
            f"bulk:{number}" for number, bulk in self.bulks.items() if bulk.ended is None and number < end
        )
        yield from (subject for (_, subject), flow in self.flows.items() if 0 < flow.paused < end)
