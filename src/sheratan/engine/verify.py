"""Is the journal whole, does it obey its own rules, and do the tables say what it says?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import msgspec

from sheratan.ambient.collector import collector_paused
from sheratan.contracts.errors import Conflict, CorruptData, SheratanError
from sheratan.engine.compare import FinalRows
from sheratan.engine.compare_archive import ArchivedFile, read_state
from sheratan.engine.grown import Looked, compare_grown
from sheratan.engine.problems import Problem, Problems
from sheratan.engine.standing import compare_standing
from sheratan.engine.walk import LINES_AT_ONCE, apply_parts, take_lines
from sheratan.kernel.canonical import digest
from sheratan.kernel.chain import PAGE_SEPARATOR, Head, split_page
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold import Fold
from sheratan.kernel.fold_archive import SegmentFact
from sheratan.kernel.fold_state import freeze, thaw
from sheratan.kernel.new_facts import FactCount
from sheratan.kernel.secret_text import find_secret
from sheratan.kernel.trail import Trail
from sheratan.store.archive import Archive
from sheratan.store.port import Reader

__all__ = ["Problem", "Verification", "Verifier", "export", "verify", "verify_lines", "verify_opened"]

_Page = tuple[int, int, bytes]
_BEFORE_ALL = -(1 << 62)
"""A page that was slipped in before the first one must be seen, too."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found.

    `entries`, `jobs` and `head` (the hash of the last entry) say how far it came; `counts` are entries per type;
    `problems` are the first hundred of `problems_count`. `tables_compared` is False when only the journal itself
    could be checked. `archived` are the files that hold the oldest entries; what stands in one that is not `checked`
    counts as its entry says.
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
    archived: list[ArchivedFile]


def verify(
    reader: Reader,
    *,
    integrity: bool = True,
    known: Head | None = None,
    archive: Archive | None = None,
) -> Verification:
    """Verify a data directory, whether a server runs on it or not. Damage is a problem in the answer, no error.

    With `integrity`, the database's check of its own files is run first. `known` is a head that was noted earlier:
    entry `known.seq - 1` must still be there and have the hash `known.hash`, whatever was written since. With an
    `archive` the entries that were moved there are read, too.
    """
    verifier = Verifier(reader, known=known, archive=archive)
    if integrity:
        verifier.check_files()
    # A walk makes millions of objects that die young, and hardly a cycle: the collector would look for nothing.
    with collector_paused():
        verifier.step()
    return verifier.result()


def verify_opened(
    opener: Callable[[], Reader],
    *,
    integrity: bool = True,
    known: Head | None = None,
    archive: Archive | None = None,
) -> Verification:
    """Open a reader, verify and close it; that it cannot be opened is a problem in the answer, too."""
    try:
        reader = opener()
    except CorruptData as error:
        problems = Problems()
        problems.add("database", str(error))
        return _answer(Trail([]), Fold([]), problems, compared=False)
    try:
        return verify(reader, integrity=integrity, known=known, archive=archive)
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
    while chunk := [line.rstrip(b"\r\n") for line in islice(source, LINES_AT_ONCE)]:
        take_lines(trail, fold, chunk)
        fold.take_facts()
        problems.take(violations)
        violations.clear()
    end = trail.head
    problems.take(trail.unread(end if head is None else Head(end.seq, head, end.at)))
    return _answer(trail, fold, problems, compared=False)


def export(reader: Reader, write: Callable[[bytes], object], archive: Archive | None = None) -> int:
    """Write the journal as JSON Lines, each entry byte for byte as it was hashed; returns how many there are.

    With an `archive` it begins with the entries that were moved there; CorruptData when a file is not as it was kept.
    """
    end, count, begin = reader.shard().head.seq, 0, 0
    if archive is not None:
        for segment in reader.segments():
            write(PAGE_SEPARATOR.join(archive.lines(segment)))
            write(PAGE_SEPARATOR)
            begin = count = segment.end
    for first_seq, entries, body in reader.pages(begin):
        if first_seq >= end:
            break
        if archive is not None and count == begin != first_seq:
            raise Conflict("a segment was archived meanwhile; export again")
        write(body)
        write(PAGE_SEPARATOR)
        count += entries
    return count


class Verifier:
    """Verifies a data directory step by step: each step reads on from where the last one stopped.

    So a step costs what is new, the open jobs and their alarms, not the length of the journal. What the first step
    looked at in the tables that only grow is not looked at again; a new verifier does. Of what was archived it reads
    the files if it is given the archive, and else it goes on from the state that was kept.
    """

    def __init__(self, reader: Reader, *, known: Head | None = None, archive: Archive | None = None) -> None:
        self._reader = reader
        self._violations: list[Violation] = []
        self._problems = Problems()
        self._standing = Problems()
        self._trail = Trail(self._violations, known)
        self._fold = Fold(self._violations)
        self._rows = FinalRows(reader, self._problems, FactCount(), 0)
        self._looked = Looked()
        self._compared = False
        self._next_page = _BEFORE_ALL
        self._end = Head()
        self._archive = archive
        self._unread: set[str] = set()
        """Files of the archive that were passed over."""

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

    def read_on(self) -> list[Problem]:
        """Read on to the recorded end and compare the rows that are final; returns the problems there so far."""
        with self._problems.reading("journal"):
            self._walk()
        return self._problems.found

    def result(self) -> Verification:
        """What was found so far, after the last step."""
        found = _answer(self._trail, self._fold, self._all_problems(), compared=self._compared)
        files = [
            ArchivedFile(
                first=one.first,
                last=one.end - 1,
                file=one.file,
                digest=one.digest,
                checked=one.file not in self._unread,
            )
            for one in self._fold.segments
        ]
        return msgspec.structs.replace(found, archived=files)

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
        """Read on to the end as it is recorded now, and once more when pages were archived under its eyes."""
        self._end = self._reader.shard().head
        self._pass_archived()
        while not self._read_on():
            self._pass_archived()
        self._rows.flush()

    def _read_on(self) -> bool:
        """Read small pages several at a time, which takes less than one by one; False where some were archived."""
        pages: list[_Page] = []
        entries = 0
        try:
            for page in self._reader.pages(self._next_page, damaged=True):
                if page[0] < self._next_page:
                    continue
                if page[0] >= self._end.seq:
                    break
                if page[0] > self._trail.seq + entries and self._is_archived(self._trail.seq + entries):
                    return False
                self._next_page = page[0] + 1
                pages.append(page)
                entries += page[1]
                if entries >= LINES_AT_ONCE:
                    due = pages.copy()
                    pages.clear()
                    entries = 0
                    self._read_pages(due)
        finally:
            self._read_pages(pages)
        return True

    def _is_archived(self, seq: int) -> bool:
        segments = self._reader.segments()
        return bool(segments) and segments[-1].end > seq

    def _pass_archived(self) -> None:
        """Come to the first entry in the journal: by the files of the archive, or by the state that was kept."""
        if not self._is_archived(self._trail.seq):
            return
        segments = [one for one in self._reader.segments() if one.end > self._trail.seq]
        last, state = read_state(self._reader, self._problems)
        if self._archive is None or not all(self._read_file(self._archive, one) for one in segments):
            self._rows.flush()
            self._unread.update(one.file for one in segments if one.end > self._trail.seq)
            self._begin_behind(last, state)
        self._next_page = self._trail.seq

    def _read_file(self, archive: Archive, segment: SegmentFact) -> bool:
        """Read the entries of a segment; False when its file is not what it should be."""
        try:
            lines = archive.lines(segment)[self._trail.seq - segment.first :]
        except SheratanError as error:
            self._problems.add("R2", str(error), seq=segment.first, row=segment.file)
            return False
        for start in range(0, len(lines), LINES_AT_ONCE):
            take_lines(self._trail, self._fold, lines[start : start + LINES_AT_ONCE])
            self._take_facts()
        if (self._trail.seq, self._trail.hash) != (segment.end, segment.head):
            text = f"it does not end before entry {segment.end} with the hash {segment.head}"
            self._problems.add("R2", text, seq=segment.first, row=segment.file)
            return False
        if digest(freeze(self._fold, self._rows.told)) != segment.state:
            text = f"the fold's state after entry {segment.end - 1} is not that which follows from it"
            self._problems.add("R2", text, seq=segment.entry, row=segment.file)
        return True

    def _begin_behind(self, segment: SegmentFact, state: bytes) -> None:
        """Go on behind a segment, with what was known there."""
        known = self._trail.unmet
        if known is not None and known.seq < segment.end:
            text = "its hash was noted, and it is archived: `--archive DIR` compares it"
            self._problems.add("J2", text, seq=known.seq - 1)
            known = None
        self._fold, told = thaw(state, self._violations)
        self._trail = Trail(self._violations, known, start=Head(segment.end, segment.head, segment.until_us))
        self._rows = FinalRows(self._reader, self._problems, told, segment.end)

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
                apply_parts(self._fold, parts)
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
            apply_parts(self._fold, parts)
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
        archived=[],
    )
