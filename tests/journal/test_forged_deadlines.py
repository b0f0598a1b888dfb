"""Nobody can make it look as if a job had more or less time than it had, or as if its deadline had been kept."""

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
SECOND_US = 1_000_000


def test_a_journal_with_deadlines_verifies_and_replays(deadlines_data: Path) -> None:
    assert checked(deadlines_data).problems == []
    reader = reader_of(deadlines_data)
    states = {row.number: row.state for row in reader.results(list(range(1, 12)))}
    assert states == {1: "failed", 2: "failed", 3: "failed", 4: "failed", 5: "succeeded", 8: "failed"}
    jobs = {row.number: row for row in reader.jobs(list(range(1, 11)))}
    # Of the children of job 6 the first would have had more time, and the last had none of its own.
    assert jobs[6].deadline_us == jobs[7].deadline_us == jobs[9].deadline_us > jobs[8].deadline_us
    found = replay(reader)
    assert found.ok
    assert {"retry.backoff@3", "job.timeout@1"} <= found.counts.keys()
    reader.close()


CHANGES = [
    ("UPDATE job SET deadline_us = deadline_us + 1 WHERE number = 1", "J14", "job"),
    ("UPDATE job SET deadline_us = 0 WHERE number = 5", "J14", "job"),
    ("UPDATE job SET deadline_after_us = 5 WHERE number = 6", "J14", "job"),
    ("DELETE FROM alarm WHERE number = 7", "J5", "alarm"),
    ("DELETE FROM alarm WHERE number = 10", "J5", "alarm"),
    ("UPDATE alarm SET due_us = due_us + 1 WHERE number = 9", "E2", "alarm"),
    ("UPDATE alarm SET due_us = due_us - 1 WHERE number = 9", "J5", "alarm"),
]


@pytest.mark.parametrize(("statement", "invariant", "table"), CHANGES)
def test_a_change_of_rows_is_found(deadlines_data: Path, statement: str, invariant: str, table: str) -> None:
    changed(deadlines_data, statement)
    found = checked(deadlines_data)
    assert table in tables(found.problems, invariant), found.problems


def is_of(entry_type: str, rule: str) -> Callable[[Entry], bool]:
    def is_wanted(entry: Entry) -> bool:
        decided = entry.get("decision") or {"rule": ""}
        return bool(entry["type"] == entry_type and str(decided["rule"]).startswith(rule))

    return is_wanted


def is_job(number: int) -> Callable[[Entry], bool]:
    return lambda entry: bool(entry["type"] == "job.submitted" and entry["data"]["number"] == number)


def data(**changes: Any) -> Change:
    """A job that comes in with other facts; None takes one away."""

    def forge(entry: Entry) -> None:
        for name, value in changes.items():
            if value is None:
                del entry["data"][name]
            else:
                entry["data"][name] += value

    return forge


def told(**changes: int) -> Change:
    """Another input of the rule, by so much."""

    def forge(entry: Entry) -> None:
        given = entry["decision"]["input"]
        given.update({name: given[name] + change for name, change in changes.items()})

    return forge


def untold(entry: Entry) -> None:
    """The rule was not told that there is a deadline."""
    del entry["decision"]["input"]["left_us"]
    entry["decision"]["rule"] = "retry.backoff@1"


def of_the_queue(entry: Entry) -> None:
    """A job is said to have waited in its queue for too long."""
    entry["decision"]["input"]["what"] = "queue"


def earlier(entry: Entry) -> None:
    """A job fails a second before its deadline, and says so."""
    told(elapsed_us=-SECOND_US)(entry)


FAILS, TIMED_OUT = is_of("job.failed", "job.timeout@"), is_of("job.timed_out", "job.timeout@")
AGAIN, NOT_AGAIN = is_of("job.retried", "retry.backoff@3"), is_of("job.failed", "retry.backoff@3")
FORGERIES: list[tuple[Callable[[Entry], bool], Change, str]] = [
    (is_job(1), data(deadline_us=1), "E19"),
    (is_job(1), data(deadline_us=-1), "E19"),
    (is_job(2), data(deadline_us=None), "E19"),
    (is_job(2), data(deadline_us=None, deadline_after_us=None), "E19"),
    # By this it was started at its deadline.
    (is_job(5), data(deadline_us=-59 * SECOND_US, deadline_after_us=-59 * SECOND_US), "E19"),
    (is_job(7), data(deadline_us=30 * SECOND_US), "E19"),
    (is_job(8), data(deadline_us=30 * SECOND_US, deadline_after_us=30 * SECOND_US), "E19"),
    (is_job(9), data(deadline_us=None), "E19"),
    (FAILS, told(limit_us=-1), "E19"),
    (FAILS, told(limit_us=SECOND_US), "E8"),
    (FAILS, earlier, "E8"),
    (FAILS, of_the_queue, "E8"),
    (TIMED_OUT, told(elapsed_us=SECOND_US), "E19"),
    (TIMED_OUT, earlier, "E19"),
    (NOT_AGAIN, told(left_us=1), "E19"),
    (NOT_AGAIN, untold, "E19"),
    (AGAIN, told(left_us=-1), "E19"),
    (AGAIN, lambda entry: entry["decision"]["chosen"].update(delay_us=900 * SECOND_US), "E19"),
]


@pytest.mark.parametrize(("is_wanted", "forge", "invariant"), FORGERIES, ids=count())
def test_a_forged_entry_is_caught(
    deadlines_data: Path, is_wanted: Callable[[Entry], bool], forge: Change, invariant: str
) -> None:
    assert invariant in forged(deadlines_data, is_wanted, forge)
