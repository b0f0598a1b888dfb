"""Nobody can make it look as if a run had more left of its budget, or as if others had spent for it."""

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


def test_a_journal_with_budgets_of_runs_verifies_and_replays(run_budgets_data: Path) -> None:
    assert checked(run_budgets_data).problems == []
    reader = reader_of(run_budgets_data)
    assert [tuple(row) for row in reader.run_budgets(list(range(1, 6)))] == [
        (1, "credits", 120, 0, 71), (1, "tokens", 5, 0, 0), (2, "credits", 60, 0, 30), (3, "credits", 500, 0, 30),
        (4, "credits", 500, 0, 0), (5, "credits", 99, 95, 0),
    ]  # fmt: skip
    assert [tuple(row) for row in reader.run_spenders(list(range(1, 9)))] == [
        (1, 1), (2, 1), (3, 1), (4, 2), (4, 3), (5, 2), (5, 4), (6, 5), (7, 5), (8, 5),
    ]  # fmt: skip
    found = replay(reader)
    assert found.ok
    assert found.counts["workflow.budget@1"].decisions == 3
    reader.close()


CHANGES = [
    ("UPDATE run_budget SET amount = amount + 1 WHERE run = 1 AND unit = 'tokens'", "run_budget", "J14"),
    ("UPDATE run_budget SET charged = 70 WHERE run = 1 AND unit = 'credits'", "run_budget", "J14"),
    ("UPDATE run_budget SET reserved = 94 WHERE run = 5", "run_budget", "J14"),
    ("DELETE FROM run_budget WHERE run = 5", "run_budget", "J5"),
    ("INSERT INTO run_budget VALUES (5, 'EUR', 5, 0, 0)", "run_budget", "J5"),
    ("INSERT INTO run_budget VALUES (77, 'EUR', 5, 0, 0)", "run_budget", "J5"),
    ("DELETE FROM run_spender WHERE number = 7", "run_spender", "J5"),
    ("INSERT INTO run_spender VALUES (7, 1)", "run_spender", "J5"),
    ("INSERT INTO run_spender VALUES (77, 1)", "run_spender", "J5"),
]


@pytest.mark.parametrize(("statement", "table", "invariant"), CHANGES)
def test_a_change_of_rows_is_found(
    run_budgets_data: Path, statement: str, table: str, invariant: str
) -> None:
    changed(run_budgets_data, statement)
    found = checked(run_budgets_data)
    assert table in tables(found.problems, invariant), found.problems


def is_of(entry_type: str, rule: str = "") -> Callable[[Entry], bool]:
    def is_wanted(entry: Entry) -> bool:
        decided = entry.get("decision") or {"rule": ""}
        return bool(entry["type"] == entry_type) and str(decided["rule"]).startswith(rule)

    return is_wanted


def is_new(kind: str, number: int) -> Callable[[Entry], bool]:
    return lambda entry: bool(entry["type"] == f"{kind}.{MADE[kind]}" and entry["data"]["number"] == number)


def told(**changes: Any) -> Change:
    """Another input of the rule that looks at a budget."""
    return lambda entry: entry["decision"]["input"].update(changes)


def says(**changes: Any) -> Change:
    return lambda entry: entry["data"].update(changes)


def out_of_time(entry: Entry) -> None:
    """A run that was out of funds is told to have been stopped for another reason."""
    entry["data"]["ending"] = "out_of_time"
    entry["decision"]["input"] |= {"limit_us": 1, "elapsed_us": 2}


MADE = {"workflow": "started", "job": "submitted"}
STOPPED, NOT_STARTED = is_of("workflow.stopping", "workflow.budget@"), is_of("job.failed", "workflow.budget@")
FORGERIES: list[tuple[Callable[[Entry], bool], Change]] = [
    (is_new("workflow", 1), says(spend=[["credits", 121], ["tokens", 5]])),
    (is_new("workflow", 1), lambda entry: entry["data"].pop("spend")),
    (is_new("workflow", 2), says(spend=[["credits", 49]])),
    (is_new("workflow", 5), says(spend=[["credits", 94]])),
    (is_new("job", 1), lambda entry: entry["data"].pop("spends_for")),
    (is_new("job", 4), says(spends_for=[2])),
    (is_new("job", 7), lambda entry: entry["data"].pop("spends_for")),
    (is_new("job", 7), says(spends_for=[1])),
    (STOPPED, told(charged=70)),
    (STOPPED, told(charged=10)),
    (STOPPED, told(reserved=1)),
    (STOPPED, told(price=51)),
    (STOPPED, told(budget=119)),
    (STOPPED, told(scale=3)),
    (STOPPED, told(unit="tokens")),
    (STOPPED, out_of_time),
    (NOT_STARTED, told(reserved=96)),
    (NOT_STARTED, told(reserved=1)),
    (NOT_STARTED, told(price=44)),
]


@pytest.mark.parametrize(("is_wanted", "forge"), FORGERIES, ids=count())
def test_a_forged_entry_is_caught(
    run_budgets_data: Path, is_wanted: Callable[[Entry], bool], forge: Change
) -> None:
    assert "L16" in forged(run_budgets_data, is_wanted, forge)


def test_a_run_that_is_out_of_funds_without_being_told_of_a_budget_is_caught(run_budgets_data: Path) -> None:
    def forge(entry: Entry) -> None:
        entry["decision"] |= {"rule": "workflow.stop@1"}

    assert "L16" in forged(run_budgets_data, STOPPED, forge)
