"""No worker gets another share than follows from what it has done, and none is charged for without its share."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sheratan.engine.replay import replay
from sheratan.engine.verify import verify_lines
from sheratan.kernel.billing import is_payout, payout_id
from sheratan.kernel.ledger_facts import transfer_bytes
from tests.journal.tamper import changed, checked, forged, lines_of, reader_of, rechained, tables

Entry = dict[str, Any]


def test_a_journal_with_shares_verifies_and_replays(shares_data: Path) -> None:
    assert checked(shares_data).problems == []
    reader = reader_of(shares_data)
    assert replay(reader).ok
    assert [(row.account, row.attempts) for row in reader.reliabilities()] == [("worker:w", 6)]
    reader.close()


CHANGES = [
    ("UPDATE price SET worker_share = 0 WHERE kind = 'count'", "J14", "price"),
    ("UPDATE charge SET worker = NULL WHERE number = 1", "J14", "charge"),
    ("UPDATE charge SET worker = 'worker:evil' WHERE number = 1", "J14", "charge"),
    ("UPDATE reliability SET success = success + 1", "J14", "reliability"),
    ("UPDATE reliability SET latency = latency - 1", "J14", "reliability"),
    ("UPDATE reliability SET attempts = attempts + 1", "J14", "reliability"),
    ("DELETE FROM reliability", "J5", "reliability"),
    ("INSERT INTO reliability VALUES ('default', 'worker:evil', 'credits', 8000, 0, 9)", "J5", "reliability"),
]


@pytest.mark.parametrize(("statement", "invariant", "table"), CHANGES)
def test_a_change_of_rows_is_found(shares_data: Path, statement: str, invariant: str, table: str) -> None:
    changed(shares_data, statement)
    found = checked(shares_data)
    assert table in tables(found.problems, invariant), found.problems


def shares(number: int) -> Callable[[Entry], bool]:
    """Whether an entry decides about the share in what a job was charged."""

    def is_wanted(entry: Entry) -> bool:
        return entry["type"] == "ledger.shared" and number in [told[0] for told in entry["data"]["attempts"]]

    return is_wanted


def pays(number: int) -> Callable[[Entry], bool]:
    """Whether an entry pays out the share in what a job was charged, or was to."""

    def is_wanted(entry: Entry) -> bool:
        if "shared" not in entry["data"]:
            return False
        return number in [told[0] for told in entry["data"]["attempts"]]

    return is_wanted


def payout_in(entry: Entry) -> int:
    """The place of the first share."""
    asked = entry["decision"]["input"]["transfers"]
    return next(place for place, one in enumerate(asked) if is_payout(transfer_bytes(one["id"])))


def input_of(place: int, value: Any) -> Callable[[Entry], None]:
    """Change what the decision was told of the first share."""

    def forge(entry: Entry) -> None:
        entry["decision"]["input"]["shares"][0][place] = value

    return forge


def chosen(place: int, change: int) -> Callable[[Entry], None]:
    def forge(entry: Entry) -> None:
        entry["decision"]["chosen"][0][place] += change

    return forge


def payout(**changes: Any) -> Callable[[Entry], None]:
    """Change the transfer of the first share."""

    def forge(entry: Entry) -> None:
        entry["decision"]["input"]["transfers"][payout_in(entry)].update(changes)

    return forge


def paid_more(entry: Entry) -> None:
    place = payout_in(entry)
    entry["decision"]["input"]["transfers"][place]["amount"] += 1
    entry["decision"]["chosen"][place][1] += 1


def without_payout(entry: Entry) -> None:
    """As if what was charged had been all."""
    place = payout_in(entry)
    for told in (
        entry["decision"]["input"]["transfers"],
        entry["decision"]["chosen"],
        entry["data"]["attempts"],
    ):
        del told[place]


def kept_back(entry: Entry) -> None:
    entry["decision"]["chosen"][payout_in(entry)] = ["account_closed", "credit"]


def settlement_refused(entry: Entry) -> None:
    entry["decision"]["chosen"][payout_in(entry) - 1] = ["account_closed", "credit"]


def of_another(entry: Entry) -> None:
    entry["data"]["attempts"][payout_in(entry)][0] += 1


def by_another(entry: Entry) -> None:
    entry["data"]["shared"] -= 1


def never_shared(entry: Entry) -> None:
    entry |= {"type": "ledger.refused", "data": {}}


def by_somebody(entry: Entry) -> None:
    entry["actor"] = "local:mallory"


def of_fewer(entry: Entry) -> None:
    """Of the first attempt nothing is shared."""
    for told in (
        entry["decision"]["input"]["shares"],
        entry["decision"]["chosen"],
        entry["data"]["attempts"],
    ):
        del told[0]


def of_none(entry: Entry) -> None:
    entry["data"]["attempts"][0][0] += 70


def is_price(entry: Entry) -> bool:
    return bool(entry["subject"] == "price:count")


def unshared(entry: Entry) -> None:
    del entry["data"]["worker_share"]


def succeeds_after_all(entry: Entry) -> None:
    entry["data"]["error"]["class"] = "lost_lease"


def is_failure(entry: Entry) -> bool:
    return bool(entry["type"] == "job.failed")


FORGERIES: list[tuple[Callable[[Entry], bool], Callable[[Entry], None], str]] = [
    (shares(1), input_of(0, "worker:evil"), "L10"),
    (shares(1), input_of(1, "tokens"), "L10"),
    (shares(1), input_of(2, 51), "L10"),
    (shares(1), input_of(3, 1_000), "L10"),
    (shares(4), input_of(3, 1_000), "L10"),
    (shares(4), input_of(4, 0), "L10"),
    (shares(1), chosen(0, -1), "L10"),
    (shares(1), chosen(1, 1), "L10"),
    (shares(1), by_somebody, "L10"),
    (shares(1), lambda entry: entry.update(previous=1), "previous"),
    (shares(1), of_fewer, "L10"),
    (shares(1), of_none, "L10"),
    (shares(1), never_shared, "L10"),
    (pays(1), paid_more, "L10"),
    (pays(1), payout(id=payout_id(77, 77)), "L10"),
    (pays(1), payout(debit=2), "L10"),
    (pays(1), without_payout, "L10"),
    (pays(4), without_payout, "L10"),
    (pays(1), kept_back, "L10"),
    (pays(1), settlement_refused, "L10"),
    (pays(1), of_another, "L10"),
    (pays(1), by_another, "L10"),
    (is_price, unshared, "L10"),
    (is_failure, succeeds_after_all, "L10"),
]


@pytest.mark.parametrize(("is_wanted", "forge", "invariant"), FORGERIES, ids=count())
def test_a_forged_entry_is_caught(
    shares_data: Path, is_wanted: Callable[[Entry], bool], forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(shares_data, is_wanted, forge)


def test_an_exported_journal_shows_that_a_share_was_not_paid_out(shares_data: Path) -> None:
    """By the next start, with nothing but the entries."""

    def forge(entry: Entry) -> None:
        if pays(1)(entry):
            without_payout(entry)

    found = verify_lines(rechained(lines_of(shares_data), forge))
    assert any("was to be shared, and was not" in problem.text for problem in found.problems), found.problems
