"""The fold of entries about archived segments: oldest first, without a gap, and none that something open needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sheratan.contracts.ids import parse_job_id
from sheratan.contracts.journal import GENESIS, Entry
from sheratan.contracts.principal import ENGINE
from sheratan.kernel.archiving import ARCHIVE
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_alerts import AlertFold
from sheratan.kernel.fold_book import decision_of
from sheratan.kernel.system import ALLOWED

__all__ = ["KEPT_FOR_EVER", "ArchiveFold", "KeptFact", "SegmentFact", "newest_of_journal"]


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


class KeptFact(NamedTuple):
    """How long entries are kept in the journal, None for ever; and the entry that says so, None when none ever did."""

    keep_us: int | None
    entry: int | None


KEPT_FOR_EVER: Final = KeptFact(None, None)


def newest_of_journal(last: SegmentFact | None, kept: KeptFact) -> int | None:
    """The newest entry about the journal, of that about its last segment and that about how long it is kept."""
    archived = None if last is None else last.entry
    return max((entry for entry in (archived, kept.entry) if entry is not None), default=None)


class ArchiveFold(AlertFold):
    """What an entry about a segment does, and what it must fit."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations)
        self.segments: list[SegmentFact] = []
        self.journal_kept = KEPT_FOR_EVER

    def entries_kept(self, entry: Entry) -> None:
        """Somebody says how long entries are kept in the journal."""
        last = self.segments[-1] if self.segments else None
        self.check_previous(entry, newest_of_journal(last, self.journal_kept))
        self.journal_kept = KeptFact(entry.data["keep_us"], entry.seq)

    def archived(self, entry: Entry) -> None:
        """The oldest entries were moved into a file."""
        data, last = entry.data, self.segments[-1] if self.segments else None
        fact = SegmentFact(
            data["first"], data["last"] + 1, data["until_us"], data["after"], data["file"], data["bytes"],
            data["digest"], data["state"], entry.seq,
        )  # fmt: skip
        self.check_previous(entry, newest_of_journal(last, self.journal_kept))
        if entry.actor == ENGINE.actor:
            self._check_due(entry, last)
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

    def _check_due(self, entry: Entry, last: SegmentFact | None) -> None:
        """The engine archives by itself what it is time for by what is set, where the system's state lets it."""
        decided, kept = decision_of(entry), self.journal_kept
        given = decided["input"]
        if ALLOWED[self.system.current].upkeep != "allow":
            self.say(
                entry, "H1", f"the system is {self.system.current}, and the engine archives nothing then"
            )
        if (decided["rule"], decided["chosen"]) != (ARCHIVE, "archive"):
            self.say(
                entry, "E14", f"{decided['chosen']} was chosen by {decided['rule']}, and it was archived"
            )
        if kept.keep_us is None or (entry.cause, given["keep_us"]) != (kept.entry, kept.keep_us):
            text = (
                f"it goes by {given['keep_us']} of entry {entry.cause}; {kept.keep_us} of {kept.entry} is set"
            )
            self.say(entry, "R2", text)
        told = given["since_us"], given["now_us"]
        stands = last.until_us if last else 0, entry.at
        if told != stands or given["until_us"] < entry.data["until_us"]:
            text = f"the decision was told {told} of entries up to {given['until_us']}; it is {stands}"
            self.say(entry, "R2", f"{text}, up to {entry.data['until_us']}")

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
