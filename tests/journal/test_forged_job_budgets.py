"""Nobody can make it look as if a job had more left of its budget, or as if it had been decided otherwise."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sheratan.engine.replay import replay
from tests.journal.tamper import changed, checked, forged, reader_of, tables

Entry = dict[str, Any]
Change = Callable[[Entry], None]


def test_a_journal_with_budgets_of_jobs_verifies_and_replays(job_budgets_data: Path) -> None:
    assert checked(job_budgets_data).problems == []
    reader = reader_of(job_budgets_data)
    assert [tuple(row) for row in reader.job_budgets([1, 3, 4])] == [
        (1, "credits", 120), (1, "tokens", 1), (4, "credits", 130), (4, "tokens", 1),
    ]  # fmt: skip
    assert [reader.charged(number, "credits") for number in range(1, 6)] == [71, 0, 45, 20, 10]
    assert [reader.charged(number, "tokens") for number in (1, 4)] == [0, 0]
    found = replay(reader)
    assert found.ok
    assert {"retry.backoff@2", "job.budget@1"} <= found.counts.keys()
    reader.close()


CHANGES = [
    ("UPDATE job_budget SET amount = amount + 1 WHERE number = 1 AND unit = 'tokens'", "J14"),
    ("DELETE FROM job_budget WHERE number = 2 AND unit = 'credits'", "J5"),
    ("INSERT INTO job_budget VALUES (4, 'EUR', 5)", "J5"),
    ("INSERT INTO job_budget VALUES (3, 'credits', 5)", "J5"),
]


@pytest.mark.parametrize(("statement", "invariant"), CHANGES)
def test_a_change_of_rows_is_found(job_budgets_data: Path, statement: str, invariant: str) -> None:
    changed(job_budgets_data, statement)
    found = checked(job_budgets_data)
    assert "job_budget" in tables(found.problems, invariant), found.problems


def is_of(entry_type: str, rule: str = "") -> Callable[[Entry], bool]:
    def is_wanted(entry: Entry) -> bool:
        decided = entry.get("decision") or {"rule": ""}
        return bool(entry["type"] == entry_type) and str(decided["rule"]).startswith(rule)

    return is_wanted


def is_job(number: int) -> Callable[[Entry], bool]:
    return lambda entry: bool(entry["type"] == "job.submitted" and entry["data"]["number"] == number)


def budget(credits: int) -> Change:
    return lambda entry: entry["data"].update(budget=[["credits", credits], ["tokens", 1]])


def told(**changes: Any) -> Change:
    """Another input of the rule that looks at a budget."""

    def forge(entry: Entry) -> None:
        given = entry["decision"]["input"]
        (given["budget"] if isinstance(given["budget"], dict) else given).update(changes)

    return forge


def without_budget(entry: Entry) -> None:
    del entry["decision"]["input"]["budget"]
    entry["decision"]["rule"] = "retry.backoff@1"


def as_if_not_started(entry: Entry) -> None:
    """The end of an attempt is told as that of a job which was never started."""
    entry["decision"] |= {"rule": "job.budget@1", "input": entry["decision"]["input"]["budget"]}


NOT_AGAIN, AGAIN = is_of("job.failed", "retry.backoff@2"), is_of("job.retried", "retry.backoff@2")
NOT_STARTED = is_of("job.failed", "job.budget@")
FORGERIES: list[tuple[Callable[[Entry], bool], Change]] = [
    (is_job(1), budget(121)),
    (is_job(2), budget(45)),
    (is_job(4), budget(69)),
    (is_job(5), lambda entry: entry["data"].pop("budget")),
    (NOT_AGAIN, told(charged=70)),
    (NOT_AGAIN, told(price=51)),
    (NOT_AGAIN, told(scale=3)),
    (NOT_AGAIN, told(unit="tokens")),
    (NOT_AGAIN, as_if_not_started),
    (AGAIN, told(charged=11)),
    (AGAIN, told(charged=60)),
    (AGAIN, told(budget=1)),
    (AGAIN, without_budget),
    (NOT_STARTED, told(charged=1)),
    (NOT_STARTED, told(price=40)),
    (NOT_STARTED, told(budget=45)),
]


@pytest.mark.parametrize(("is_wanted", "forge"), FORGERIES, ids=count())
def test_a_forged_entry_is_caught(
    job_budgets_data: Path, is_wanted: Callable[[Entry], bool], forge: Change
) -> None:
    assert "L16" in forged(job_budgets_data, is_wanted, forge)


def test_a_price_that_was_raised_later_is_caught(job_budgets_data: Path) -> None:
    def is_raised(entry: Entry) -> bool:
        return bool(entry["type"] == "price.set" and entry["data"]["amount"] == 45)

    assert "L16" in forged(job_budgets_data, is_raised, lambda entry: entry["data"].update(amount=40))
