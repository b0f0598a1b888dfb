"""A journal of which entries are kept for a while, and what is older is archived by the engine itself."""

from __future__ import annotations

from sheratan.contracts.archive import SegmentRecord
from sheratan.contracts.limits import Limits
from sheratan.contracts.principal import ENGINE
from sheratan.engine.archive import prepare_due
from sheratan.engine.commands import ArchiveSegment, KeepEntries
from tests.journal.world import SECOND_US, World, new
from tests.journal.world_archive import SMALL, archive, archive_of
from tests.journal.world_retention import old_jobs

HOUR = 3_600


def keep(world: World, seconds: int | None, reason: str = "") -> int:
    """Say how long entries are kept; returns the entry."""
    keep_us = None if seconds is None else seconds * SECOND_US
    entry: int = world.ask(KeepEntries(keep_us=keep_us, reason=reason))
    return entry


def due(world: World, limits: Limits | None = None) -> ArchiveSegment | None:
    """The next segment of what is due, made ready as a server does."""
    keep_us = world.decider.state.journal_kept.keep_us
    assert keep_us is not None
    now_us = world.clock.now_us()
    return prepare_due(world.store, archive_of(world.path), keep_us, now_us, limits or world.limits)


def archive_due(world: World, limits: Limits | None = None) -> list[SegmentRecord]:
    """Archive all that is due, as a server does by itself."""
    segments: list[SegmentRecord] = []
    while (command := due(world, limits)) is not None:
        segments.append(world.ask(command, ENGINE))
    return segments


def kept_journal(world: World) -> None:
    """Segments that a person has asked for and others that were due, by what was set twice."""
    session = old_jobs(world)
    assert archive(world, 9) is not None
    keep(world, HOUR, "a disk is small")
    world.tick(HOUR)
    assert len(archive_due(world, SMALL)) >= 2
    world.submit(new(), new(kind="report"))
    world.settle_all(session, world.lease(session))
    keep(world, 2 * HOUR)
    world.tick(2 * HOUR)
    assert len(archive_due(world)) == 1
    world.submit(new())
