"""Each rule as a table of cases; all of them pure, recorded, and registered once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.contracts.errors import InternalError, NotFound
from sheratan.contracts.values import INTEGER_MAX, check_json
from sheratan.kernel.admission import admit
from sheratan.kernel.dead_letters import decide_bulk, decide_discard, decide_replay
from sheratan.kernel.dependency import decide_after
from sheratan.kernel.outcome import decide_cancel, decide_timeout, settle
from sheratan.kernel.recovery import decide_recovery
from sheratan.kernel.replay import RULE_MODULES
from sheratan.kernel.retry import backoff
from sheratan.kernel.routing import choose_jobs
from sheratan.kernel.rules import Verdict, decision, find_rule, registered_rules, rule

RULES = {
    "bulk.end@1",
    "dead_letter.discard@1",
    "dead_letter.replay@1",
    "dispatch.order@1",
    "dispatch.order@2",
    "engine.recovery@1",
    "job.admission@1",
    "job.admission@2",
    "job.after@1",
    "job.cancel@1",
    "job.settle@1",
    "job.timeout@1",
    "retry.backoff@1",
}


def test_every_rule_is_registered_by_name_and_version() -> None:
    assert RULE_MODULES
    assert set(registered_rules()) >= RULES
    assert find_rule("retry.backoff@1") is backoff


def test_an_unknown_rule_is_refused_naming_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"retry\.backoff@1"):
        find_rule("retry.backoff@99")


def test_a_rule_cannot_be_defined_twice() -> None:
    with pytest.raises(InternalError, match="defined twice"):
        rule("retry.backoff", 1)(lambda given: Verdict(1, "no"))
    assert find_rule("retry.backoff@1") is backoff


def test_a_decision_record_leaves_out_what_is_empty() -> None:
    assert decision("r@1", {"a": 1}, Verdict("x", "why")) == {
        "rule": "r@1",
        "input": {"a": 1},
        "chosen": "x",
        "because": "why",
    }
    assert decision("r@1", {}, Verdict("x", "why", [["y", "no"]]))["rejected"] == [["y", "no"]]


# ---------------------------------------------------------------------------------------------------------------------

OPEN = {"queue": "q", "depth": 0, "depth_max": 10, "intake": "open"}


@pytest.mark.parametrize(
    ("changed", "chosen"),
    [
        ({}, "queue"),
        ({"depth": 9}, "queue"),
        ({"depth": 10}, "refuse"),
        ({"intake": "draining"}, "refuse"),
        ({"delay_us": 1}, "schedule"),
        ({"waits_for": 0}, "queue"),
        ({"waits_for": 2}, "block"),
        ({"waits_for": 2, "delay_us": 5}, "block"),
        ({"waits_for": 0, "delay_us": 5}, "schedule"),
        ({"waits_for": 0, "failed_after": ["job_1"], "after_failure": "cancel"}, "cancel"),
        ({"waits_for": 1, "failed_after": ["job_1"], "after_failure": "cancel"}, "cancel"),
        ({"waits_for": 1, "failed_after": ["job_1"], "after_failure": "run"}, "block"),
        ({"waits_for": 0, "failed_after": ["job_1"], "after_failure": "run"}, "queue"),
        ({"depth": 10, "failed_after": ["job_1"], "after_failure": "cancel"}, "refuse"),
    ],
)
def test_admission(changed: dict[str, Any], chosen: str) -> None:
    assert admit(OPEN | changed).chosen == chosen
    assert find_rule("job.admission@1")(OPEN | changed).chosen == chosen


@pytest.mark.parametrize(
    ("bound", "criticality", "places"),
    [
        (10, "critical", 12),
        (10, "normal", 10),
        (10, "deferrable", 8),
        (10, "sheddable", 6),
        (14, "critical", 16),
        (14, "sheddable", 10),
        (4, "critical", 4),
        (4, "sheddable", 4),
    ],
)
def test_a_queue_keeps_places_for_jobs_that_are_more_critical(
    bound: int, criticality: str, places: int
) -> None:
    given = OPEN | {"depth_max": bound}
    if criticality != "normal":
        given["criticality"] = criticality
    assert admit(given | {"depth": places - 1}).chosen == "queue"
    assert admit(given | {"depth": places}).chosen == "refuse"
    assert (
        admit(given | {"depth": places, "intake": "draining"}).because == "Refused: the engine is draining."
    )


@pytest.mark.parametrize(
    ("depth", "criticality", "because"),
    [
        (0, "sheddable", "Queued on q at once: 0 of 6 places for sheddable jobs taken."),
        (
            9,
            "sheddable",
            "Refused: queue q is full for sheddable jobs: 9 are ready, of at most 6. Still taken in: normal, critical."
            " Whoever runs its workers can make room.",
        ),
        (
            12,
            "critical",
            "Refused: queue q is full for critical jobs: 12 are ready, of at most 12. Nothing else is taken in either."
            " Whoever runs its workers can make room.",
        ),
    ],
)
def test_admission_says_what_is_still_taken_in(depth: int, criticality: str, because: str) -> None:
    assert admit(OPEN | {"depth": depth, "criticality": criticality}).because == because


@pytest.mark.parametrize(
    ("changed", "chosen"),
    [
        ({}, "queue"),
        ({"missing": 2}, "wait"),
        ({"delay_us": 7}, "schedule"),
        ({"missing": 2, "delay_us": 7}, "wait"),
        ({"state": "failed"}, "cancel"),
        ({"state": "cancelled"}, "cancel"),
        ({"state": "failed", "missing": 3}, "cancel"),
        ({"state": "failed", "after_failure": "run", "failed": 1}, "queue"),
        ({"state": "failed", "after_failure": "run", "failed": 1, "missing": 1}, "wait"),
        ({"state": "succeeded", "after_failure": "cancel", "failed": 0}, "queue"),
    ],
)
def test_what_follows_from_the_end_of_a_parent(changed: dict[str, Any], chosen: str) -> None:
    given_input = {
        "missing": 0,
        "ended": "job_1",
        "state": "succeeded",
        "failed": 0,
        "after_failure": "cancel",
        "delay_us": 0,
    }
    assert decide_after(given_input | changed).chosen == chosen


@pytest.mark.parametrize(
    ("entries", "clean", "leases", "chosen"),
    [
        (0, True, 0, "fresh"),
        (5, True, 0, "resume"),
        (5, False, 0, "take_over"),
        (5, False, 3, "take_over"),
        (5, True, 1, "take_over"),
    ],
)
def test_recovery(entries: int, clean: bool, leases: int, chosen: str) -> None:
    assert decide_recovery({"entries": entries, "clean": clean, "leases": leases}).chosen == chosen


@pytest.mark.parametrize(
    ("outcome", "fence", "current", "asked", "chosen"),
    [
        ("succeeded", 7, 7, False, "succeeded"),
        ("succeeded", 7, 7, True, "succeeded"),
        ("failed", 7, 7, False, "errored"),
        ("failed", 7, 7, True, "cancelled"),
        ("cancelled", 7, 7, True, "cancelled"),
        ("cancelled", 7, 7, False, "errored"),
        ("released", 7, 7, False, "released"),
        ("released", 7, 7, True, "cancelled"),
        ("succeeded", 6, 7, False, "fenced_off"),
        ("succeeded", 8, 7, True, "fenced_off"),
        ("failed", 6, None, False, "fenced_off"),
    ],
)
def test_settling(outcome: str, fence: int, current: int | None, asked: bool, chosen: str) -> None:
    given_input = {
        "outcome": outcome,
        "attempt": 1,
        "fence": fence,
        "fence_current": current,
        "cancel_requested": asked,
    }
    assert settle(given_input).chosen == chosen


@pytest.mark.parametrize(
    ("state", "chosen"),
    [
        ("queued", "cancel"),
        ("scheduled", "cancel"),
        ("blocked", "cancel"),
        ("running", "request"),
        ("succeeded", "refuse"),
        ("failed", "refuse"),
        ("cancelled", "refuse"),
    ],
)
def test_cancelling(state: str, chosen: str) -> None:
    assert decide_cancel({"state": state, "already_requested": False}).chosen == chosen


@pytest.mark.parametrize("what", ["run", "queue", "session", "cancel"])
@pytest.mark.parametrize(("elapsed", "chosen"), [(9, "keep"), (10, "expire"), (11, "expire")])
def test_timeouts(what: str, elapsed: int, chosen: str) -> None:
    assert decide_timeout({"what": what, "limit_us": 10, "elapsed_us": elapsed}).chosen == chosen


# ---------------------------------------------------------------------------------------------------------------------

FAILURE = {
    "error_class": "retryable",
    "failures": 1,
    "attempts_max": 3,
    "losses": 0,
    "losses_max": 3,
    "base_us": 1_000,
    "cap_us": 60_000,
    "retry_after_us": None,
    "seed": 5,
}


@pytest.mark.parametrize(
    ("changed", "action"),
    [
        ({}, "retry"),
        ({"error_class": "timeout"}, "retry"),
        ({"error_class": "rate_limited"}, "retry"),
        ({"error_class": "fatal"}, "fail"),
        ({"error_class": "bug"}, "fail"),
        ({"failures": 3}, "fail"),
        ({"failures": 4}, "fail"),
        ({"error_class": "lost_lease", "losses": 1}, "requeue"),
        ({"error_class": "lost_lease", "losses": 2}, "requeue"),
        ({"error_class": "lost_lease", "losses": 3}, "fail"),
        ({"error_class": "lost_lease", "losses": 1, "failures": 9}, "requeue"),
        ({"error_class": "rate_limited", "retry_after_us": 5, "failures": 3}, "fail"),
    ],
)
def test_what_becomes_of_a_failed_attempt(changed: dict[str, Any], action: str) -> None:
    assert backoff(FAILURE | changed).chosen["action"] == action


def test_the_pause_that_was_asked_for_is_taken_as_it_is() -> None:
    assert backoff(FAILURE | {"retry_after_us": 987_654}).chosen == {"action": "retry", "delay_us": 987_654}


@given(
    failures=st.integers(1, 99),
    base=st.integers(0, 34_560_000_000_000),
    cap=st.integers(0, 34_560_000_000_000),
    seed=st.integers(0, (1 << 52) - 1),
)
def test_the_jitter_lies_between_nothing_and_the_ceiling_and_repeats(
    failures: int, base: int, cap: int, seed: int
) -> None:
    given_input = FAILURE | {
        "failures": failures,
        "attempts_max": 100,
        "base_us": base,
        "cap_us": cap,
        "seed": seed,
    }
    verdict = backoff(given_input)
    delay = verdict.chosen["delay_us"]
    assert 0 <= delay <= min(cap, base * 2 ** (failures - 1))
    assert 0 <= delay <= INTEGER_MAX
    assert backoff(dict(given_input)) == verdict
    check_json([verdict.chosen, verdict.because])


def test_the_jitter_spreads_over_the_whole_ceiling() -> None:
    delays = [
        backoff(FAILURE | {"base_us": 1_000_000, "cap_us": 1_000_000, "seed": seed}).chosen["delay_us"]
        for seed in range(2_000)
    ]
    buckets = [
        sum(1 for delay in delays if low <= delay < low + 100_000) for low in range(0, 1_000_000, 100_000)
    ]
    assert min(buckets) > 140
    assert max(buckets) < 260


def test_the_same_input_gives_the_same_delay_in_every_release() -> None:
    assert backoff(FAILURE).chosen == {"action": "retry", "delay_us": GOLDEN_DELAY}


GOLDEN_DELAY = 497
"""What retry.backoff@1 chooses for FAILURE. Another number means that recorded decisions no longer replay."""


# ---------------------------------------------------------------------------------------------------------------------


def choose(slots: int, room: int, heads: list[list[int]], lanes: list[list[Any]]) -> Verdict:
    return choose_jobs({"worker": "w", "slots": slots, "room": room, "lanes": lanes, "heads": heads})


def test_urgent_jobs_are_chosen_first_then_old_ones() -> None:
    lanes = [["q", "a", 3, "open"], ["q", "b", 1, "open"]]
    verdict = choose(3, 9, [[0, 5, 1], [0, 5, 4], [1, 2, 9], [0, 0, 7]], lanes)
    assert verdict.chosen == [7, 9, 1]
    assert verdict.rejected == [[4, "no free slot in the worker"]]


def test_the_room_of_the_engine_bounds_the_choice_and_is_given_as_the_reason() -> None:
    verdict = choose(5, 1, [[0, 5, 1], [0, 5, 2]], [["q", "a", 2, "open"]])
    assert verdict.chosen == [1]
    assert verdict.rejected == [[2, "the engine runs as many jobs as it may"]]


def test_lanes_that_were_passed_over_are_named_with_the_reason() -> None:
    lanes = [["q", "a", 4, "paused"], ["q", "b", 2, "not_offered"], ["q", "c", 1, "open"]]
    verdict = choose(1, 1, [[2, 5, 8]], lanes)
    assert verdict.rejected is not None
    (first, paused), (second, not_offered) = verdict.rejected
    assert (first, second) == ("q/a", "q/b")
    assert "paused, 4" in paused
    assert "not offer this kind, 2" in not_offered
    assert verdict.because.startswith("Gave 1 of 1 ready job")


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 10**6)), unique_by=lambda x: x[1]), st.integers(0, 9)
)
def test_the_choice_is_the_sorted_prefix(jobs: list[tuple[int, int]], slots: int) -> None:
    verdict = choose(slots, 99, [[0, *job] for job in jobs], [["q", "a", len(jobs), "open"]])
    assert verdict.chosen == [number for _, number in sorted(jobs)[:slots]]


@pytest.mark.parametrize("is_dead", [False, True])
@pytest.mark.parametrize("is_quarantined", [False, True])
@pytest.mark.parametrize("poison", [False, True])
def test_only_a_dead_letter_is_replayed_and_poison_only_by_a_word(
    *, is_dead: bool, is_quarantined: bool, poison: bool
) -> None:
    given = {"state": "failed", "is_dead": is_dead, "is_quarantined": is_quarantined, "poison": poison}
    wanted = "replay" if is_dead and (poison or not is_quarantined) else "refuse"
    assert decide_replay(given).chosen == wanted
    assert decide_discard(given).chosen == ("discard" if is_dead else "refuse")


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({"done": 3, "limit": None, "is_left": True, "refused": None}, "go_on"),
        ({"done": 3, "limit": 4, "is_left": True, "refused": None}, "go_on"),
        ({"done": 4, "limit": 4, "is_left": True, "refused": None}, "end"),
        ({"done": 0, "limit": None, "is_left": False, "refused": None}, "end"),
        ({"done": 4, "limit": 4, "is_left": False, "refused": "the queue is full"}, "stop"),
    ],
)
def test_a_bulk_operation_ends_when_all_is_done_and_stops_when_it_is_refused(
    given: dict[str, Any], chosen: str
) -> None:
    assert decide_bulk(given).chosen == chosen
