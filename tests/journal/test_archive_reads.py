"""What people ask about things whose entries are archived: an answer that says so, and never a crash."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sheratan.contracts.dead_letters import GetDeadLetter
from sheratan.contracts.errors import Archived, NotFound
from sheratan.engine.blockers import Blockers
from sheratan.engine.commands import Cancel, EndSession, OpenAccount, PriceKind
from sheratan.engine.explain import story
from sheratan.engine.search import dead_letter
from sheratan.engine.status import Facts, status
from sheratan.engine.views import find_view, job_record
from tests.journal.world import World, new
from tests.journal.world_archive import archive
from tests.journal.world_retention import pruned_jobs


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "sheratan.db")
    yield world
    world.close()


def archive_everything(world: World) -> None:
    """All entries but that which says so."""
    world.tick(1)
    record = archive(world, world.decider.state.head.seq, world.limits)
    assert record is not None
    assert record.last + 1 == record.entry == world.decider.state.head.seq - 1


def test_the_record_of_a_cancelled_job_does_without_its_entries(world: World) -> None:
    [job] = world.submit(new())
    world.ask(Cancel(id=job, reason=""))
    archive_everything(world)
    record = job_record(world.store, find_view(world.store, job), Blockers(world.store, None))
    assert (record.state, record.superseded_by) == ("cancelled", None)


def test_a_dead_letter_does_without_the_name_of_its_worker(world: World) -> None:
    session = world.worker()
    [job] = world.submit(new())
    [given] = world.lease(session)
    world.settle(session, given, "failed", error="fatal")
    assert dead_letter(world.store, GetDeadLetter(id=job)).worker is not None
    archive_everything(world)
    letter = dead_letter(world.store, GetDeadLetter(id=job))
    assert letter.worker is None
    assert letter.last_error is not None


def test_what_a_job_waits_for_does_without_the_entries_of_who_is_to_pay(world: World) -> None:
    world.ask(OpenAccount(account="tenant:default", unit="credits", scale=0, reason=""))
    world.ask(PriceKind(kind="count", unit="credits", amount=50, metered=False, reason=""))
    archive_everything(world)
    [job] = world.submit(new())
    record = job_record(world.store, find_view(world.store, job), Blockers(world.store, None))
    [blocked] = record.blocked_by
    assert (blocked.what, blocked.since_us) == ("funds", record.created_us)


def test_stories_end_at_the_cut_and_name_the_file(world: World) -> None:
    pruned_jobs(world)
    numbers = [left.id for left in world.store.remains(range(1, 20))]
    session = world.worker(name="later")
    world.ask(EndSession(session=session))
    world.tick(1)
    archived = archive(world, world.decider.state.head.seq, world.limits)
    assert archived is not None
    for subject in (*numbers, "engine", "retention", "retention:report"):
        told = story(world.store, subject)
        assert told.lines[0].type == "journal.archived", subject
        assert archived.file in told.lines[0].text
        assert [line.type for line in told.lines].count("journal.archived") == 1
    assert story(world.store, "journal").lines[-1].entry == archived.entry
    with pytest.raises(Archived, match=archived.file):
        story(world.store, f"worker:later/{session}")


def test_nothing_is_told_of_an_archive_before_there_is_one(world: World) -> None:
    with pytest.raises(NotFound):
        story(world.store, "journal")


def test_the_status_of_an_engine_whose_start_is_archived(world: World) -> None:
    archive_everything(world)
    facts = Facts(
        ready=False, problems=[], version="0", pid=None, data="", workers=[], limits=None, now_us=0
    )  # fmt: skip
    found = status(world.store, facts)
    assert found.last_stable_state.startswith("owner number 1 of the data directory has taken over; entry ")
    assert "is archived in journal-" in found.last_stable_state
    assert "is archived in journal-" in found.why
