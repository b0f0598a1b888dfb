"""The margin of the operator: within its bounds, in integers, and the rest is the worker's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.kernel.margin import UNKNOWN, Reliability, decide_margins, margin_permille, observed


@pytest.mark.parametrize(
    ("success", "latency_ms", "permille"),
    [
        (1_000, 0, 100),
        (0, 1_500, 400),
        (0, 0, 300),
        (1_000, 1_500, 200),
        (1_000, 99_999, 200),
        (950, 400, 136),
        (999, 14, 100),
        (500, 1_500, 300),
    ],
)
def test_the_margin_grows_with_failures_and_latency(success: int, latency_ms: int, permille: int) -> None:
    assert margin_permille(success, latency_ms) == permille


@given(st.integers(1, AMOUNT_MAX), st.integers(0, 1_000), st.integers(0, 5_000))
def test_a_share_is_what_the_margin_leaves_and_never_less_than_its_part(
    amount: int, success: int, latency_ms: int
) -> None:
    verdict = decide_margins({"shares": [["worker:w", "EUR", amount, success, latency_ms]]})
    [[permille, share]] = verdict.chosen
    assert 100 <= permille <= 400
    # Rounded to the worker's favour, by less than a minor unit.
    assert 0 <= share * 1_000 - amount * (1_000 - permille) < 1_000
    assert 0 < share <= amount


def test_the_sentence_tells_of_the_first_ones() -> None:
    verdict = decide_margins({"shares": [["worker:w", "EUR", 50, 950, 400]] * 5})
    assert verdict.chosen == [[136, 44]] * 5
    sentence = (
        "Of 50 minor units of EUR worker:w gets 44: of its attempts 950 in 1000 succeed, in 400 ms, so 136 in 1000"
        " stay with the operator."
    )
    assert verdict.because == " ".join([sentence] * 3) + " And 2 more."


def test_a_worker_that_always_succeeds_at_once_comes_to_the_least_margin_and_back() -> None:
    known = UNKNOWN
    for _ in range(100):
        known = observed(known, succeeded=True, latency_ms=0)
    assert (known.success_permille, known.latency_ms, known.attempts) == (1_000, 0, 100)
    for _ in range(100):
        known = observed(known, succeeded=False, latency_ms=60_000)
    assert (known.success_permille, known.latency_ms, known.attempts) == (0, 1_500, 200)


def test_one_attempt_counts_for_an_eighth() -> None:
    assert observed(Reliability(8_000, 8_000, 7), succeeded=False, latency_ms=200) == (7_000, 7_200, 8)
