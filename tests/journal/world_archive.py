"""A journal of which the oldest entries were archived, in several segments."""

from __future__ import annotations

from pathlib import Path

from sheratan.ambient.folder import HostFolder
from sheratan.contracts.archive import ArchiveJournal, SegmentRecord
from sheratan.contracts.limits import Limits
from sheratan.engine.archive import prepare_segment
from sheratan.store.archive import Archive
from tests.journal.world import World, new
from tests.journal.world_retention import pruned_jobs

SMALL = Limits(segment_bytes_max=4_000)


def archive_of(path: Path) -> Archive:
    """The archive beside a data file."""
    return Archive(HostFolder(path.parent / "archive"))


def archive(world: World, before_entry: int, limits: Limits = SMALL) -> SegmentRecord | None:
    """Archive one segment, as a server does."""
    request = ArchiveJournal(before_entry=before_entry, reason="a year is enough")
    command = prepare_segment(world.store, archive_of(world.path), request, limits)
    if command is None:
        return None
    record: SegmentRecord = world.ask(command)
    return record


def archive_all(world: World, before_entry: int) -> list[SegmentRecord]:
    """Archive all segments before an entry."""
    segments: list[SegmentRecord] = []
    while (segment := archive(world, before_entry)) is not None:
        segments.append(segment)
    return segments


def archived_jobs(world: World) -> None:
    """Jobs that were pruned, and whose entries are archived in three files; and what has happened since."""
    pruned_jobs(world)
    session = world.worker()
    world.settle_all(session, world.lease(session))
    assert len(archive_all(world, world.decider.state.head.seq)) >= 3
    world.submit(new(), new(kind="report", key="twice"))
    world.settle_all(session, world.lease(session))
    world.submit(new())
