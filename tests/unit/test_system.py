"""The system's state: only the moves of the table, only a person ends a halt, and each state says what it allows."""

from __future__ import annotations

import random
from itertools import product
from typing import Any, get_args

import pytest

from sheratan.contracts.journal import ENTRY_TYPES
from sheratan.contracts.system import ANY_SEVERITY, Action, Answer, SystemState, TargetState
from sheratan.kernel.system import (
    ALLOWED,
    DERIVED_STATES,
    FORBIDDEN,
    SYSTEM_TRANSITIONS,
    WAYS_OUT,
    change_state,
    intake_word,
)

STATES: tuple[str, ...] = get_args(SystemState)
TARGETS: tuple[str, ...] = get_args(TargetState)


def asked(state: str, to: str, *, operator: bool = True, **more: Any) -> str:
    chosen = change_state({"state": state, "to": to, "has_reason": True, "operator": operator} | more).chosen
    return str(chosen)


def changes(state: str, to: str) -> bool:
    return SYSTEM_TRANSITIONS[state].get(to) == "system.changed"


def test_the_tables_know_every_state_and_no_other() -> None:
    assert set(SYSTEM_TRANSITIONS) == set(ALLOWED) == set(FORBIDDEN) == set(STATES)
    assert {to for targets in SYSTEM_TRANSITIONS.values() for to in targets} == set(STATES)
    assert {entry for targets in SYSTEM_TRANSITIONS.values() for entry in targets.values()} <= set(
        ENTRY_TYPES
    )
    assert ANY_SEVERITY.keys() | WAYS_OUT.keys() < set(STATES)


@pytest.mark.parametrize("move", list(product(STATES, STATES)))
def test_a_person_makes_exactly_the_moves_of_the_table(move: tuple[str, str]) -> None:
    state, to = move
    expected = "keep" if state == to else "change" if changes(state, to) else "refuse"
    assert asked(state, to) == expected


@pytest.mark.parametrize("move", list(product(STATES, STATES)))
def test_the_engine_moves_between_the_states_it_derives_and_into_a_halt_only(move: tuple[str, str]) -> None:
    state, to = move
    may = changes(state, to) and (to == "halted" or {state, to} <= set(DERIVED_STATES))
    assert asked(state, to, operator=False) == ("keep" if state == to else "change" if may else "refuse")


def test_a_change_that_was_asked_for_in_another_state_is_refused() -> None:
    assert asked("paused", "operational", expected="paused") == "change"
    assert asked("paused", "operational", expected="operational") == "refuse"
    # Whoever repeats what has been done already hears that it is so.
    assert asked("paused", "paused", expected="operational") == "keep"


def test_a_change_without_a_reason_is_refused() -> None:
    assert asked("operational", "paused", has_reason=False) == "refuse"


def test_nothing_leads_out_of_a_halt_at_once_into_work() -> None:
    assert set(SYSTEM_TRANSITIONS["halted"]) == {"recovery", "paused"}
    for state in SYSTEM_TRANSITIONS["halted"]:
        assert ALLOWED[state].dispatch == "defer"


def test_results_of_running_work_count_in_every_state_but_a_halt() -> None:
    refusing = {state for state, allowed in ALLOWED.items() if allowed.settle != "allow"}
    assert refusing == {"halted", "starting"}


def test_a_state_that_stops_something_says_how_it_ends_and_forbids_its_entries() -> None:
    for state, allowed in ALLOWED.items():
        assert set(allowed) <= set(get_args(Answer))
        assert (state in WAYS_OUT or state == "starting") == (set(allowed) != {"allow"})
        assert bool(FORBIDDEN[state]) == (set(allowed) != {"allow"})
        assert (intake_word(state) == "open") == (allowed.intake == "allow")
        assert ("worker.leased" in FORBIDDEN[state]) == (allowed.dispatch != "allow")
        assert ("job.submitted" in FORBIDDEN[state]) == (allowed.intake != "allow")
        assert ("job.succeeded" in FORBIDDEN[state]) == (allowed.settle != "allow")
    assert len(get_args(Action)) == len(ALLOWED["paused"])


def test_a_hundred_thousand_random_signals_make_only_legal_moves() -> None:
    """T34: whatever comes from whomever, each move is one of the table, and only a person ends a halt."""
    draw = random.Random(34)
    state, moves, halts = "operational", 0, 0
    for _ in range(100_000):
        to, operator = draw.choice(STATES), draw.random() < 0.3
        expected = draw.choice((None, None, state, draw.choice(STATES)))
        more = {} if expected is None else {"expected": expected}
        reasoned = draw.random() < 0.95
        chosen = asked(state, to, operator=operator, has_reason=reasoned, **more)
        if chosen != "change":
            assert chosen == ("keep" if state == to else "refuse")
            continue
        assert changes(state, to)
        assert reasoned
        assert expected in (None, state)
        if state == "halted":
            halts += 1
            assert operator
        state, moves = to, moves + 1
    assert moves > 10_000
    assert halts > 100
