"""The limit of what is under way at once: it follows how slow a dependency is, within bounds; and retries' budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sheratan.kernel.concurrency import Concurrency, adapt
from sheratan.kernel.retry_budget import RETRIES_SAVED_MAX, earn, spend

MOST = 20
QUICK = [10_000] * 50
SLOW = [100_000] * 50


def after(state: Concurrency, *windows: list[int], in_flight: int = MOST) -> Concurrency:
    for window in windows:
        state = adapt(state, window, in_flight, MOST)
    return state


def test_a_dependency_that_is_as_quick_as_ever_has_the_whole_limit() -> None:
    assert after(Concurrency(MOST), *[QUICK] * 100).limit == MOST


def test_one_that_gets_slow_has_fewer_at_once_and_gets_them_back() -> None:
    slow = after(Concurrency(MOST), QUICK, *[SLOW] * 30)
    assert 4 <= slow.limit < 7
    assert after(slow, *[QUICK] * 60).limit == MOST


def test_one_window_does_not_halve_it() -> None:
    assert after(Concurrency(MOST), QUICK, [3_600_000_000] * 50).limit > MOST * 0.85


def test_a_little_slower_is_not_slow() -> None:
    assert after(Concurrency(MOST), QUICK, *[[19_000] * 50] * 100).limit == MOST


def test_a_limit_that_nobody_makes_use_of_does_not_grow() -> None:
    slow = after(Concurrency(MOST), QUICK, *[SLOW] * 30)
    assert after(slow, *[QUICK] * 60, in_flight=1).limit == slow.limit


def test_one_that_is_slower_for_good_gets_its_limit_back_in_time() -> None:
    assert after(Concurrency(MOST), QUICK, *[SLOW] * 700).limit == MOST


@given(
    st.lists(st.lists(st.integers(0, 1 << 40), min_size=1, max_size=40), max_size=40), st.integers(1, 10_000)
)
def test_it_is_never_below_one_nor_above_what_is_set(windows: list[list[int]], most: int) -> None:
    state = Concurrency(most)
    for window in windows:
        state = adapt(state, window, most, most)
        assert 1 <= state.limit <= most


@given(st.lists(st.booleans(), max_size=500), st.integers(0, 1_000))
def test_retries_are_a_part_of_the_other_calls(calls: list[bool], permille: int) -> None:
    balance, first, again = RETRIES_SAVED_MAX * 1_000, 0, 0
    for is_retry in calls:
        if not is_retry:
            balance, first = earn(balance, permille), first + 1
        elif (left := spend(balance)) is not None:
            balance, again = left, again + 1
    assert again <= RETRIES_SAVED_MAX + first * permille / 1_000
