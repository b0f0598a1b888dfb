"""The rule of alerts, and that each of them has a page."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from sheratan.contracts.alerts import ALERT_MEANINGS, AlertRuleName, AlertRules, runbook_page
from sheratan.kernel.alerting import alert_subject, decide_alert, rule_of
from tools.source_tree import ROOT


@pytest.mark.parametrize(
    ("is_open", "value", "held_us", "chosen"),
    [
        (False, 9, 1_000, "keep"),
        (False, 10, 999, "keep"),
        (False, 10, 1_000, "raise"),
        (False, 99, 1_001, "raise"),
        (True, 10, 1_000, "keep"),
        (True, 9, 999, "keep"),
        (True, 9, 1_000, "clear"),
        (True, 0, 1_001, "clear"),
    ],
)
def test_what_has_lasted_changes_an_alert_and_nothing_else_does(
    *, is_open: bool, value: int, held_us: int, chosen: str
) -> None:
    given: dict[str, Any] = {
        "open": is_open,
        "value": value,
        "threshold": 10,
        "held_us": held_us,
        "hold_us": 1_000,
    }
    verdict = decide_alert(given)
    assert verdict.chosen == chosen
    assert str(value) in verdict.because


@pytest.mark.parametrize("name", get_args(AlertRuleName))
def test_every_rule_has_a_meaning_and_a_page_that_names_it(name: AlertRuleName) -> None:
    assert hasattr(AlertRules(), name)
    assert ALERT_MEANINGS[name][1]
    page = (ROOT / runbook_page(name)).read_text("utf-8")
    assert f"Alert `{name}`" in page
    for part in ("## What it means", "## What to do", "## How it clears"):
        assert part in page


def test_a_subject_says_which_rule_it_is_of() -> None:
    assert alert_subject("commit", "") == "alert:commit"
    assert alert_subject("queue_age", "queue:a") == "alert:queue_age/queue:a"
    assert {rule_of("alert:commit"), rule_of("alert:queue_age/queue:a")} == {"commit", "queue_age"}
