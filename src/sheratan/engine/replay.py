"""Every recorded decision derived again, from the journal alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from sheratan.contracts.errors import CorruptData
from sheratan.kernel.chain import decode_entry, split_page
from sheratan.kernel.replay import Difference, RuleCount
from sheratan.kernel.replay import Replayer as Decisions
from sheratan.kernel.rules import Rule
from sheratan.store.archive import Archive
from sheratan.store.port import Reader

__all__ = ["DIFFERENCES_MAX", "Replay", "Replayer", "replay", "replay_lines"]

DIFFERENCES_MAX: Final = 100


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found.

    `counts` are decisions per recorded rule, `differences` the first hundred that come out otherwise, in order;
    `unreadable` are the places of lines that are no entries, where a verification says more. So many entries before
    these were `archived` and not read.
    """

    ok: bool
    entries: int
    decisions: int
    different: int
    differences: list[Difference]
    counts: dict[str, RuleCount]
    unreadable: list[int]
    archived: int = 0


def replay(
    reader: Reader,
    rules: Mapping[str, Rule] | None = None,
    *,
    instead: Mapping[str, str] | None = None,
    archive: Archive | None = None,
) -> Replay:
    """Derive every decision of a journal again.

    `rules` are asked before the registered ones of the same key. With `instead` (a recorded rule, or its name for
    all versions, to the rule that is asked in its place) it says what would have been decided. NotFound when a
    rule in `instead` does not exist; CorruptData when the database cannot be read. With an `archive` the decisions
    among the entries that were moved there are derived again, too.
    """
    replayer = Replayer(reader, rules, instead=instead)
    if archive is not None:
        replayer.take_archived(archive)
    replayer.step()
    return replayer.result()


def replay_lines(
    lines: Iterable[bytes],
    rules: Mapping[str, Rule] | None = None,
    *,
    instead: Mapping[str, str] | None = None,
) -> Replay:
    """The same for the lines of an exported journal."""
    derived = _Derived(Decisions(rules, instead))
    for line in lines:
        derived.take(line.rstrip(b"\r\n"))
    return derived.result()


class Replayer:
    """Replays a journal step by step: each step reads on from where the last one stopped, and costs what is new."""

    def __init__(
        self,
        reader: Reader,
        rules: Mapping[str, Rule] | None = None,
        *,
        instead: Mapping[str, str] | None = None,
    ) -> None:
        self._reader = reader
        self._derived = _Derived(Decisions(rules, instead))
        self._next_page = 0
        self._archived = 0

    def take_archived(self, archive: Archive) -> None:
        """Replay what was archived; CorruptData when a file is not there or is not the one that was kept."""
        for segment in self._reader.segments():
            for line in archive.lines(segment):
                self._derived.take(line)
            self._next_page = segment.end

    def step(self) -> list[Difference]:
        """Read on to the end as it is recorded now, as a server may write on; returns the first hundred differences."""
        end = self._reader.shard().head.seq
        segments = self._reader.segments()
        if segments and segments[-1].end > self._next_page:
            self._archived += segments[-1].end - self._next_page
            self._next_page = segments[-1].end
        for first_seq, _, body in self._reader.pages(self._next_page):
            if first_seq < self._next_page:
                continue
            if first_seq >= end:
                break
            self._next_page = first_seq + 1
            for line in split_page(body):
                self._derived.take(line)
        return list(self._derived.differences)

    def result(self) -> Replay:
        """What was found so far."""
        return msgspec.structs.replace(self._derived.result(), archived=self._archived)


class _Derived:
    """What comes of deriving the decisions of one line after the other."""

    def __init__(self, decisions: Decisions) -> None:
        self.differences: list[Difference] = []
        self._decisions = decisions
        self._unreadable: list[int] = []
        self._entries = 0
        self._different = 0

    def take(self, line: bytes) -> None:
        """Take the next line."""
        try:
            difference = self._decisions.check(decode_entry(line))
        except CorruptData:
            if len(self._unreadable) < DIFFERENCES_MAX:
                self._unreadable.append(self._entries)
        else:
            if difference is not None:
                self._different += 1
                if len(self.differences) < DIFFERENCES_MAX:
                    self.differences.append(difference)
        self._entries += 1

    def result(self) -> Replay:
        """What was found so far."""
        counts = self._decisions.counts
        return Replay(
            ok=not (self._different or self._unreadable),
            entries=self._entries,
            decisions=sum(count.decisions for count in counts.values()),
            different=self._different,
            differences=list(self.differences),
            counts=dict(sorted(counts.items())),
            unreadable=list(self._unreadable),
        )
