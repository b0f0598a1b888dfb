"""The part of the model that knows what of the journal was archived: nothing that is open needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sheratan.contracts.archive import SegmentRecord
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import ENGINE
from sheratan.engine.commands import ArchiveSegment, KeepEntries, Pending
from sheratan.kernel.fold_archive import SegmentFact
from sheratan.simulation.model_jobs import Refused
from sheratan.simulation.model_proposals import ModelProposals
from sheratan.simulation.model_state import TERMINAL

__all__ = ["ModelArchive"]


class ModelArchive(ModelProposals):
    """How far the journal was archived, and how long entries are kept."""

    def __init__(self, limits: Limits, hit: Callable[[str], None], *, short_windows: bool) -> None:
        super().__init__(limits, hit, short_windows=short_windows)
        self.archived = 0
        """The first entry that was not."""
        self.archived_us = 0
        """The instant of the last entry that was; 0 when none was."""
        self.journal_kept: int | None = None
        """How long entries are kept; None is for ever."""

    def _KeepEntries(self, pending: Pending, command: KeepEntries) -> int:  # noqa: N802 - the command's name
        self.journal_kept = command.keep_us
        self.noted["journal.kept"] += 1
        entry = self._actual_value(pending)
        if not isinstance(entry, int):
            raise Refused("the number of an entry")
        return entry

    def _ArchiveSegment(self, pending: Pending, command: ArchiveSegment) -> Any:  # noqa: N802 - the command's name
        segment = command.segment
        if segment.first != self.archived:
            raise Refused("conflict")
        if pending.by == ENGINE:
            self._check_due(command)
        record = self._actual_value(pending)
        if not isinstance(record, SegmentRecord):
            raise Refused("a segment")
        self.hit("archive.segment")
        self.noted["journal.archived"] += 1
        self.archived, self.archived_us = segment.end, segment.until_us
        self.faults += [f"{one} needs entries that were archived" for one in self._needing(segment)]
        return SegmentRecord(
            first=segment.first,
            last=segment.end - 1,
            until_us=segment.until_us,
            file=segment.file,
            bytes=segment.size,
            digest=segment.digest,
            entry=record.entry,
        )

    def _check_due(self, command: ArchiveSegment) -> None:
        """By itself the engine archives what is old enough, a tenth of the time that it is kept at once."""
        if not self.keeps_up:
            raise Refused("state_refuses")
        kept_us, due_us = self.journal_kept, command.due_us
        if kept_us is None or due_us is None or self.at_us - due_us < kept_us:
            raise Refused("conflict")
        if due_us - self.archived_us < kept_us // 10:
            raise Refused("conflict")
        self.hit("archive.due")
        if command.segment.until_us > due_us:
            self.faults.append(f"entries up to {command.segment.until_us} were archived, due is {due_us}")

    def _needing(self, segment: SegmentFact) -> list[str]:
        """What is open and began within a segment, and what open jobs descend from."""
        found = [
            f"bulk:{entry}" for entry, bulk in self.bulks.items() if not bulk.is_over and entry < segment.end
        ]
        for job in self.jobs.values():
            first = job
            while job.state not in TERMINAL and first.by_job is not None:
                first = self.jobs[first.by_job]
            if job.state not in TERMINAL and first.created_us < segment.until_us:
                found.append(f"job {job.number}")
        return found
