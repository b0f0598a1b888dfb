"""The rules of schedules: missed firings, and firings while the job before has not ended."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.contracts.values import check_json
from sheratan.kernel.firing import decide_missed, decide_overlap
from sheratan.kernel.rules import Verdict, find_rule

NOW = 1_000_000_000
TOLERANCE = 60_000_000


def missed(policy: str, ages_us: list[int], more: bool = False, missed_max: int = 100) -> Verdict:
    """The verdict about firings of these ages, oldest first, named a, b, c and so on."""
    return decide_missed(
        {
            "due": [[chr(ord("a") + place), NOW - age_us] for place, age_us in enumerate(ages_us)],
            "more": more,
            "now_us": NOW,
            "tolerance_us": TOLERANCE,
            "policy": policy,
            "missed_max": missed_max,
        }
    )


LATE = TOLERANCE + 1
POLICIES = ["skip", "once", "all"]


def test_both_rules_are_registered() -> None:
    assert find_rule("schedule.missed@1") is decide_missed
    assert find_rule("schedule.overlap@2") is decide_overlap


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("ages", [[0], [TOLERANCE], [TOLERANCE, 5, 0]])
def test_firings_on_time_fire_under_every_policy(policy: str, ages: list[int]) -> None:
    verdict = missed(policy, ages)
    assert verdict.chosen == ["a", "b", "c"][: len(ages)]
    assert verdict.rejected is None


@pytest.mark.parametrize(
    ("policy", "ages", "chosen", "rejected"),
    [
        ("skip", [LATE], [], ["a"]),
        ("skip", [LATE + 2, LATE, TOLERANCE], ["c"], ["a", "b"]),
        ("once", [LATE], ["a"], []),
        ("once", [LATE + 2, LATE + 1, LATE], ["c"], ["a", "b"]),
        ("once", [LATE + 1, LATE, TOLERANCE], ["c"], ["a", "b"]),
        ("all", [LATE + 1, LATE, TOLERANCE], ["a", "b", "c"], []),
        ("all", [LATE + 3, LATE + 2, LATE + 1, LATE, 0], ["c", "d", "e"], ["a", "b"]),
    ],
)
def test_missed_firings_by_policy(
    policy: str, ages: list[int], chosen: list[str], rejected: list[str]
) -> None:
    verdict = missed(policy, ages, missed_max=2)
    assert verdict.chosen == chosen
    assert [firing for firing, _ in verdict.rejected or []] == rejected


@pytest.mark.parametrize("missed_max", [2, 3, 4, 100])
def test_a_bound_that_is_not_reached_leaves_none_out(missed_max: int) -> None:
    verdict = missed("all", [LATE + 1, LATE], missed_max=missed_max)
    assert verdict.chosen == ["a", "b"]
    assert verdict.rejected is None


@pytest.mark.parametrize("policy", POLICIES)
def test_missed_firings_that_are_not_listed_are_told_of(policy: str) -> None:
    verdict = missed(policy, [LATE, 0], more=True, missed_max=1)
    assert verdict.rejected is not None
    assert verdict.rejected[0][0] == "earlier firings"
    assert "more than 1 missed" in verdict.because
    on_time_only = missed(policy, [0], more=True)
    assert on_time_only.chosen == ["a"]
    assert on_time_only.rejected is not None


def test_the_sentence_and_the_reasons_say_what_was_done_and_why() -> None:
    verdict = missed("all", [LATE + 1, LATE, 0], missed_max=1)
    assert verdict.because == (
        "1 firing on time; of 2 missed by more than 60.000 s 1 made up for, by policy all."
    )
    assert verdict.rejected == [["a", "older than the newest 1 that were missed (missed_max)"]]
    assert missed("once", [LATE + 1, LATE]).rejected == [["a", "made up for by b, the newest missed"]]
    assert missed("once", [LATE, 0]).rejected == [["a", "made up for by b, which is on time"]]
    assert missed("skip", [LATE]).rejected == [["a", "missed firings are skipped"]]
    assert missed("skip", [1, 0]).because == "2 firings on time, none missed."


@given(
    st.sampled_from(POLICIES),
    st.lists(st.integers(0, 5 * TOLERANCE), min_size=1, max_size=26, unique=True),
    st.booleans(),
    st.integers(1, 30),
)
def test_each_firing_is_chosen_or_rejected_once_and_in_order(
    policy: str, ages: list[int], more: bool, missed_max: int
) -> None:
    ages.sort(reverse=True)
    verdict = missed(policy, ages, more, missed_max)
    rejected = [firing for firing, _ in verdict.rejected or [] if firing != "earlier firings"]
    names = [chr(ord("a") + place) for place in range(len(ages))]
    assert sorted([*verdict.chosen, *rejected]) == names
    assert verdict.chosen == sorted(verdict.chosen)
    late = {name for name, age in zip(names, ages, strict=True) if age > TOLERANCE}
    assert set(names) - late <= set(verdict.chosen)
    # Under `once` a firing on time makes up for those that were missed.
    most = {"skip": 0, "once": int(len(late) == len(names)), "all": missed_max}[policy]
    assert len(late & set(verdict.chosen)) == min(most, len(late))
    check_json([verdict.chosen, verdict.because, verdict.rejected])


@pytest.mark.parametrize("state", ["blocked", "scheduled", "queued", "running"])
@pytest.mark.parametrize(
    ("policy", "chosen"), [("queue", "submit"), ("skip", "skip"), ("cancel_previous", "cancel_previous")]
)
def test_the_policy_decides_while_the_job_before_is_open(state: str, policy: str, chosen: str) -> None:
    verdict = decide_overlap({"policy": policy, "previous": "job_1", "state": state})
    assert verdict.chosen == chosen
    assert f"job_1, the job before it, is still {state}" in verdict.because


@pytest.mark.parametrize("policy", ["queue", "skip", "cancel_previous"])
@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_a_job_that_has_ended_is_in_nobodys_way(state: str, policy: str) -> None:
    given_input: dict[str, Any] = {"policy": policy, "previous": "job_1", "state": state}
    verdict = decide_overlap(given_input)
    assert verdict.chosen == "submit"
    assert verdict.because == f"Submitted: job_1, the job before it, has ended ({state})."


@pytest.mark.parametrize("policy", ["queue", "skip", "cancel_previous"])
def test_the_first_firing_is_submitted(policy: str) -> None:
    assert decide_overlap({"policy": policy, "previous": None, "state": None}).chosen == "submit"
