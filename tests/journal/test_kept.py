"""Entries that are kept for a while: what is older the engine archives itself, and no forgery of that passes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sheratan.contracts.archive import JournalRetention, SegmentRecord
from sheratan.contracts.errors import Conflict, InvalidInput, NotFound, StateRefuses
from sheratan.contracts.principal import ENGINE
from sheratan.engine.archive import journal_retention
from sheratan.engine.commands import ChangeState, Command, KeepEntries, StartDraining
from sheratan.engine.explain import story
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify_lines, verify_opened
from sheratan.kernel.archiving import ARCHIVE, decide_archive
from tests.journal.tamper import Hands, changed, checked, invariants, reader_of, rechained, tables
from tests.journal.test_archive import put_state, whole
from tests.journal.world import PERSON, SECOND_US, World, new
from tests.journal.world_archive import archive, archive_of
from tests.journal.world_kept import HOUR, archive_due, due, keep
from tests.journal.world_retention import old_jobs

Entry = dict[str, Any]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "sheratan.db")
    old_jobs(world)
    return world


# ----------------------------------------------------------------------------------------------------------------------
# What is due, and when it is archived


def decided(keep: int, until: int, since: int, now: int) -> str:
    given = {"keep_us": keep, "until_us": until, "since_us": since, "now_us": now}
    return str(decide_archive(given).chosen)


@pytest.mark.parametrize(
    ("until", "since", "now", "chosen"),
    [
        (500, 0, 1_499, "keep"),
        (500, 0, 1_500, "archive"),
        (500, 401, 9_999, "keep"),
        (500, 400, 9_999, "archive"),
    ],
)
def test_what_is_old_enough_is_archived_once_a_tenth_has_come_together(
    until: int, since: int, now: int, chosen: str
) -> None:
    assert decided(1_000, until, since, now) == chosen


def test_nothing_is_archived_before_its_time(world: World) -> None:
    last_us = world.decider.state.head.at
    entry = keep(world, HOUR)
    [done] = archive_due(world)
    assert (done.last, done.until_us) == (entry - 1, last_us)
    world.tick(HOUR - 1)
    assert archive_due(world) == []
    world.tick(1)
    [more] = archive_due(world)
    assert (more.first, more.last) == (entry, done.entry)
    world.close()


def test_entries_come_together_before_there_is_another_segment(world: World) -> None:
    session = world.worker()
    keep(world, HOUR)
    segments: list[SegmentRecord] = []
    for _ in range(60):
        world.submit(new())
        world.settle_all(session, world.lease(session))
        world.tick(HOUR / 20)
        segments += archive_due(world)
    spans = [two.until_us - one.until_us for one, two in pairwise(segments)]
    assert len(spans) > 10
    assert min(spans) == HOUR * SECOND_US // 10
    world.close()


def test_a_journal_in_which_nothing_happens_is_left_alone(world: World) -> None:
    keep(world, HOUR)
    world.tick(HOUR)
    assert len(archive_due(world)) == 1
    for _ in range(5):
        world.tick(2 * HOUR)
        assert due(world) is None
    world.submit(new())
    world.settle_all(0, world.lease(world.worker()))
    world.tick(2 * HOUR)
    assert len(archive_due(world)) == 1
    world.close()


def test_what_is_open_is_not_archived_however_old_it_is(world: World) -> None:
    keep(world, HOUR)
    world.tick(1)
    begin = world.decider.state.head.seq
    world.submit(new(delay_us=10 * HOUR * SECOND_US))
    world.tick(5 * HOUR)
    [segment] = archive_due(world)
    assert segment.last == begin - 1
    world.tick(5 * HOUR)
    assert due(world) is None
    world.close()


def test_for_ever_ends_it(world: World) -> None:
    keep(world, HOUR)
    command = due(world)
    assert command is not None
    entry = keep(world, None, "an audit")
    with pytest.raises(Conflict, match="for ever"):
        world.ask(command, ENGINE)
    assert journal_retention(world.store) == JournalRetention(keep_seconds=None, entry=entry)
    world.close()


def test_it_goes_by_what_is_set_when_it_is_decided(world: World) -> None:
    keep(world, HOUR)
    command = due(world)
    assert command is not None
    keep(world, 3 * HOUR)
    with pytest.raises(Conflict, match=r"less than 10800\.000 s old"):
        world.ask(command, ENGINE)
    world.close()


@pytest.mark.parametrize(
    "command", [ChangeState(to="paused", reason="a rest"), StartDraining(reason="an update")]
)
def test_a_state_without_upkeep_defers_it_and_people_may_archive(world: World, command: Command) -> None:
    keep(world, HOUR)
    ready = due(world)
    assert ready is not None
    world.ask(command)
    with pytest.raises(StateRefuses):
        world.ask(ready, ENGINE)
    assert archive(world, 9) is not None
    world.close()


def test_what_is_set_outlasts_a_restart(world: World) -> None:
    entry = keep(world, HOUR)
    world.restart()
    assert world.decider.state.journal_kept == (HOUR * SECOND_US, entry)
    world.close()


def test_a_secret_in_the_reason_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="written down stays"):
        world.ask(KeepEntries(keep_us=1, reason="ghp_" + "a1B2" * 9))
    world.close()


def test_why_tells_who_set_what_and_what_was_archived_by_it(world: World) -> None:
    with pytest.raises(NotFound):
        story(world.store, "journal")
    keep(world, HOUR, "a disk is small")
    told = story(world.store, "journal")
    assert told.state == "whole, kept for 3600.000 s"
    assert told.lines[-1].text == (
        "local:ada had entries kept in the journal for 3600.000 s, and what is older archived: a disk is small."
    )
    archive_due(world)
    keep(world, None)
    told = story(world.store, "journal")
    assert [line.type for line in told.lines] == ["journal.kept", "journal.archived", "journal.kept"]
    assert told.lines[1].rule == ARCHIVE
    assert told.state.endswith("kept for ever")
    world.close()


# ----------------------------------------------------------------------------------------------------------------------
# What nobody can forge


def checked_all(path: Path) -> set[str]:
    return invariants(verify_opened(lambda: reader_of(path), archive=archive_of(path)))


def test_such_a_journal_verifies_and_replays_with_its_files_and_without(kept_data: Path) -> None:
    assert checked(kept_data).problems == []
    assert checked_all(kept_data) == set()
    assert verify_lines(rechained(whole(kept_data), lambda _: None)).problems == []
    reader = reader_of(kept_data)
    for archive_used in (None, archive_of(kept_data)):
        derived = replay(reader, archive=archive_used)
        assert derived.ok
        assert derived.counts[ARCHIVE].decisions >= 1
    reader.close()


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM journal_kept",
        "UPDATE journal_kept SET keep_us = keep_us + 1",
        "UPDATE journal_kept SET keep_us = NULL",
        "UPDATE journal_kept SET entry = entry - 1",
    ],
)
def test_a_row_that_was_changed_is_found(kept_data: Path, change: str) -> None:
    changed(kept_data, change)
    assert tables(checked(kept_data).problems, "J14") == {"journal_kept"}


def test_a_row_that_no_entry_tells_of_is_found(archived_data: Path) -> None:
    Hands(archived_data).run("INSERT INTO journal_kept VALUES (1, 5, 7)")
    assert tables(checked(archived_data).problems, "J14") == {"journal_kept"}


def test_a_state_that_knows_nothing_of_it_is_found(kept_data: Path) -> None:
    put_state(kept_data, lambda fold: setattr(fold, "journal_kept", (None, None)))
    assert "fold_state" in tables(checked(kept_data).problems, "R2")


def test_the_state_of_a_journal_that_is_kept_for_ever_is_what_it_was(archived_data: Path) -> None:
    """An earlier release knew of nothing else, and what it has left must be derived again."""
    reader = reader_of(archived_data)
    state = reader.fold_state(reader.segments()[-1].end)
    reader.close()
    assert state is not None
    assert b"journal_kept" not in state


def kept_longer(entry: Entry) -> None:
    entry["data"]["keep_us"] += 1


def beside_its_story(entry: Entry) -> None:
    entry["previous"] = 1


def without_a_decision(entry: Entry) -> None:
    del entry["decision"]


def against_its_decision(entry: Entry) -> None:
    entry["decision"]["chosen"] = "keep"


def by_another_rule(entry: Entry) -> None:
    entry["decision"]["rule"] = "retention.prune@1"


def by_another_entry(entry: Entry) -> None:
    entry["cause"] -= 1


def told_of_a_shorter_time(entry: Entry) -> None:
    entry["decision"]["input"]["keep_us"] -= 1


def told_of_a_later_hour(entry: Entry) -> None:
    entry["decision"]["input"]["now_us"] += 1


def told_of_another_segment_before(entry: Entry) -> None:
    entry["decision"]["input"]["since_us"] -= 1


def told_of_less(entry: Entry) -> None:
    entry["decision"]["input"]["until_us"] = entry["data"]["until_us"] - 1


FORGERIES: list[tuple[str, Callable[[Entry], None], str]] = [
    ("journal.kept", kept_longer, "R2"),
    ("journal.kept", beside_its_story, "previous"),
    ("journal.archived", beside_its_story, "previous"),
    ("journal.archived", without_a_decision, "J8"),
    ("journal.archived", against_its_decision, "E14"),
    ("journal.archived", by_another_rule, "E14"),
    ("journal.archived", by_another_entry, "R2"),
    ("journal.archived", told_of_a_shorter_time, "R2"),
    ("journal.archived", told_of_a_later_hour, "R2"),
    ("journal.archived", told_of_another_segment_before, "R2"),
    ("journal.archived", told_of_less, "R2"),
]


@pytest.mark.parametrize(("entry_type", "forge", "invariant"), FORGERIES)
def test_a_forged_story_is_caught(
    kept_data: Path, entry_type: str, forge: Callable[[Entry], None], invariant: str
) -> None:
    found: list[int] = []

    def change(entry: Entry) -> None:
        is_meant = entry["type"] == "journal.kept" or entry["actor"] == ENGINE.actor
        if entry["type"] == entry_type and is_meant:
            forge(entry)
            found.append(entry["seq"])

    problems = verify_lines(rechained(whole(kept_data), change))
    assert found
    assert invariant in invariants(problems), problems.problems


def test_the_engine_archives_nothing_that_nobody_has_set(archived_data: Path) -> None:
    """A person's segment that claims to be the engine's own needs a decision, and something that is set."""

    def change(entry: Entry) -> None:
        if entry["type"] == "journal.archived":
            entry["actor"] = entry["on_behalf_of"] = entry["auth"] = ENGINE.actor
            entry["decision"] = decision_about(entry, None)

    found = verify_lines(rechained(whole(archived_data), change))
    assert any("None of None is set" in problem.text for problem in found.problems)


def test_what_the_engine_archives_in_a_state_without_upkeep_is_found(tmp_path: Path) -> None:
    world = World(tmp_path / "sheratan.db")
    old_jobs(world)
    kept = keep(world, HOUR)
    command = due(world)
    assert command is not None
    world.ask(ChangeState(to="paused", reason="a rest"))
    world.ask(replace(command, due_us=None), PERSON)
    lines = whole(world.path)
    world.close()
    assert verify_lines(lines).problems == []

    def change(entry: Entry) -> None:
        if entry["type"] == "journal.archived":
            entry["actor"] = entry["on_behalf_of"] = entry["auth"] = ENGINE.actor
            entry["cause"] = kept
            entry["decision"] = decision_about(entry, HOUR * SECOND_US)

    assert invariants(verify_lines(rechained(lines, change))) == {"H1"}


def decision_about(entry: Entry, keep_us: int | None) -> dict[str, Any]:
    given = {"keep_us": keep_us, "until_us": entry["data"]["until_us"], "since_us": 0, "now_us": entry["at"]}
    return {"rule": ARCHIVE, "input": given, "chosen": "archive", "because": ""}
