"""What may not be archived, as the tables say it."""

from __future__ import annotations

import pytest

from sheratan.store.port_archive import Needed
from sheratan.store.sqlite.store import SqliteStore
from tests.store.support import opened

JOB = (
    "INSERT INTO job VALUES ({number}, 1, 1, 5, {at}, 1, 1, 1, 1, 0, 'cancel', {parent}, NULL, NULL, NULL, 1, NULL,"
    " 0, 0)"
)
PRUNED = "INSERT INTO pruned VALUES ({number}, 1, 1, {at}, {parent}, 'succeeded', 9, 9, 9, 0, 0, 0, 0)"
RUN = "INSERT INTO run (number, salt, tenant, workflow, version, plan, created_us, due_us, started_by)"


def jobs(store: SqliteStore, *rows: tuple[int, str]) -> None:
    """Jobs with numbers from 1 on, submitted at 100 for each number, each by the one that is named."""
    for number, (parent, table) in enumerate(((row[0] or "NULL", row[1]) for row in rows), 1):
        store._connection.execute(table.format(number=number, at=number * 100, parent=parent))


def test_nothing_is_needed_of_what_has_ended() -> None:
    store = opened()
    jobs(store, (0, JOB), (1, JOB), (1, PRUNED))
    assert store.oldest_needed() == Needed(None, None)


@pytest.mark.parametrize(
    "place",
    [
        "INSERT INTO ready (lane, priority, number, attempt, losses, since_us, entry) VALUES (1, 5, 2, 1, 0, 1, 1)",
        "INSERT INTO timer (due_us, number, what, attempt, losses, since_us, entry) VALUES (1, 2, 1, 1, 0, 1, 1)",
        "INSERT INTO lease (number, attempt, losses, fence, session, leased_us, cancel_us, entry)"
        " VALUES (2, 1, 0, 1, 1, 1, 0, 1)",
        "INSERT INTO blocked (number, missing, failed, due_us, since_us, entry) VALUES (2, 1, 0, 1, 1, 1)",
    ],
)
def test_an_open_job_needs_what_has_been_since_it_came_in(place: str) -> None:
    store = opened()
    jobs(store, (0, JOB), (0, JOB), (0, JOB))
    store._connection.execute(place)
    assert store.oldest_needed() == Needed(200, None)


@pytest.mark.parametrize("first", [JOB, PRUNED])
def test_an_open_job_needs_the_first_of_those_that_it_descends_from(first: str) -> None:
    store = opened()
    jobs(store, (0, JOB), (0, first), (2, PRUNED), (3, JOB))
    store._connection.execute(
        "INSERT INTO blocked (number, missing, failed, due_us, since_us, entry) VALUES (4, 1, 0, 1, 1, 1)"
    )
    assert store.oldest_needed() == Needed(200, None)


def test_an_open_run_a_bulk_operation_that_goes_on_and_a_pause_need_their_entries() -> None:
    store = opened()
    run = store._connection.execute
    for number in (1, 2):
        run(f"{RUN} VALUES ({number}, 1, 't', 'w', x'00', x'00', {number * 100}, 0, 'a')")
    run("INSERT INTO run_open VALUES (2, 'running', '', 0, 0, 1, 1)")
    assert store.oldest_needed() == Needed(200, None)
    run("INSERT INTO bulk VALUES (3, 0, 0, 7), (40, 0, 0, NULL)")
    assert store.oldest_needed() == Needed(200, 40)
    columns = "tenant, subject, paused, reason, concurrency, rate_count, rate_period_us, rate_burst, weight, declared"
    flow = f"INSERT INTO flow ({columns}, entry)"
    run(
        f"{flow} VALUES ('t', 'queue:a', 30, '', 0, 0, 0, 0, 1, 0, 30), ('t', 'queue:b', 0, '', 0, 0, 0, 0, 1, 0, 5)"
    )
    assert store.oldest_needed() == Needed(200, 30)
