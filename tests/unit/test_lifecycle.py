"""The life of a job as a table: every move in it is allowed, every other is refused."""

from __future__ import annotations

from itertools import product

import pytest

from sheratan.contracts.errors import InternalError
from sheratan.contracts.journal import ENTRY_TYPES
from sheratan.contracts.runs import RUN_ENDS
from sheratan.kernel.lifecycle import (
    JOB_TRANSITIONS,
    OPEN_STATES,
    RUN_TRANSITIONS,
    TERMINAL_STATES,
    check_run_transition,
    check_transition,
)

STATES = tuple(JOB_TRANSITIONS)
MOVES = {
    (source, target, entry)
    for source, targets in JOB_TRANSITIONS.items()
    for target, entry in targets.items()
}


@pytest.mark.parametrize("move", sorted(MOVES))
def test_a_move_in_the_table_is_allowed(move: tuple[str, str, str]) -> None:
    check_transition(*move)


def test_every_other_move_is_refused() -> None:
    refused = 0
    for move in product(STATES, STATES, ENTRY_TYPES):
        if move not in MOVES:
            with pytest.raises(InternalError, match="may not go"):
                check_transition(*move)
            refused += 1
    assert refused == len(STATES) ** 2 * len(ENTRY_TYPES) - len(MOVES)


def test_nothing_leads_out_of_a_terminal_state_or_back_to_new() -> None:
    assert all(JOB_TRANSITIONS[state] == {} for state in TERMINAL_STATES)
    assert all("new" not in targets for targets in JOB_TRANSITIONS.values())


def test_every_state_can_be_reached_and_every_open_one_can_end() -> None:
    assert {target for _, target, _ in MOVES} == OPEN_STATES | TERMINAL_STATES
    for state in OPEN_STATES:
        reached, todo = {state}, [state]
        while todo:
            for target in JOB_TRANSITIONS[todo.pop()]:
                if target not in reached:
                    reached.add(target)
                    todo.append(target)
        assert reached & TERMINAL_STATES == TERMINAL_STATES


def test_every_entry_type_of_the_table_is_a_known_one() -> None:
    assert {entry for _, _, entry in MOVES} <= set(ENTRY_TYPES)


def test_a_run_moves_as_its_table_says_and_not_otherwise() -> None:
    allowed = 0
    for source, target, entry in product(RUN_TRANSITIONS, RUN_TRANSITIONS, ENTRY_TYPES):
        if RUN_TRANSITIONS[source].get(target) == entry:
            check_run_transition(source, target, entry)
            allowed += 1
        else:
            with pytest.raises(InternalError, match="a run may not go"):
                check_run_transition(source, target, entry)
    assert allowed == sum(map(len, RUN_TRANSITIONS.values()))


def test_every_open_state_of_a_run_leads_to_an_end_and_no_end_leads_on() -> None:
    assert all(RUN_TRANSITIONS[state] == {} for state in RUN_ENDS)
    for start in RUN_TRANSITIONS:
        reached, todo = {start}, [start]
        while todo:
            fresh = set(RUN_TRANSITIONS[todo.pop()]) - reached
            reached |= fresh
            todo += fresh
        assert reached & set(RUN_ENDS)
