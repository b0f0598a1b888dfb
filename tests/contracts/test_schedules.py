"""What a schedule may say, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.jobs import Options, Submission
from sheratan.contracts.schedules import (
    CRON_LENGTH_MAX,
    EVERY_SECONDS_MAX,
    JITTER_SECONDS_MAX,
    MISSED_MAX,
    Schedule,
    check_schedule,
)
from sheratan.contracts.values import INTEGER_MAX, convert

REPORT = Submission(kind="report", input={"of": "sales"})


def schedule(**changed: Any) -> Schedule:
    given: dict[str, Any] = {"name": "nightly", "submission": REPORT, "cron": "30 3 * * *"}
    return Schedule(**{name: value for name, value in (given | changed).items() if value is not None})


def refusal(**changed: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        check_schedule(schedule(**changed))
    return refused.value


def test_the_defaults_of_a_schedule() -> None:
    made = schedule()
    assert (made.zone, made.missed, made.missed_max, made.overlap) == ("UTC", "once", 100, "queue")
    assert (made.jitter_seconds, made.starts_us, made.ends_us, made.description) == (0, None, None, "")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"zone": "Europe/Berlin"},
        {"zone": "America/Argentina/Buenos_Aires"},
        {"zone": "Etc/GMT+5"},
        {"cron": None, "every_seconds": 1},
        {"cron": None, "every_seconds": 0.1 + 0.9, "jitter_seconds": 1},
        {"cron": None, "every_seconds": EVERY_SECONDS_MAX},
        {"cron": None, "at_us": 0},
        {"cron": None, "at_us": INTEGER_MAX, "jitter_seconds": JITTER_SECONDS_MAX},
        {"starts_us": 5, "ends_us": 5},
        {"missed": "all", "missed_max": MISSED_MAX, "overlap": "cancel_previous"},
        {"missed": "skip", "overlap": "skip", "description": "d" * 1_000},
        {"submission": Submission(kind="k", options=Options(priority=9, delay_seconds=1.5))},
    ],
)
def test_a_good_schedule_is_given_back_as_it_is(changed: dict[str, Any]) -> None:
    assert check_schedule(schedule(**changed)) == schedule(**changed)


@pytest.mark.parametrize(
    ("changed", "field", "says"),
    [
        ({"cron": None}, "cron", "give one of cron, every_seconds and at_us"),
        ({"every_seconds": 60}, "every_seconds", "leave the other out"),
        ({"at_us": 1}, "at_us", "leave the other out"),
        ({"cron": None, "every_seconds": 60, "at_us": 1}, "at_us", "given beside every_seconds"),
        ({"cron": None, "every_seconds": 60, "zone": "Europe/Berlin"}, "zone", "every_seconds is not"),
        ({"cron": None, "at_us": 1, "zone": "Europe/Berlin"}, "zone", "leave it out"),
        ({"cron": None, "at_us": 1, "starts_us": 1}, "starts_us", "leave it out"),
        ({"cron": None, "at_us": 1, "ends_us": 1}, "ends_us", "leave it out"),
        ({"starts_us": 6, "ends_us": 5}, "ends_us", "give a later end"),
        ({"cron": None, "every_seconds": 60, "jitter_seconds": 61}, "jitter_seconds", "give 60 at most"),
        (
            {"submission": Submission(kind="k", options=Options(key="mine"))},
            "submission.options.key",
            "leave the key out",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_with_the_way_out(
    changed: dict[str, Any], field: str, says: str
) -> None:
    refused = refusal(**changed)
    assert refused.field == field
    assert says in refused.detail


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"cron": ""}, "cron"),
        ({"cron": "*" * (CRON_LENGTH_MAX + 1)}, "cron"),
        ({"zone": ""}, "zone"),
        ({"zone": "../etc/passwd"}, "zone"),
        ({"zone": "/etc/passwd"}, "zone"),
        ({"zone": "Europe//Berlin"}, "zone"),
        ({"zone": "Z" * 65}, "zone"),
        ({"cron": None, "every_seconds": 0.999}, "every_seconds"),
        ({"cron": None, "every_seconds": EVERY_SECONDS_MAX + 1}, "every_seconds"),
        ({"cron": None, "every_seconds": float("nan")}, "every_seconds"),
        ({"cron": None, "every_seconds": float("inf")}, "every_seconds"),
        ({"cron": None, "at_us": -1}, "at_us"),
        ({"cron": None, "at_us": INTEGER_MAX + 1}, "at_us"),
        ({"jitter_seconds": -1}, "jitter_seconds"),
        ({"jitter_seconds": JITTER_SECONDS_MAX + 1}, "jitter_seconds"),
        ({"jitter_seconds": float("nan")}, "jitter_seconds"),
        ({"missed": "never"}, "missed"),
        ({"missed_max": 0}, "missed_max"),
        ({"missed_max": MISSED_MAX + 1}, "missed_max"),
        ({"missed": "skip", "missed_max": 3}, "missed_max"),
        ({"overlap": "wait"}, "overlap"),
        ({"starts_us": -1}, "starts_us"),
        ({"ends_us": INTEGER_MAX + 1}, "ends_us"),
        ({"description": "d" * 1_001}, "description"),
        ({"submission": Submission(kind="k", options=Options(priority=10))}, "submission.options.priority"),
        ({"submission": Submission(kind="k", input={"a": {1: 2}})}, "submission.input/a"),
        ({"submission": Submission(kind="k", input=object())}, "submission.input"),
    ],
)
def test_a_value_that_is_not_as_its_type_says_is_refused_by_field(
    changed: dict[str, Any], field: str
) -> None:
    assert refusal(**changed).field == field


def test_what_cannot_be_written_as_json_is_refused() -> None:
    assert refusal(description=object()).field == "schedule"


def test_an_unknown_field_is_refused() -> None:
    given = {"name": "a", "submission": {"kind": "k"}, "cron": "* * * * *", "crom": 1}
    with pytest.raises(InvalidInput, match="crom"):
        convert(given, Schedule)
