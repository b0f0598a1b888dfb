"""Every recorded decision derived again, from the journal alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from sheratan.contracts.errors import CorruptData
from sheratan.kernel.chain import decode_entry, split_page
from sheratan.kernel.replay import Difference, Replayer, RuleCount
from sheratan.kernel.rules import Rule
from sheratan.store.port import Reader

__all__ = ["DIFFERENCES_MAX", "Replay", "replay", "replay_lines"]

DIFFERENCES_MAX: Final = 100


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found.

    `counts` are decisions per recorded rule, `differences` the first hundred that come out otherwise, in order;
    `unreadable` are the places of lines that are no entries, where a verification says more.
    """

    ok: bool
    entries: int
    decisions: int
    different: int
    differences: list[Difference]
    counts: dict[str, RuleCount]
    unreadable: list[int]


def replay(
    reader: Reader, rules: Mapping[str, Rule] | None = None, *, instead: Mapping[str, str] | None = None
) -> Replay:
    """Derive every decision of a journal again.

    `rules` are asked before the registered ones of the same key. With `instead` (a recorded rule, or its name for
    all versions, to the rule that is asked in its place) it says what would have been decided. NotFound when a
    rule in `instead` does not exist; CorruptData when the database cannot be read.
    """
    return replay_lines(_lines(reader), rules, instead=instead)


def replay_lines(
    lines: Iterable[bytes],
    rules: Mapping[str, Rule] | None = None,
    *,
    instead: Mapping[str, str] | None = None,
) -> Replay:
    """The same for the lines of an exported journal."""
    replayer = Replayer(rules, instead)
    differences: list[Difference] = []
    unreadable: list[int] = []
    entries = different = 0
    for line in lines:
        try:
            difference = replayer.check(decode_entry(line.rstrip(b"\r\n")))
        except CorruptData:
            if len(unreadable) < DIFFERENCES_MAX:
                unreadable.append(entries)
        else:
            if difference is not None:
                different += 1
                if len(differences) < DIFFERENCES_MAX:
                    differences.append(difference)
        entries += 1
    return Replay(
        ok=not (different or unreadable),
        entries=entries,
        decisions=sum(count.decisions for count in replayer.counts.values()),
        different=different,
        differences=differences,
        counts=dict(sorted(replayer.counts.items())),
        unreadable=unreadable,
    )


def _lines(reader: Reader) -> Iterator[bytes]:
    """The lines up to the end as it is recorded now; a server may write on."""
    end = reader.shard().head.seq
    for first_seq, _, body in reader.pages():
        if first_seq >= end:
            return
        yield from split_page(body)
