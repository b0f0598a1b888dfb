"""What a job may be charged decides whether there is another attempt."""

from __future__ import annotations

from typing import Any

import pytest

from sheratan.kernel.job_budget import decide_start
from sheratan.kernel.retry import backoff, backoff_within

FAILED: dict[str, Any] = {
    "error_class": "retryable", "failures": 1, "attempts_max": 3, "losses": 0, "losses_max": 3,
    "base_us": 1_000, "cap_us": 9_000, "retry_after_us": None, "seed": 7,
}  # fmt: skip


def budget(charged: int, price: int, most: int = 100) -> dict[str, Any]:
    return {"unit": "EUR", "scale": 2, "budget": most, "charged": charged, "price": price}


@pytest.mark.parametrize(
    ("charged", "price", "chosen"),
    [(0, 100, "start"), (60, 40, "start"), (60, 41, "end"), (101, 1, "end"), (0, 101, "end")],
)
def test_an_attempt_starts_that_fits_whatever_it_costs(charged: int, price: int, chosen: str) -> None:
    assert decide_start(budget(charged, price)).chosen == chosen


def test_the_reason_has_amounts_as_people_write_them() -> None:
    assert decide_start(budget(60, 41)).because == (
        "Not started: an attempt may cost 0.41 EUR, and 0.60 of the job's budget of 1.00 EUR are used."
    )


@pytest.mark.parametrize(
    "changes", [{}, {"error_class": "lost_lease"}, {"error_class": "bug"}, {"failures": 3}]
)
def test_within_the_budget_it_is_decided_as_without_one(changes: dict[str, Any]) -> None:
    given = FAILED | changes
    assert backoff_within(given | {"budget": budget(60, 40)}) == backoff(given)


@pytest.mark.parametrize("changes", [{}, {"error_class": "lost_lease", "losses": 1}, {"retry_after_us": 5}])
def test_beyond_the_budget_there_is_no_other_attempt(changes: dict[str, Any]) -> None:
    verdict = backoff_within(FAILED | changes | {"budget": budget(60, 41)})
    assert verdict.chosen == {"action": "fail"}
    assert verdict.because.startswith("Not tried again: an attempt may cost 0.41 EUR")


@pytest.mark.parametrize("changes", [{"error_class": "fatal"}, {"failures": 3}])
def test_what_fails_anyway_fails_for_its_own_reason(changes: dict[str, Any]) -> None:
    given = FAILED | changes
    assert backoff_within(given | {"budget": budget(60, 41)}) == backoff(given)
