"""Health: samples make a probe up or down, and what is down makes the state, by H1 to H4."""

from __future__ import annotations

import random
from itertools import pairwise, product
from typing import Any

import pytest

from sheratan.contracts.system import ANY_SEVERITY
from sheratan.kernel.health import (
    ProbeState,
    Sample,
    affected_by_probes,
    derive_state,
    evolve,
    reason_of_probes,
    state_of_probes,
)
from sheratan.kernel.system import DERIVED_STATES, SYSTEM_TRANSITIONS

SECOND = 1_000_000


def after(
    samples: str, state: ProbeState | None = None, *, down_after: int = 3, up_after: int = 2
) -> ProbeState:
    """The state after samples, one a second: `.` succeeds, `x` fails."""
    state = state or ProbeState()
    for second, one in enumerate(samples):
        sample = Sample(second * SECOND, 1_000, "refused" if one == "x" else None)
        state = evolve(state, sample, down_after=down_after, up_after=up_after)
    return state


def down(name: str, *, critical: bool = False, affects: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": name, "critical": critical, "affects": list(affects or (name,)), "error": "timeout"}


def derived(state: str, *found: dict[str, Any], held: float = 1_000, unknown: int = 0) -> Any:
    given = {"state": state, "held_us": round(held * SECOND), "dwell_us": 60 * SECOND}
    return derive_state(given | {"down": list(found), "unknown": unknown}).chosen


# ---------------------------------------------------------------------------------------------------------------------
# One probe


@pytest.mark.parametrize(
    ("samples", "health"),
    [
        ("", "unknown"),
        (".", "unknown"),
        ("..", "up"),
        ("xx", "unknown"),
        ("xxx", "down"),
        ("x.", "unknown"),
        ("..xx", "up"),
        ("..xxx", "down"),
        ("..xx.xx.", "up"),
        ("xxx.", "down"),
        ("xxx..", "up"),
        ("xxx.x.", "down"),
    ],
)
def test_it_takes_some_samples_in_a_row(samples: str, health: str) -> None:
    assert after(samples).health == health


def test_since_when_is_the_sample_that_made_it_so() -> None:
    state = after("..xxxx")
    assert (state.since_us, state.failures, state.error) == (4 * SECOND, 4, "refused")
    state = after("..xxx..")
    assert (state.health, state.since_us, state.error) == ("up", 6 * SECOND, None)


def test_what_fails_every_other_time_is_down_and_stays_so() -> None:
    """It never fails three times in a row. One Hertz against samples every half second, or the like."""
    state = after("." * 10)
    seen = []
    for _ in range(100):
        state = after("x.", state)
        seen.append(state.health)
    assert seen[:2] == ["up", "up"]
    assert seen[-1] == "down"
    assert len({*pairwise(seen)}) == 3
    assert after(".." * 10, state).health == "up"


def test_averages_follow_what_is_so() -> None:
    assert after("x" * 100).failing_permille > 950
    assert after("x" * 100 + "." * 100).failing_permille == 0
    state = ProbeState()
    for latency_us in [1_000] + [9_000] * 50:
        state = evolve(state, Sample(0, latency_us), down_after=3, up_after=3)
    assert 8_900 < state.latency_us <= 9_000


# ---------------------------------------------------------------------------------------------------------------------
# The state


@pytest.mark.parametrize("found", list(product((None, False, True), repeat=3)))
def test_the_worst_of_what_is_down_counts(found: tuple[bool | None, ...]) -> None:
    """The truth table of A1-R2: of each of three services whether it works (None), or is down and critical."""
    probes = [down(f"s{at}", critical=critical) for at, critical in enumerate(found) if critical is not None]
    wanted = "degraded_critical" if True in found else "degraded_minor" if False in found else "operational"
    assert state_of_probes(probes) == wanted
    assert ANY_SEVERITY.get(wanted, "none") in ("none", wanted.removeprefix("degraded_"))
    for state in DERIVED_STATES:
        assert derived(state, *probes) == ("keep" if state == wanted else wanted)


def test_it_gets_worse_at_once() -> None:
    for held, unknown in product((0, 1_000), (0, 3)):
        assert derived("operational", down("a"), held=held, unknown=unknown) == "degraded_minor"
        assert derived("operational", down("a", critical=True), held=held) == "degraded_critical"
    assert derived("degraded_minor", down("a", critical=True), held=0) == "degraded_critical"


def test_it_gets_better_once_it_has_lasted_and_everything_is_known() -> None:
    for state, found in (
        ("degraded_minor", ()),
        ("degraded_critical", (down("a"),)),
        ("degraded_critical", ()),
    ):
        wanted = state_of_probes(found)
        assert derived(state, *found, held=59.999) == "keep"
        assert derived(state, *found, held=60, unknown=1) == "keep"
        assert derived(state, *found, held=60) == wanted


@pytest.mark.parametrize("state", sorted(set(SYSTEM_TRANSITIONS) - set(DERIVED_STATES)))
def test_what_a_person_chose_stays(state: str) -> None:
    assert derived(state) == derived(state, down("a", critical=True)) == "keep"


def test_what_is_down_is_told_with_its_error_and_what_it_affects() -> None:
    found = [down("mail", affects=("invoices", "news")), down("model", affects=("news",))]
    assert reason_of_probes(found) == "down: mail (timeout), model (timeout)"
    assert affected_by_probes(found) == ["invoices", "news"]
    assert reason_of_probes([]) == "every probe succeeds again"
    many = [down(f"d{number}") for number in range(9)]
    assert reason_of_probes(many).endswith("d4 (timeout) and 4 more")


# ---------------------------------------------------------------------------------------------------------------------
# T34


class Walk:
    """A system whose probes are looked at once a second, and which persons and the engine move meanwhile."""

    def __init__(self, critical: tuple[bool, ...]) -> None:
        self.critical = critical
        self.probes = [ProbeState()] * len(critical)
        self.state, self.since, self.now = "operational", 0, 0
        self.changes: list[tuple[int, str, str]] = []

    def second(self, signals: list[bool]) -> None:
        """One round: of each probe whether it succeeds."""
        self.now += 1
        self.probes = [
            evolve(
                probe, Sample(self.now * SECOND, 1, None if works else "timeout"), down_after=3, up_after=3
            )
            for probe, works in zip(self.probes, signals, strict=True)
        ]
        found = [
            down(f"p{at}", critical=self.critical[at])
            for at, probe in enumerate(self.probes)
            if probe.health == "down"
        ]
        unknown = sum(probe.health == "unknown" for probe in self.probes)
        chosen = derived(self.state, *found, held=self.now - self.since, unknown=unknown)
        if chosen != "keep":
            self.move(chosen)

    def move(self, to: str) -> None:
        self.changes.append((self.now, self.state, to))
        self.state, self.since = to, self.now

    def check(self) -> None:
        """Only moves of the table, only between derived states, and better at most once in a minute."""
        better = [self.now - 1_000_000]
        for now, source, to in self.changes:
            assert SYSTEM_TRANSITIONS[source][to] == "system.changed"
            assert {source, to} <= set(DERIVED_STATES)
            if DERIVED_STATES.index(to) < DERIVED_STATES.index(source):
                assert now - better[-1] >= 60
                better.append(now)


def test_a_hundred_thousand_random_sequences_make_only_legal_moves() -> None:
    draw = random.Random(34)
    seen: set[tuple[str, str]] = set()
    for _ in range(100_000):
        state, held = "operational", 0
        for _ in range(3):
            found = [down("a", critical=draw.random() < 0.5)] if draw.random() < 0.6 else []
            held = draw.choice((0, 30, 60, 90))
            unknown = draw.choice((0, 0, 1))
            chosen = derived(state, *found, held=held, unknown=unknown)
            if draw.random() < 0.1:
                state = draw.choice(("paused", "halted", "operational", "reflective"))
                continue
            if chosen == "keep":
                continue
            assert SYSTEM_TRANSITIONS[state][chosen] == "system.changed"
            assert state in DERIVED_STATES
            if DERIVED_STATES.index(chosen) < DERIVED_STATES.index(state):
                assert held >= 60
                assert not unknown
            seen.add((state, chosen))
            state = chosen
    assert seen == set(product(DERIVED_STATES, DERIVED_STATES)) - {(state, state) for state in DERIVED_STATES}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_signals_the_state_gets_better_at_most_once_a_minute(seed: int) -> None:
    draw = random.Random(seed)
    walk = Walk(tuple(draw.random() < 0.5 for _ in range(4)))
    works, rate = [True] * 4, draw.choice((0.005, 0.05, 0.3))
    for _ in range(2_000):
        works = [one != (draw.random() < rate) for one in works]
        walk.second(works)
    walk.check()
    assert walk.changes


@pytest.mark.parametrize("period", [1, 2, 3, 4, 5, 7, 10, 31, 61, 90])
@pytest.mark.parametrize("critical", [False, True])
def test_an_oscillation_flaps_at_most_once_a_minute(period: int, critical: bool) -> None:
    walk = Walk((critical, True))
    for second in range(3_600):
        walk.second([second // period % 2 == 0, True])
    walk.check()
    returns = sum(to == "operational" for _, _, to in walk.changes)
    assert returns <= 60


def test_an_outage_is_told_within_five_seconds() -> None:
    """A sample may have succeeded just before, and each that fails may take a whole second to."""
    walk = Walk((True,))
    for _ in range(10):
        walk.second([True])
    began = walk.now
    while walk.state == "operational":
        walk.second([False])
    assert walk.now + 1 - began <= 5
