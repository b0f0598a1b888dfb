"""Rates: never more than the rate and its burst allow, and nothing lost by rounding."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sheratan.kernel.rate import UNPACED, Pace, Rate, advance, earliest_us, refit

RATES = st.builds(Rate, st.integers(1, 50), st.integers(1, 1_000), st.integers(1, 5))
STARTS = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 7)), max_size=60)


@given(RATES, STARTS)
def test_it_is_exactly_the_algorithm_in_fractions(rate: Rate, starts: list[tuple[int, int]]) -> None:
    spacing, at_us, pace, paid_off = Fraction(rate.period_us, rate.count), 1_000, UNPACED, Fraction(0)
    for pause_us, cost in starts:
        at_us += pause_us
        first = paid_off - (rate.burst - min(cost, rate.burst)) * spacing
        assert earliest_us(rate, pace, cost) - 1 < first <= earliest_us(rate, pace, cost)
        if first <= at_us:
            pace, paid_off = advance(rate, pace, at_us, cost), max(paid_off, at_us) + cost * spacing
        assert pace.at_us + Fraction(pace.part, rate.count) == paid_off


@given(RATES, STARTS)
def test_no_stretch_of_time_has_more_starts_than_the_rate_and_its_burst(
    rate: Rate, starts: list[tuple[int, int]]
) -> None:
    pace, at_us, done = UNPACED, 1_000, list[tuple[int, int]]()
    for pause_us, cost in starts:
        at_us, cost = at_us + pause_us, min(cost, rate.burst)
        if earliest_us(rate, pace, cost) <= at_us:
            pace = advance(rate, pace, at_us, cost)
            done.append((at_us, cost))
    for index, (begin_us, _) in enumerate(done):
        for end in range(index, len(done)):
            cost = sum(cost for _, cost in done[index : end + 1])
            assert (
                cost * rate.period_us <= (done[end][0] - begin_us) * rate.count + rate.burst * rate.period_us
            )


def test_a_burst_is_had_once_and_comes_back_one_by_one() -> None:
    rate, pace, starts = Rate(10, 1_000_000, 3), UNPACED, list[int]()
    for at_us in range(5_000_000, 5_500_000, 10_000):
        if earliest_us(rate, pace, 1) <= at_us:
            pace = advance(rate, pace, at_us, 1)
            starts.append(at_us - 5_000_000)
    assert starts == [0, 10_000, 20_000, 100_000, 200_000, 300_000, 400_000]


def test_what_costs_more_than_the_burst_waits_for_all_of_it_and_is_paid_off() -> None:
    rate = Rate(10, 1_000_000, 3)
    pace = advance(rate, UNPACED, 5_000_000, 7)
    assert earliest_us(rate, pace, 7) == 5_700_000
    assert earliest_us(rate, pace, 1) == 5_500_000


def test_under_a_new_rate_nobody_waits_longer_than_after_a_whole_burst() -> None:
    slow, quick = Rate(1, 3_600_000_000, 10), Rate(10, 1_000_000, 2)
    pace = advance(slow, UNPACED, 1_000_000, 10)
    assert refit(quick, pace, 2_000_000) == Pace(2_200_000, 0, 1_000_000)
    assert refit(quick, Pace(2_100_000, 1, 7), 2_000_000) == Pace(2_100_001, 0, 7)
