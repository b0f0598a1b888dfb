"""Is the journal whole, does it obey its own rules, and do the tables say what it says?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from sheratan.contracts.errors import CorruptData
from sheratan.engine.compare import FinalRows
from sheratan.engine.problems import Problem, Problems
from sheratan.engine.standing import compare_standing
from sheratan.kernel.chain import PAGE_SEPARATOR, Head, split_page
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold import Fold
from sheratan.kernel.secret_text import find_secret
from sheratan.kernel.trail import Trail
from sheratan.store.port import Reader

__all__ = ["Problem", "Verification", "export", "verify", "verify_lines", "verify_opened"]

_BEFORE_ALL = -(1 << 62)
"""A page that was slipped in before the first one must be seen, too."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found.

    `entries`, `jobs` and `head` (the hash of the last entry) say how far it came; `counts` are entries per type;
    `problems` are the first hundred of `problems_count`. `tables_compared` is False when only the journal itself
    could be checked.
    """

    ok: bool
    entries: int
    jobs: int
    open_jobs: int
    head: str
    tables_compared: bool
    problems_count: int
    problems: list[Problem]
    counts: dict[str, int]


def verify(reader: Reader, *, integrity: bool = True) -> Verification:
    """Verify a data directory, whether a server runs on it or not. Damage is a problem in the answer, no error.

    With `integrity`, the database's check of its own files is run first.
    """
    return _Walk(reader).run(integrity=integrity)


def verify_opened(opener: Callable[[], Reader], *, integrity: bool = True) -> Verification:
    """Open a reader, verify and close it; that it cannot be opened is a problem in the answer, too."""
    try:
        reader = opener()
    except CorruptData as error:
        problems = Problems()
        problems.add("database", str(error))
        return _answer(Trail([]), Fold([]), problems, compared=False)
    try:
        return verify(reader, integrity=integrity)
    finally:
        reader.close()


def verify_lines(lines: Iterable[bytes], head: str | None = None) -> Verification:
    """Verify an exported journal: its form, chain and story. `head`, when known from elsewhere, is the end's hash.

    Without `head`, entries that are missing at the end cannot be noticed: what is there is whole in itself.
    """
    violations: list[Violation] = []
    problems = Problems()
    trail, fold = Trail(violations), Fold(violations)
    for line in lines:
        entry = trail.read(line.rstrip(b"\r\n"))
        if entry is not None:
            fold.apply(entry)
            fold.take_facts()
        if violations:
            problems.take(violations)
            violations.clear()
    end = trail.head
    problems.take(trail.unread(end if head is None else Head(end.seq, head, end.at)))
    return _answer(trail, fold, problems, compared=False)


def export(reader: Reader, write: Callable[[bytes], object]) -> int:
    """Write the journal as JSON Lines, each entry byte for byte as it was hashed; returns how many there are."""
    end, count = reader.shard().head.seq, 0
    for first_seq, entries, body in reader.pages():
        if first_seq >= end:
            break
        write(body)
        write(PAGE_SEPARATOR)
        count += entries
    return count


class _Walk:
    """One verification of a data directory."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._violations: list[Violation] = []
        self._problems = Problems()
        self._trail = Trail(self._violations)
        self._fold = Fold(self._violations)
        self._rows = FinalRows(reader, self._problems)
        self._next_page = _BEFORE_ALL
        self._end = Head()

    def run(self, *, integrity: bool) -> Verification:
        problems, compared = self._problems, False
        if integrity:
            with problems.reading("integrity"):
                for text in self._reader.integrity():
                    problems.add("database", text)
        with problems.reading("journal"):
            compared = self._run()
        return _answer(self._trail, self._fold, problems, compared=compared)

    def _run(self) -> bool:
        """Walk the journal and compare the tables with it.

        A server may commit meanwhile. So the end is read first and the journal is verified up to there; journal
        pages never change. Then the tables must be compared as they were at that end. Without a server, or while
        it has nothing to do, that is how they stand: they are read in short steps that hold nothing open, and if
        the end has not moved afterwards, nothing has moved. If it has, what was found means nothing; then the
        rest of the journal is read and the tables compared again within one snapshot. That keeps SQLite from
        recycling its log for the seconds that it takes, which a busy server can bear once but not by default.
        """
        self._walk()
        found = self._compare()
        if found is None:
            with self._reader.snapshot():
                self._walk()
                found = self._compare()
        if found is None:
            self._problems.add("database", "a snapshot changed while it was read")
            return False
        self._problems.merge(found)
        return True

    def _walk(self) -> None:
        """Read on to the end as it is recorded now."""
        self._end = self._reader.shard().head
        for first_seq, count, body in self._reader.pages(self._next_page):
            if first_seq < self._next_page:
                continue
            if first_seq >= self._end.seq:
                break
            self._next_page = first_seq + 1
            self._read_page(first_seq, count, body)
        self._rows.flush()

    def _read_page(self, first_seq: int, count: int, body: bytes) -> None:
        lines = split_page(body)
        if len(lines) != count:
            text = f"the page says that it holds {count} entries, it holds {len(lines)}"
            self._problems.add("J1", text, seq=first_seq, row=f"page {first_seq}")
        # No pattern spans lines, so one look at the page spares a look at each of its lines.
        may_hold_secret = find_secret(body) is not None
        for index, line in enumerate(lines):
            entry = self._trail.read(line, may_hold_secret=may_hold_secret)
            if entry is not None:
                if index == 0 and entry.seq != first_seq:
                    text = f"the page says that it begins with entry {first_seq}, it begins with {entry.seq}"
                    self._problems.add("J1", text, seq=first_seq, row=f"page {first_seq}")
                self._fold.apply(entry)
        self._rows.take(self._fold.take_facts())
        if self._violations:
            self._problems.take(self._violations)
            self._violations.clear()

    def _compare(self) -> Problems | None:
        """What is wrong with the tables, or None when something was committed meanwhile."""
        found, end = Problems(), self._end
        if self._reader.shard().head != end:
            return None
        found.take(self._trail.unread(end))
        for first_seq, _, _ in self._reader.pages(end.seq):
            if first_seq >= end.seq:
                found.add("J1", f"a page stands beyond the end, entry {end.seq}", row=f"page {first_seq}")
                break
        compare_standing(self._reader, self._fold, self._rows.expected, found)
        return found if self._reader.shard().head == end else None


def _answer(trail: Trail, fold: Fold, problems: Problems, *, compared: bool) -> Verification:
    return Verification(
        ok=not problems.count,
        entries=sum(fold.counts.values()),
        jobs=fold.outcomes.count,
        open_jobs=len(fold.open),
        head=trail.hash or "",
        tables_compared=compared,
        problems_count=problems.count,
        problems=problems.found,
        counts=dict(sorted(fold.counts.items())),
    )
