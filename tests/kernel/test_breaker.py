"""The breaker: it opens for faults of the dependency alone, lets few through, and closes once these succeed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sheratan.contracts.guards import GuardSettings, Outcome
from sheratan.kernel.breaker import Breaker, BreakerPolicy, admit, evolve, has_failures

SECOND = 1_000_000
POLICY = BreakerPolicy.of(GuardSettings())
SHORT: dict[str, Outcome] = {".": "succeeded", "x": "failed", "d": "declined", "a": "abandoned"}


def after(calls: str, breaker: Breaker | None = None, *, at_us: int = 0, every_us: int = 1_000) -> Breaker:
    """The breaker after calls, one after the other."""
    breaker = breaker or Breaker()
    for number, one in enumerate(calls):
        breaker = evolve(breaker, breaker.epoch, SHORT[one], at_us + number * every_us, POLICY, "OSError")
    return breaker


def half_open(opened: Breaker | None = None, policy: BreakerPolicy = POLICY) -> Breaker:
    opened = opened or after("xxxxx")
    found = admit(opened, opened.until_us, policy)
    assert found is not None
    return found


def test_five_failures_in_a_row_open_it_and_say_why() -> None:
    assert after("....xxxx").state == "closed"
    opened = after("....xxxxx")
    assert (opened.state, opened.because) == ("open", "5 calls in a row have failed, the last with: OSError")


def test_a_success_in_between_begins_the_row_anew() -> None:
    assert after("xxxx.xxxx").state == "closed"


def test_what_callers_do_wrong_changes_nothing() -> None:
    before = after("xxxx.")
    assert after("dddddaaaaa" * 20, before) == before


def test_what_callers_do_wrong_does_not_hide_failures_either() -> None:
    assert after("xxdxxadadx").state == "open"


def test_half_of_the_calls_of_a_window_open_it() -> None:
    assert after("x." * 9 + "x").state == "closed", "19 calls prove nothing"
    opened = after(".x" * 10)
    assert (opened.state, opened.because) == ("open", "10 of 20 calls have failed, the last with: OSError")
    assert after("..x" * 40).state == "closed", "a third is fewer than half"


def test_what_is_older_than_the_window_is_forgotten() -> None:
    assert after(".x" * 10, every_us=SECOND).state == "closed", "never 20 calls within 10 s"
    old = after(".x" * 9)
    assert has_failures(old, 9 * SECOND, POLICY)
    assert not has_failures(old, 12 * SECOND, POLICY)


def test_an_open_one_lets_nobody_through_until_its_time_has_come() -> None:
    opened = after("xxxxx")
    assert admit(opened, opened.until_us - 1, POLICY) is None
    assert half_open(opened).state == "half_open"


def test_a_half_open_one_lets_one_through_and_closes_when_that_succeeds() -> None:
    trying = half_open()
    assert admit(trying, trying.since_us, POLICY) is None
    closed = evolve(trying, trying.epoch, "succeeded", trying.since_us, POLICY)
    assert (closed.state, closed.window, closed.failures) == ("closed", (), 0)


def test_somebody_who_declines_is_there() -> None:
    trying = half_open()
    assert evolve(trying, trying.epoch, "declined", trying.since_us, POLICY).state == "closed"


def test_a_trial_that_was_given_up_makes_room_for_the_next() -> None:
    trying = half_open()
    again = evolve(trying, trying.epoch, "abandoned", trying.since_us, POLICY)
    assert again.state == "half_open"
    assert admit(again, again.since_us, POLICY) == trying


def test_as_many_trials_as_are_set_have_to_succeed() -> None:
    policy = POLICY._replace(trials=3)
    trying = half_open(policy=policy)
    for _ in range(2):
        found = admit(trying, trying.since_us, policy)
        assert found is not None
        trying = found
    assert admit(trying, trying.since_us, policy) is None
    for _ in range(2):
        trying = evolve(trying, trying.epoch, "succeeded", trying.since_us, policy)
        assert trying.state == "half_open"
        assert admit(trying, trying.since_us, policy) is None, "three are enough"
    assert evolve(trying, trying.epoch, "succeeded", trying.since_us, policy).state == "closed"


def test_it_stays_open_for_longer_each_time_up_to_a_bound() -> None:
    breaker, open_us = after("xxxxx"), list[int]()
    for _ in range(6):
        open_us.append(breaker.until_us - breaker.since_us)
        trying = half_open(breaker)
        breaker = evolve(trying, trying.epoch, "failed", trying.since_us, POLICY, "TimeoutError")
    assert open_us == [5 * SECOND, 10 * SECOND, 15 * SECOND, 20 * SECOND, 20 * SECOND, 20 * SECOND]
    assert breaker.because == "it has failed again: TimeoutError"


def test_one_that_breaks_again_at_once_goes_on_counting_and_one_that_worked_does_not() -> None:
    trying = half_open()
    closed = evolve(trying, trying.epoch, "succeeded", trying.since_us, POLICY)
    assert after("xxxxx", closed, at_us=closed.since_us).openings == 2
    assert after("xxxxx", closed, at_us=closed.since_us + 20 * SECOND).openings == 1


def test_a_call_that_began_before_the_state_changed_says_nothing_of_it() -> None:
    opened = after("xxxxx")
    trying = half_open(opened)
    for outcome in SHORT.values():
        assert evolve(opened, 0, outcome, SECOND, POLICY) == opened
        assert evolve(trying, 0, outcome, trying.since_us, POLICY) == trying


STEPS = st.lists(
    st.tuples(st.sampled_from(["call", "end"]), st.sampled_from(sorted(SHORT)), st.integers(0, 8 * SECOND)),
    max_size=120,
)


@given(STEPS, st.integers(1, 4))
def test_whatever_happens_few_trials_are_under_way_and_no_epoch_has_two_states(
    steps: list[tuple[str, str, int]], trials: int
) -> None:
    policy = POLICY._replace(trials=trials)
    breaker, now_us, under_way = Breaker(), 0, list[int]()
    states = {0: "closed"}
    for what, short, passed_us in steps:
        now_us += passed_us
        if what == "call":
            admitted = admit(breaker, now_us, policy)
            if admitted is None:
                assert breaker.state != "closed"
                continue
            breaker = admitted
            under_way.append(breaker.epoch)
        elif under_way:
            breaker = evolve(breaker, under_way.pop(0), SHORT[short], now_us, policy)
        assert states.setdefault(breaker.epoch, breaker.state) == breaker.state
        if breaker.state == "half_open":
            assert under_way.count(breaker.epoch) == breaker.trials <= trials
        if breaker.state == "open":
            assert breaker.until_us - breaker.since_us <= policy.open_us_max
        assert len(breaker.window) <= 10
