"""Is the journal whole, does it obey its own rules, and do the tables say what it says?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import msgspec

from sheratan.ambient.collector import collector_paused
from sheratan.contracts.errors import CorruptData
from sheratan.contracts.journal import Entry
from sheratan.engine.compare import FinalRows
from sheratan.engine.grown import Looked, compare_grown
from sheratan.engine.problems import Problem, Problems
from sheratan.engine.standing import compare_standing
from sheratan.kernel.chain import PAGE_SEPARATOR, Head, split_page
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold import Fold
from sheratan.kernel.secret_text import find_secret
from sheratan.kernel.stencil import Run
from sheratan.kernel.trail import Trail
from sheratan.store.port import Reader

__all__ = ["Problem", "Verification", "Verifier", "export", "verify", "verify_lines", "verify_opened"]

_LINES_AT_ONCE = 500
_Page = tuple[int, int, bytes]
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


def verify(reader: Reader, *, integrity: bool = True, known: Head | None = None) -> Verification:
    """Verify a data directory, whether a server runs on it or not. Damage is a problem in the answer, no error.

    With `integrity`, the database's check of its own files is run first. `known` is a head that was noted earlier:
    entry `known.seq - 1` must still be there and have the hash `known.hash`, whatever was written since.
    """
    verifier = Verifier(reader, known=known)
    if integrity:
        verifier.check_files()
    # A walk makes millions of objects that die young, and hardly a cycle: the collector would look for nothing.
    with collector_paused():
        verifier.step()
    return verifier.result()


def verify_opened(
    opener: Callable[[], Reader], *, integrity: bool = True, known: Head | None = None
) -> Verification:
    """Open a reader, verify and close it; that it cannot be opened is a problem in the answer, too."""
    try:
        reader = opener()
    except CorruptData as error:
        problems = Problems()
        problems.add("database", str(error))
        return _answer(Trail([]), Fold([]), problems, compared=False)
    try:
        return verify(reader, integrity=integrity, known=known)
    finally:
        reader.close()


def verify_lines(
    lines: Iterable[bytes], head: str | None = None, *, known: Head | None = None
) -> Verification:
    """Verify an exported journal: its form, chain and story. `head`, when known from elsewhere, is the end's hash.

    `known` is a head that may be older than the end. Without either, entries that are missing at the end cannot be
    noticed: what is there is whole in itself.
    """
    violations: list[Violation] = []
    problems = Problems()
    trail, fold = Trail(violations, known), Fold(violations)
    source = iter(lines)
    while chunk := [line.rstrip(b"\r\n") for line in islice(source, _LINES_AT_ONCE)]:
        parts = trail.take_page(chunk)
        if parts is not None:
            _apply(fold, parts)
        else:
            for line in chunk:
                entry = trail.read(line)
                if entry is not None:
                    fold.apply(entry)
        fold.take_facts()
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


class Verifier:
    """Verifies a data directory step by step: each step reads on from where the last one stopped.

    So a step costs what is new, the open jobs and their alarms, not the length of the journal. What the first step
    looked at in the tables that only grow is not looked at again; a new verifier does.
    """

    def __init__(self, reader: Reader, *, known: Head | None = None) -> None:
        self._reader = reader
        self._violations: list[Violation] = []
        self._problems = Problems()
        self._standing = Problems()
        self._trail = Trail(self._violations, known)
        self._fold = Fold(self._violations)
        self._rows = FinalRows(reader, self._problems)
        self._looked = Looked()
        self._compared = False
        self._next_page = _BEFORE_ALL
        self._end = Head()

    def check_files(self) -> None:
        """Let the database check its own files."""
        with self._problems.reading("integrity"):
            for text in self._reader.integrity():
                self._problems.add("database", text)

    def step(self) -> list[Problem]:
        """Read on to the recorded end and compare the tables as they stand now.

        Returns the first hundred problems: those in the journal and its lasting rows so far, and those of the
        tables as they stand now.
        """
        self._compared = False
        self._standing = Problems()
        with self._problems.reading("journal"):
            self._compared = self._read_and_compare()
        return self._all_problems().found

    def result(self) -> Verification:
        """What was found so far, after the last step."""
        return _answer(self._trail, self._fold, self._all_problems(), compared=self._compared)

    def _all_problems(self) -> Problems:
        problems = Problems()
        problems.merge(self._problems)
        problems.merge(self._standing)
        return problems

    def _read_and_compare(self) -> bool:
        """Walk the journal and compare the tables with it.

        A server may commit meanwhile. So the end is read first and the journal is verified up to there; journal
        pages never change. Then the tables must be compared as they were at that end. Without a server, or while
        it has nothing to do, that is how they stand: they are read in short steps that hold nothing open, and if
        the end has not moved afterwards, nothing has moved. If it has, what was found means nothing; then the
        rest of the journal is read and the tables compared again within one snapshot. That keeps SQLite from
        recycling its log for the seconds that it takes, which a busy server can bear once but not by default.
        """
        self._walk()
        compared = self._compare()
        if not compared:
            with self._reader.snapshot():
                self._walk()
                compared = self._compare()
        if not compared:
            self._standing.add("database", "a snapshot changed while it was read")
        return compared

    def _walk(self) -> None:
        """Read on to the end as it is recorded now: small pages several at a time, which takes less than one by one."""
        self._end = self._reader.shard().head
        pages: list[_Page] = []
        entries = 0
        try:
            for page in self._reader.pages(self._next_page, damaged=True):
                if page[0] < self._next_page:
                    continue
                if page[0] >= self._end.seq:
                    break
                self._next_page = page[0] + 1
                pages.append(page)
                entries += page[1]
                if entries >= _LINES_AT_ONCE:
                    due = pages.copy()
                    pages.clear()
                    entries = 0
                    self._read_pages(due)
        finally:
            self._read_pages(pages)
        self._rows.flush()

    def _read_pages(self, pages: list[_Page]) -> None:
        lines: list[bytes] = []
        for first_seq, count, body in pages:
            page = split_page(body)
            if first_seq != self._trail.seq + len(lines) or count != len(page):
                break
            lines += page
        else:
            parts = self._trail.take_page(lines) if lines else []
            if parts is not None:
                _apply(self._fold, parts)
                self._take_facts()
                return
        for first_seq, count, body in pages:
            self._read_page(first_seq, count, body)

    def _read_page(self, first_seq: int, count: int, body: bytes) -> None:
        lines = split_page(body)
        is_next = first_seq == self._trail.seq and count == len(lines)
        parts = self._trail.take_page(lines) if is_next else None
        if parts is None:
            self._read_lines(first_seq, count, lines)
        else:
            _apply(self._fold, parts)
        self._take_facts()

    def _take_facts(self) -> None:
        self._rows.take(self._fold.take_facts(), self._trail.seq)
        self._problems.take(self._violations)
        self._violations.clear()

    def _read_lines(self, first_seq: int, count: int, lines: list[bytes]) -> None:
        """Read a page with a fault, or with something unusual, entry by entry."""
        if len(lines) != count:
            text = f"the page says that it holds {count} entries, it holds {len(lines)}"
            self._problems.add("J1", text, seq=first_seq, row=f"page {first_seq}")
        # No pattern spans lines, so one look at the page spares a look at each of its lines.
        may_hold_secret = find_secret(PAGE_SEPARATOR.join(lines)) is not None
        for index, line in enumerate(lines):
            entry = self._trail.read(line, may_hold_secret=may_hold_secret)
            if entry is None:
                continue
            if index == 0 and entry.seq != first_seq:
                text = f"the page says that it begins with entry {first_seq}, it begins with {entry.seq}"
                self._problems.add("J1", text, seq=first_seq, row=f"page {first_seq}")
            self._fold.apply(entry)

    def _compare(self) -> bool:
        """Compare all tables; False when something was committed meanwhile, and then nothing is noted."""
        standing, grown, end = Problems(), Problems(), self._end
        if self._reader.shard().head != end:
            return False
        standing.take(self._trail.unread(end))
        for first_seq, _, _ in self._reader.pages(end.seq, damaged=True):
            if first_seq >= end.seq:
                standing.add("J1", f"a page stands beyond the end, entry {end.seq}", row=f"page {first_seq}")
                break
        compare_standing(self._reader, self._fold, standing)
        looked = compare_grown(self._reader, self._fold, self._rows.expected, self._looked, grown)
        if self._reader.shard().head != end:
            return False
        self._looked, self._standing = looked, standing
        self._problems.merge(grown)
        return True


def _apply(fold: Fold, parts: list[list[Entry] | Run]) -> None:
    for part in parts:
        if isinstance(part, Run):
            fold.apply_run(part)
        else:
            fold.apply_all(part)


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
