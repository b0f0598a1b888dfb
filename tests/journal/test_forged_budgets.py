"""No attempt starts that goes over a budget, and nobody can make it look as if less had been spent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sheratan.engine.replay import replay
from tests.journal.tamper import changed, checked, forged, reader_of, tables

Entry = dict[str, Any]


def test_a_journal_with_budgets_verifies_and_replays(budgets_data: Path) -> None:
    assert checked(budgets_data).problems == []
    reader = reader_of(budgets_data)
    assert [(row.subject, row.reserved, row.charged) for row in reader.budgets()] == [
        ("kind:count", 100, 200),
        ("kind:report", 0, 0),
        ("partition:acme", 50, 0),
        ("queue:other", 0, 0),
        ("tenant:default", 100, 50),
    ]
    assert replay(reader).ok
    reader.close()


CHANGES = [
    ("UPDATE budget SET amount = amount + 1 WHERE subject = 'kind:count'", "J14", "budget"),
    ("UPDATE budget SET charged = charged - 50 WHERE subject = 'kind:count'", "J14", "budget"),
    ("UPDATE budget SET reserved = 0 WHERE subject = 'tenant:default'", "J14", "budget"),
    ("UPDATE budget SET reserved = 0 WHERE subject = 'partition:acme'", "J14", "budget"),
    ("UPDATE budget SET ends_us = ends_us + 1 WHERE subject = 'tenant:default'", "J14", "budget"),
    ("UPDATE budget SET since = since + 1 WHERE subject = 'tenant:default'", "J14", "budget"),
    ("UPDATE budget SET per = 'hour' WHERE subject = 'tenant:default'", "J14", "budget"),
    ("DELETE FROM budget WHERE subject = 'queue:other'", "J5", "budget"),
    ("INSERT INTO budget VALUES ('default', 'kind:x', 'credits', NULL, 1, 1, 1, NULL, 0, 0)", "J5", "budget"),
]


@pytest.mark.parametrize(("statement", "invariant", "table"), CHANGES)
def test_a_change_of_rows_is_found(budgets_data: Path, statement: str, invariant: str, table: str) -> None:
    changed(budgets_data, statement)
    found = checked(budgets_data)
    assert table in tables(found.problems, invariant), found.problems


def is_budget(subject: str, amount: int | None = None) -> Callable[[Entry], bool]:
    def is_wanted(entry: Entry) -> bool:
        is_amount = amount is None or entry["data"].get("amount") == amount
        return bool(entry["subject"] == f"budget:{subject}/credits") and is_amount

    return is_wanted


def is_lease(entry: Entry) -> bool:
    return bool(entry["type"] == "worker.leased")


def said(**changes: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["data"].update(changes)


def has_left(attempts: int) -> Callable[[Entry], None]:
    def forge(entry: Entry) -> None:
        for limit in entry["decision"]["input"].get("limits", ()):
            if limit[0].startswith("budget:"):
                limit[2] = attempts

    return forge


def of_another(entry: Entry) -> None:
    for limit in entry["decision"]["input"].get("limits", ()):
        limit[0] = limit[0].replace("budget:kind:count", "budget:kind:report")


def of_another_partition(entry: Entry) -> None:
    for limit in entry["decision"]["input"].get("limits", ()):
        limit[0] = limit[0].replace("budget:partition:acme", "budget:partition:else")


def of_no_member(entry: Entry) -> None:
    """A name for who is held up that is not the one that its budget is for."""
    for one in entry["decision"]["input"].get("partitions", ()):
        one[2] = "else" if one[2] == "acme" else one[2]


def of_a_lane_that_is_none(entry: Entry) -> None:
    for limit in entry["decision"]["input"].get("limits", ()):
        limit[1] = [-99, 99]


def all_lanes(state: str) -> Callable[[Entry], None]:
    def forge(entry: Entry) -> None:
        for lane in entry["decision"]["input"]["lanes"]:
            lane[3] = state

    return forge


FORGERIES: list[tuple[Callable[[Entry], bool], Callable[[Entry], None], str]] = [
    (is_budget("tenant:default"), said(amount=149), "L16"),
    (is_budget("tenant:default"), said(amount=5_000), "L16"),
    (is_budget("tenant:default"), said(per="hour"), "L16"),
    (is_budget("kind:count", 1_000), said(amount=None), "L16"),
    (is_budget("kind:report"), said(amount=50), "L16"),
    (is_budget("kind:count", 900), lambda entry: entry.update(previous=1), "previous"),
    (is_lease, has_left(99), "L16"),
    (is_lease, of_another, "L16"),
    (is_lease, of_another_partition, "L16"),
    (is_lease, of_no_member, "L16"),
    (is_lease, of_a_lane_that_is_none, "L16"),
    (is_budget("partition:acme"), said(amount=40), "L16"),
    (is_budget("partition:acme"), said(amount=500), "L16"),
    (is_lease, all_lanes("no_budget"), "L16"),
]


@pytest.mark.parametrize(("is_wanted", "forge", "invariant"), FORGERIES, ids=count())
def test_a_forged_entry_is_caught(
    budgets_data: Path, is_wanted: Callable[[Entry], bool], forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(budgets_data, is_wanted, forge)


def test_a_start_that_goes_over_a_budget_is_caught_whatever_its_decision_was_told(budgets_data: Path) -> None:
    def forge(entry: Entry) -> None:
        if is_lease(entry):
            given = entry["decision"]["input"]
            given["limits"] = [limit for limit in given["limits"] if not limit[0].startswith("budget:")]
        else:
            entry["data"]["amount"] = 149

    def is_wanted(entry: Entry) -> bool:
        return is_lease(entry) or is_budget("tenant:default")(entry)

    assert "L16" in forged(budgets_data, is_wanted, forge)
