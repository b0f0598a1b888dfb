"""Moving the oldest entries out of the journal into files, a segment of whole pages at a time.

A segment is made ready at the edge, on a thread: its entries are checked as `journal verify` checks them, from the
state of the fold on that the last segment has left, and written to a durable file. Then the decider takes the pages
out, with the entry that names that file, in one commit. Whatever ends in between leaves a file that the next try
uses again.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sheratan.contracts.archive import ArchiveJournal, ArchivePreview, JournalRetention, SegmentRecord
from sheratan.contracts.errors import Conflict, CorruptData, StateRefuses
from sheratan.contracts.journal import GENESIS
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import Principal
from sheratan.engine.archive_commands import ArchiveSegment, KeepEntries
from sheratan.engine.batch import Batch
from sheratan.engine.entries import first_since, read_entry
from sheratan.engine.walk import LINES_AT_ONCE, take_lines
from sheratan.engine.words import check_reason
from sheratan.kernel.archiving import ARCHIVE, decide_archive
from sheratan.kernel.canonical import digest
from sheratan.kernel.chain import Head, decode_entry, split_page
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold import Fold
from sheratan.kernel.fold_archive import KeptFact, SegmentFact, newest_of_journal
from sheratan.kernel.fold_state import freeze, thaw
from sheratan.kernel.new_facts import FactCount
from sheratan.kernel.rules import Verdict, decision
from sheratan.kernel.system import WAYS_OUT
from sheratan.kernel.trail import Trail
from sheratan.store.archive import Archive
from sheratan.store.port import Reader

__all__ = [
    "Archive",
    "archive_segment",
    "journal_retention",
    "keep_entries",
    "list_segments",
    "prepare_due",
    "prepare_segment",
    "preview_archive",
]

_NOTHING: Final = SegmentFact(0, 0, 0, GENESIS, "", 0, "", "", -1)


def keep_entries(batch: Batch, command: KeepEntries, by: Principal) -> int:
    """Set how long entries are kept in the journal; returns the entry that says so."""
    check_reason(command.reason)
    data: dict[str, Any] = {"keep_us": command.keep_us} | (
        {"reason": command.reason} if command.reason else {}
    )
    entry = batch.unit.record("journal.kept", "journal", data, by, previous=_newest(batch))
    batch.state.journal_kept = batch.unit.journal_kept = KeptFact(command.keep_us, entry)
    return entry


def archive_segment(batch: Batch, command: ArchiveSegment, by: Principal) -> SegmentRecord:
    """Take a segment's pages out of the journal, by an entry that names the file which has them."""
    known, segment = _last(batch.state.store), command.segment
    if batch.unit.segment is not None or (segment.first, command.before) != (known.end, known.head):
        raise Conflict("another segment was archived meanwhile", field="before_entry")
    decided = cause = None
    if command.due_us is not None:
        decided, cause = _decide(batch, command.due_us, known), batch.state.journal_kept.entry
    data = {
        "first": segment.first,
        "last": segment.end - 1,
        "until_us": segment.until_us,
        "before": command.before,
        "after": segment.head,
        "file": segment.file,
        "bytes": segment.size,
        "digest": segment.digest,
        "state": segment.state,
    } | ({"reason": command.reason} if command.reason else {})
    entry = batch.unit.record(
        "journal.archived", "journal", data, by, decision=decided, previous=_newest(batch), cause=cause
    )
    batch.unit.segment = segment._replace(entry=entry), command.state
    return _record(batch.unit.segment[0])


def _decide(batch: Batch, due_us: int, known: SegmentFact) -> dict[str, Any]:
    """The decision about a segment that nobody has asked for; a refusal where it is not to be archived now."""
    state, keep_us = batch.state.system.current, batch.state.journal_kept.keep_us
    if batch.state.allowed.upkeep != "allow":
        raise StateRefuses(f"Not now: the system is {state}. {WAYS_OUT[state]}", field="state", state=state)
    if keep_us is None:
        raise Conflict("entries are kept for ever")
    given, verdict = _asked(keep_us, due_us, known, batch.at_us)
    if verdict.chosen != "archive":
        raise Conflict(verdict.because)
    return decision(ARCHIVE, given, verdict)


def _asked(keep_us: int, due_us: int, known: SegmentFact, now_us: int) -> tuple[dict[str, Any], Verdict]:
    """What the rule is told, and what it says."""
    given = {"keep_us": keep_us, "until_us": due_us, "since_us": known.until_us, "now_us": now_us}
    return given, decide_archive(given)


def _newest(batch: Batch) -> int | None:
    """The newest entry about the journal, as of this batch."""
    archived = batch.unit.segment
    last = _last(batch.state.store) if archived is None else archived[0]
    return newest_of_journal(None if last is _NOTHING else last, batch.state.journal_kept)


def preview_archive(reader: Reader, request: ArchiveJournal) -> ArchivePreview:
    """What would be archived, and what keeps more from it."""
    last = _last(reader)
    asked, needed = _ends(reader, request)
    end = _page_before(reader, min(asked, needed), last.end)
    return ArchivePreview(
        first=last.end, entries=end - last.end, needed_from=needed if needed < asked else None
    )


def list_segments(reader: Reader) -> list[SegmentRecord]:
    """The segments that were archived, oldest first."""
    return [_record(segment) for segment in reader.segments()]


def journal_retention(reader: Reader) -> JournalRetention:
    """How long entries are kept in the journal."""
    keep_us, entry = reader.journal_kept()
    return JournalRetention(keep_seconds=None if keep_us is None else keep_us // 1_000_000, entry=entry)


def prepare_due(
    reader: Reader, archive: Archive, keep_us: int, now_us: int, limits: Limits
) -> ArchiveSegment | None:
    """Make the next segment ready of what is kept for long enough; None while it is not worth one."""
    last = _last(reader)
    asked = ArchiveJournal(before_us=max(0, now_us - keep_us + 1))
    end = _page_before(reader, min(_ends(reader, asked)), last.end)
    # If nothing happens, nothing is archived: entries about segments alone would make one segment after the other.
    telling = sum(last.end <= segment.entry < end for segment in reader.segments())
    if end - last.end <= telling:
        return None
    due_us = read_entry(reader, end - 1).at
    _, verdict = _asked(keep_us, due_us, last, now_us)
    if verdict.chosen != "archive":
        return None
    command = prepare_segment(reader, archive, ArchiveJournal(before_entry=end), limits)
    return None if command is None else msgspec.structs.replace(command, due_us=due_us)


def prepare_segment(
    reader: Reader, archive: Archive, request: ArchiveJournal, limits: Limits
) -> ArchiveSegment | None:
    """Make the next segment ready and its file durable; None when there is nothing to archive.

    CorruptData when anything is wrong with its entries: they are evidence, and stay where they are.
    """
    last = _last(reader)
    lines, until_us = _lines_of(reader, last.end, min(_ends(reader, request)), limits)
    if not lines:
        return None
    violations: list[Violation] = []
    fold, told = _fold_after(reader, last, violations)
    trail = Trail(violations, start=Head(last.end, last.head, last.until_us))
    for start in range(0, len(lines), LINES_AT_ONCE):
        take_lines(trail, fold, lines[start : start + LINES_AT_ONCE])
        told = told.plus(fold.take_facts())
    violations += trail.unread(trail.head)
    if violations:
        first = violations[0]
        raise CorruptData(f"entry {first.seq}: {first.text}; `sheratan journal verify` says more")
    state = freeze(fold, told)
    name, size, file_digest = archive.keep(last.end, lines)
    segment = SegmentFact(
        last.end, trail.seq, until_us, trail.head.hash, name, size, file_digest, digest(state), -1
    )
    return ArchiveSegment(segment=segment, before=last.head, state=state, reason=request.reason)


def _fold_after(reader: Reader, last: SegmentFact, violations: list[Violation]) -> tuple[Fold, FactCount]:
    if last is _NOTHING:
        return Fold(violations), FactCount()
    state = reader.fold_state(last.end)
    if state is None or digest(state) != last.state:
        raise CorruptData(f"the fold's state after entry {last.end - 1} is not the one that was kept")
    return thaw(state, violations)


def _last(reader: Reader) -> SegmentFact:
    return next(reversed(reader.segments()), _NOTHING)


def _ends(reader: Reader, request: ArchiveJournal) -> tuple[int, int]:
    """Before which entries the journal may be archived, by what is asked for and by what is needed."""
    head = reader.shard().head.seq
    asked, needed, oldest = head, head, reader.oldest_needed()
    if request.before_entry is not None:
        asked = min(asked, request.before_entry)
    if request.before_us is not None:
        asked = min(asked, first_since(reader, request.before_us))
    if oldest.at_us is not None:
        needed = first_since(reader, oldest.at_us)
    if oldest.entry is not None:
        needed = min(needed, oldest.entry)
    return asked, needed


def _page_before(reader: Reader, end: int, first: int) -> int:
    """The end of the last page that ends at this entry or before."""
    if end <= first:
        return first
    start, count, _ = next(iter(reader.pages(end - 1)))
    return start + count if start + count <= end else start


def _lines_of(reader: Reader, first: int, end: int, limits: Limits) -> tuple[list[bytes], int]:
    """The entries of whole pages from one on and before another, as many as a segment holds; the last one's instant."""
    lines: list[bytes] = []
    size = until_us = 0
    for start, count, body in reader.pages(first) if first < end else ():
        if start != first + len(lines):
            raise Conflict("another segment was archived meanwhile", field="before_entry")
        if start + count > end or (lines and size + len(body) > limits.segment_bytes_max):
            break
        page = split_page(body)
        lines += page
        size += len(body)
        until_us = decode_entry(page[-1]).at
    return lines, until_us


def _record(segment: SegmentFact) -> SegmentRecord:
    return SegmentRecord(
        first=segment.first,
        last=segment.end - 1,
        until_us=segment.until_us,
        file=segment.file,
        bytes=segment.size,
        digest=segment.digest,
        entry=segment.entry,
    )
