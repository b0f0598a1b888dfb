"""The state of a fold: whoever begins with it knows as much as whoever has read everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheratan.contracts.errors import CorruptData
from sheratan.contracts.journal import Entry
from sheratan.engine.verify import export
from sheratan.engine.walk import LINES_AT_ONCE, take_lines
from sheratan.kernel.chain import decode_entry
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold import Fold
from sheratan.kernel.fold_state import freeze, thaw
from sheratan.kernel.new_facts import FactCount
from sheratan.kernel.trail import Trail
from tests.journal.tamper import reader_of
from tests.journal.world import World, new
from tests.journal.world_archive import archive_of

FILES = [
    "eventful_file",
    "runs_file",
    "archived_file",
    "kept_file",
    "gates_file",
    "proposals_file",
    "pruned_runs_file",
    "ledger_file",
    "billing_file",
    "job_budgets_file",
    "run_budgets_file",
    "deadlines_file",
    "shares_file",
    "system_file",
    "alerts_file",
    "alike_file",
]
STEP = 3
"""So many entries lie between two states that are gone on from: from each of them, it takes a minute."""


@pytest.fixture
def alike_file(tmp_path: Path) -> Path:
    """Jobs that come in and succeed one after the other, of which only numbers differ."""
    world = World(tmp_path / "alike.db")
    session = world.worker(slots=64)
    for _ in range(3):
        world.submit(*[new() for _ in range(20)])
        world.settle_all(session, world.lease(session, 64))
    world.close()
    return world.path


def lines_of(path: Path) -> list[bytes]:
    parts: list[bytes] = []
    reader = reader_of(path)
    export(reader, parts.append, archive_of(path))
    reader.close()
    return b"".join(parts).splitlines()


def states_of(fold: Fold, told: FactCount, entries: list[Entry]) -> list[bytes]:
    """The state after each entry."""
    states: list[bytes] = []
    for entry in entries:
        fold.apply(entry)
        told = told.plus(fold.take_facts())
        states.append(freeze(fold, told))
    return states


@pytest.mark.parametrize("file", FILES)
def test_from_any_state_on_the_rest_leads_to_the_same_states(
    request: pytest.FixtureRequest, file: str
) -> None:
    lines = lines_of(request.getfixturevalue(file))
    entries = [decode_entry(line) for line in lines]
    violations: list[Violation] = []
    states = states_of(Fold(violations), FactCount(), entries)
    for place in range(0, len(states), STEP):
        fold, told = thaw(states[place], violations)
        assert freeze(fold, told) == states[place]
        assert states_of(fold, told, entries[place + 1 :])[-1:] == states[place + 1 :][-1:], place
    assert violations == []


@pytest.mark.parametrize("file", FILES)
def test_however_entries_are_taken_they_lead_to_one_state(request: pytest.FixtureRequest, file: str) -> None:
    lines = lines_of(request.getfixturevalue(file))
    states: set[bytes] = set()
    for size in (1, 7, 60, LINES_AT_ONCE):
        violations: list[Violation] = []
        trail, fold, told = Trail(violations), Fold(violations), FactCount()
        for start in range(0, len(lines), size):
            take_lines(trail, fold, lines[start : start + size])
            told = told.plus(fold.take_facts())
        states.add(freeze(fold, told))
        assert violations == []
    assert len(states) == 1


def test_a_state_is_as_large_as_what_is_open(alike_file: Path) -> None:
    """A hundred more jobs that have ended add a byte each at most, and a page of bytes when one is full."""
    violations: list[Violation] = []
    sizes: list[int] = []
    for lines in (lines_of(alike_file)[:60], lines_of(alike_file)):
        trail, fold = Trail(violations), Fold(violations)
        take_lines(trail, fold, lines)
        fold.offers.clear()
        sizes.append(len(freeze(fold, FactCount())) - sum(len(job.subject) for job in fold.open.values()))
        assert violations == []
    assert sizes[1] <= sizes[0]


def test_what_a_fold_keeps_and_its_state_does_not_know_is_refused() -> None:
    fold = Fold([])
    fold.more = 1  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match="more"):
        freeze(fold, FactCount())


@pytest.mark.parametrize("body", [b"", b"\x80", b"nothing", b"\xc1"])
def test_bytes_that_are_no_state_are_refused(body: bytes) -> None:
    with pytest.raises(CorruptData):
        thaw(body, [])
