"""No attempt starts unpaid, none is charged otherwise than by its price, and nobody can make it look so."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sheratan.engine.replay import replay
from sheratan.engine.verify import verify_lines
from sheratan.kernel.billing import reservation_id, settlement_id
from tests.journal.tamper import (
    changed,
    checked,
    forged,
    invariants,
    lines_of,
    reader_of,
    rechained,
    tables,
)

Entry = dict[str, Any]


def test_a_journal_with_prices_verifies_and_replays(billing_data: Path) -> None:
    assert checked(billing_data).problems == []
    reader = reader_of(billing_data)
    assert replay(reader).ok
    reader.close()


CHANGES = [
    ("UPDATE price SET amount = amount + 1 WHERE kind = 'count'", "J14", "price"),
    ("UPDATE price SET metered = 1 WHERE kind = 'count'", "J14", "price"),
    ("DELETE FROM price WHERE kind = 'count'", "J5", "price"),
    ("INSERT INTO price VALUES ('default', 'free', 'credits', 1, 0, 1, 0)", "J5", "price"),
    ("UPDATE charge SET metered = 1 WHERE number = 1", "J14", "charge"),
    ("UPDATE charge SET fence = fence + 1 WHERE number = 1", "J5", "charge"),
    ("DELETE FROM charge WHERE number = 1", "J5", "charge"),
    ("INSERT INTO charge VALUES (9, 9, 1, 0, NULL)", "J5", "charge"),
]


@pytest.mark.parametrize(("statement", "invariant", "table"), CHANGES)
def test_a_change_of_rows_is_found(billing_data: Path, statement: str, invariant: str, table: str) -> None:
    changed(billing_data, statement)
    found = checked(billing_data)
    assert table in tables(found.problems, invariant), found.problems


def about_attempts(entry: Entry) -> bool:
    return "attempts" in entry["data"]


def reserves(number: int) -> Callable[[Entry], bool]:
    """Whether an entry reserves what an attempt at a job may cost, the only one in it or the first."""

    def is_wanted(entry: Entry) -> bool:
        transfers = entry["decision"]["input"]["transfers"] if about_attempts(entry) else []
        return any(one["id"] == reservation_id(number, entry["data"]["attempts"][0][1]) for one in transfers)

    return is_wanted


def settles(number: int) -> Callable[[Entry], bool]:
    """Whether an entry settles an attempt at a job."""

    def is_wanted(entry: Entry) -> bool:
        if not about_attempts(entry):
            return False
        ids = {settlement_id(*told[:2]) for told in entry["data"]["attempts"] if told[0] == number}
        return any(one["id"] in ids for one in entry["decision"]["input"]["transfers"])

    return is_wanted


def is_price(kind: str) -> Callable[[Entry], bool]:
    return lambda entry: bool(entry["subject"] == f"price:{kind}")


def is_last_price(entry: Entry) -> bool:
    """Whether nothing starts by this price any more."""
    return bool(entry["data"].get("amount") == 90)


def is_lease(entry: Entry) -> bool:
    return bool(entry["type"] == "worker.leased")


def said(**changes: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["data"].update(changes)


def asked(**changes: Any) -> Callable[[Entry], None]:
    """Change the first transfer."""
    return lambda entry: entry["decision"]["input"]["transfers"][0].update(changes)


def moved(amount: int) -> Callable[[Entry], None]:
    """Another amount, asked for and moved."""

    def forge(entry: Entry) -> None:
        asked(amount=amount)(entry)
        entry["decision"]["chosen"][0][1] = amount

    return forge


def found_again(entry: Entry) -> None:
    entry["decision"]["chosen"][0][0] = "exists"


def without_attempts(entry: Entry) -> None:
    del entry["data"]["attempts"]


def of_another(entry: Entry) -> None:
    entry["data"]["attempts"][0][0] += 1


def reports_nothing(entry: Entry) -> None:
    del entry["data"]["attempts"][0][2]


def reports(entry: Entry) -> None:
    entry["data"]["attempts"][0].append(7)


def by_somebody(entry: Entry) -> None:
    entry["actor"] = "local:mallory"


def pays_for(attempts: int) -> Callable[[Entry], None]:
    def forge(entry: Entry) -> None:
        for limit in entry["decision"]["input"].get("limits", ()):
            if limit[3] is None:
                limit[2] = attempts

    return forge


def no_funds(entry: Entry) -> None:
    for lane in entry["decision"]["input"]["lanes"]:
        lane[3] = "no_funds"


FORGERIES: list[tuple[Callable[[Entry], bool], Callable[[Entry], None], str]] = [
    (is_price("count"), said(amount=51), "L14"),
    (is_price("count"), said(metered=True), "L10"),
    (is_price("report"), said(metered=False), "L10"),
    (is_price("count"), said(unit="tokens"), "L14"),
    (is_price("count"), said(amount=None), "L10"),
    (is_last_price, said(unit="tokens"), "L14"),
    (is_price("count"), lambda entry: entry.update(previous=1), "previous"),
    (reserves(1), moved(49), "L14"),
    (reserves(1), asked(id=reservation_id(77, 77)), "L14"),
    (reserves(1), asked(timeout_us=60_000_000), "L14"),
    (reserves(1), of_another, "L14"),
    (reserves(1), reports, "L14"),
    (reserves(1), by_somebody, "L10"),
    (reserves(1), without_attempts, "L10"),
    (reserves(1), found_again, "L10"),
    (settles(1), moved(49), "L10"),
    (settles(1), asked(id=settlement_id(77, 77)), "L10"),
    (settles(1), of_another, "L10"),
    (settles(1), reports, "L10"),
    (settles(1), by_somebody, "L10"),
    (settles(1), without_attempts, "L10"),
    (settles(2), asked(phase="post", amount=50), "L10"),
    (settles(3), moved(31), "L10"),
    (settles(3), reports_nothing, "L10"),
    (is_lease, pays_for(99), "L14"),
    (is_lease, no_funds, "L14"),
]


@pytest.mark.parametrize(("is_wanted", "forge", "invariant"), FORGERIES, ids=count())
def test_a_forged_entry_is_caught(
    billing_data: Path, is_wanted: Callable[[Entry], bool], forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(billing_data, is_wanted, forge)


def refused(entry: Entry) -> None:
    """As if the transfers had never been made: something else stands in their place."""
    entry |= {"type": "ledger.refused", "data": {}}


@pytest.mark.parametrize(("is_wanted", "invariant"), [(reserves(4), "L14"), (settles(1), "L10")])
def test_an_entry_that_is_made_another_one_is_missed(
    billing_data: Path, is_wanted: Callable[[Entry], bool], invariant: str
) -> None:
    assert invariant in forged(billing_data, is_wanted, refused)


def test_an_exported_journal_shows_by_the_next_start_that_something_was_not_reserved(
    billing_data: Path,
) -> None:
    def forge(entry: Entry) -> None:
        if about_attempts(entry) and entry["data"]["attempts"][0][0] == 1:
            refused(entry)

    found = verify_lines(rechained(lines_of(billing_data), forge))
    assert any("was to be reserved for job 1 " in problem.text for problem in found.problems), found.problems


def test_a_reservation_of_another_commit_is_caught(billing_data: Path) -> None:
    """Moved behind its start in time, as if the work had been begun first and paid for later."""

    def forge(entry: Entry) -> None:
        entry["at"] += 1
        entry["decision"]["input"]["now_us"] += 1

    assert "L14" in forged(billing_data, reserves(4), forge)


def test_only_rows_of_money_are_blamed_for_money(billing_data: Path) -> None:
    changed(billing_data, "UPDATE ledger_resolved SET amount = amount - 1 WHERE state = 'posted'")
    assert "L11" in invariants(checked(billing_data))
