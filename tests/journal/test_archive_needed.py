"""An entry that says that something was archived which is still needed is found, and nobody writes one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheratan.contracts.ids import format_job_id, format_run_id
from sheratan.contracts.journal import GENESIS, Entry
from sheratan.engine.commands import Pause, Resume
from sheratan.kernel.facts import BulkFact, FlowFact, Violation
from sheratan.kernel.fold import Fold
from tests.journal.tamper import checked
from tests.journal.world import World, new
from tests.journal.world_archive import archive, archive_all

UNTIL_US = 5_000_000


class Named:
    """As much of a job or a run as counts here."""

    def __init__(self, subject: str, created_us: int) -> None:
        self.subject = subject
        self.created_us = created_us


def archived_beside(fold_with: dict[str, Any]) -> list[str]:
    """What is said of an entry that tells of a segment of ten entries, until a time, beside what is open."""
    violations: list[Violation] = []
    fold = Fold(violations)
    for name, value in fold_with.items():
        setattr(fold, name, value)
    data = {"first": 0, "last": 9, "until_us": UNTIL_US, "before": GENESIS, "after": "a", "file": "f"}
    data |= {"bytes": 1, "digest": "d", "state": "s"}
    entry = Entry(
        seq=20, at=UNTIL_US, tenant="default", type="journal.archived", subject="journal", actor="local:ada",
        on_behalf_of="local:ada", auth="embedded", policy=0, prev=GENESIS, data=data,
    )  # fmt: skip
    fold.archived(entry)
    return [violation.text for violation in violations if violation.invariant == "R2"]


def job(created_us: int) -> dict[int, Named]:
    return {1: Named(format_job_id(created_us // 1_000, 0, 1, 1), created_us)}


def run(created_us: int) -> dict[str, Named]:
    subject = format_run_id(created_us // 1_000, 0, 1, 1)
    return {subject: Named(subject, created_us)}


def pause(entry: int) -> dict[tuple[str, str], FlowFact]:
    return {("default", "queue:a"): FlowFact(entry, "", (0, 0, 0, 0, 1), 0, entry)}


@pytest.mark.parametrize(
    ("needing", "not_needing"),
    [
        ({"open": job(UNTIL_US - 1_000)}, {"open": job(UNTIL_US)}),
        ({"runs": run(UNTIL_US - 1)}, {"runs": run(UNTIL_US)}),
        (
            {"bulks": {9: BulkFact("cancel", 0, 0, None, None)}},
            {"bulks": {10: BulkFact("cancel", 0, 0, None, None)}},
        ),
        (
            {"bulks": {9: BulkFact("cancel", 0, 0, None, None)}},
            {"bulks": {9: BulkFact("cancel", 0, 0, None, 12)}},
        ),
        ({"flows": pause(9)}, {"flows": pause(10)}),
        ({"flows": pause(9)}, {"flows": pause(0)}),
    ],
)
def test_what_is_open_needs_its_entries(needing: dict[str, Any], not_needing: dict[str, Any]) -> None:
    assert len(archived_beside(needing)) == 1
    assert archived_beside(not_needing) == []


def test_a_pause_holds_the_journal_until_it_is_over(tmp_path: Path) -> None:
    world = World(tmp_path / "sheratan.db")
    world.ask(Pause(subject="queue:default", reason="a rest"))
    world.tick(1)
    held_from = world.decider.state.head.seq - 1
    for _ in range(3):
        world.submit(new())
        world.tick(1)
    session = world.worker()
    assert archive_all(world, world.decider.state.head.seq)[-1].last < held_from
    world.ask(Resume(subject="queue:default"))
    world.settle_all(session, world.lease(session))
    world.tick(1)
    archived = archive(world, world.decider.state.head.seq, world.limits)
    assert archived is not None
    assert archived.last > held_from
    assert checked(world.path).problems == []
    world.close()
