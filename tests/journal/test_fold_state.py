"""The state of a fold: whoever begins with it knows as much as whoever has read everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheratan.contracts.journal import Entry
from sheratan.kernel.chain import decode_entry, split_page
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold import Fold
from sheratan.kernel.fold_state import freeze, thaw
from sheratan.kernel.new_facts import FactCount
from tests.journal.tamper import reader_of

FILES = ["eventful_file", "runs_file", "pruned_file", "gates_file"]


def entries_of(path: Path) -> list[Entry]:
    reader = reader_of(path)
    try:
        return [decode_entry(line) for _, _, body in reader.pages() for line in split_page(body)]
    finally:
        reader.close()


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
    entries = entries_of(request.getfixturevalue(file))
    violations: list[Violation] = []
    states = states_of(Fold(violations), FactCount(), entries)
    for place, state in enumerate(states):
        fold, told = thaw(state, violations)
        assert freeze(fold, told) == state
        assert states_of(fold, told, entries[place + 1 :]) == states[place + 1 :], place
    assert violations == []
