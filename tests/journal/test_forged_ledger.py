"""Nobody moves anything behind the journal's back, and no entry tells of what the rules of the ledger forbid."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import pytest

from sheratan.contracts.ledger import AMOUNT_MAX
from sheratan.engine.replay import replay
from sheratan.engine.verify import verify_lines
from tests.engine.booking import tid
from tests.journal.tamper import Hands, changed, checked, forged, invariants, reader_of, rechained, tables

Entry = dict[str, Any]


def test_a_journal_with_a_ledger_verifies_and_replays(ledger_data: Path) -> None:
    found = checked(ledger_data)
    assert found.problems == []
    reader = reader_of(ledger_data)
    assert reader.ledger_findings() == []
    assert replay(reader).ok
    reader.close()


CHANGES = [
    (
        "UPDATE ledger_balance SET credits_posted = credits_posted + 1 WHERE number = 2",
        "J14",
        "ledger_account",
    ),
    ("UPDATE ledger_balance SET debits_posted = debits_posted - 1 WHERE number = 2", "L11", "ledger"),
    ("UPDATE ledger_balance SET debits_pending = 0 WHERE number = 2", "L11", "ledger"),
    ("UPDATE ledger_balance SET closed_by = NULL WHERE number = 3", "J14", "ledger_account"),
    ("UPDATE ledger_balance SET closed_by = x'0102' WHERE number = 3", "L11", "ledger"),
    ("UPDATE ledger_balance SET entry = 1 WHERE number = 2", "J14", "ledger_account"),
    ("DELETE FROM ledger_balance WHERE number = 2", "L11", "ledger"),
    ("DELETE FROM ledger_balance WHERE number = 2", "J5", "ledger_account"),
    ("UPDATE ledger_account SET scale = 3 WHERE number = 2", "J14", "ledger_account"),
    ("UPDATE ledger_account SET scale = 3 WHERE number = 2", "L11", "ledger"),
    ("UPDATE ledger_account SET name = 'tenant:evil' WHERE number = 2", "J14", "ledger_account"),
    ("UPDATE ledger_account SET tenant = 'evil' WHERE number = 2", "J14", "ledger_account"),
    ("UPDATE ledger_account SET unit = 'cash' WHERE number = 2", "L11", "ledger"),
    ("INSERT INTO ledger_account VALUES (99, 'default', 'tenant:x', 'credits', 2, 0, 0)", "L11", "ledger"),
    ("UPDATE ledger_transfer SET amount = amount + 1 WHERE number = 2", "J14", "ledger_transfer"),
    ("UPDATE ledger_transfer SET amount = amount + 1 WHERE number = 2", "L11", "ledger"),
    ("UPDATE ledger_transfer SET credit = 4 WHERE number = 2", "L11", "ledger"),
    ("UPDATE ledger_transfer SET credit = 6 WHERE number = 2", "L11", "ledger"),
    (
        "UPDATE ledger_transfer SET id = x'00112233445566778899aabbccddeeff' WHERE number = 2",
        "J14",
        "ledger_transfer",
    ),
    ("UPDATE ledger_transfer SET asked = 1 WHERE number = 2", "J14", "ledger_transfer"),
    ("UPDATE ledger_transfer SET entry = 1 WHERE number = 2", "J14", "ledger_transfer"),
    ("DELETE FROM ledger_transfer WHERE number = 2", "J5", "ledger_transfer"),
    ("DELETE FROM ledger_pending WHERE expires_us IS NOT NULL", "J5", "ledger_pending"),
    ("DELETE FROM ledger_pending WHERE expires_us IS NOT NULL", "L11", "ledger"),
    ("INSERT INTO ledger_pending VALUES (2, NULL)", "J5", "ledger_pending"),
    (
        "UPDATE ledger_pending SET expires_us = expires_us + 1 WHERE expires_us IS NOT NULL",
        "J14",
        "ledger_pending",
    ),
    ("UPDATE ledger_resolved SET amount = amount + 1 WHERE state = 'posted'", "J14", "ledger_resolved"),
    ("UPDATE ledger_resolved SET amount = amount + 1 WHERE state = 'posted'", "L11", "ledger"),
    ("UPDATE ledger_resolved SET state = 'voided' WHERE state = 'posted'", "L11", "ledger"),
    ("UPDATE ledger_resolved SET entry = 1 WHERE state = 'posted'", "J14", "ledger_resolved"),
    ("DELETE FROM ledger_resolved WHERE state = 'expired'", "L11", "ledger"),
    ("INSERT INTO ledger_resolved VALUES (2, 'posted', 0, 1)", "J5", "ledger_resolved"),
    ("UPDATE ledger_corrected SET amount = amount - 1 WHERE number = 2", "J14", "ledger_corrected"),
    ("UPDATE ledger_corrected SET amount = amount - 1 WHERE number = 2", "L11", "ledger"),
    ("UPDATE ledger_corrected SET amount = 9999 WHERE number = 2", "L11", "ledger"),
    ("DELETE FROM ledger_corrected WHERE number = 2", "J5", "ledger_corrected"),
    ("DELETE FROM ledger_corrected WHERE number = 2", "L11", "ledger"),
    ("INSERT INTO ledger_corrected VALUES (1, 0)", "J5", "ledger_corrected"),
    (f"UPDATE ledger_transfer SET corrects = NULL WHERE corrects = x'{2:032x}'", "J14", "ledger_transfer"),
    (f"UPDATE ledger_transfer SET corrects = NULL WHERE corrects = x'{2:032x}'", "L11", "ledger"),
    (f"UPDATE ledger_transfer SET corrects = x'{1:032x}' WHERE corrects = x'{2:032x}'", "L11", "ledger"),
    ("UPDATE ledger_transfer SET amount = amount + 1 WHERE number = 2", "L5", "ledger_transfer"),
    ("UPDATE ledger_transfer SET phase = 'void' WHERE number = 2", "L5", "ledger_transfer"),
    ("UPDATE ledger_transfer SET phase = 'void' WHERE number = 2", "L11", "ledger"),
    ("DELETE FROM ledger_transfer WHERE number = 2", "L5", "ledger_transfer"),
]


@pytest.mark.parametrize(("statement", "invariant", "table"), CHANGES)
def test_a_change_of_rows_is_found(ledger_data: Path, statement: str, invariant: str, table: str) -> None:
    changed(ledger_data, statement)
    found = checked(ledger_data)
    assert table in tables(found.problems, invariant), found.problems


def test_a_transfer_that_no_entry_tells_of_is_found(ledger_data: Path) -> None:
    row = "99, 'default', x'00', 'single', 1, 2, 5, 5, NULL, NULL, NULL, NULL, 1, 1, NULL"
    changed(
        ledger_data,
        f"INSERT INTO ledger_transfer VALUES ({row})",
        "UPDATE ledger_balance SET credits_posted = credits_posted + 5 WHERE number = 2",
        "UPDATE ledger_balance SET debits_posted = debits_posted + 5 WHERE number = 1",
    )
    found = checked(ledger_data)
    assert "ledger_transfer" in tables(found.problems, "J5")
    # The tables add up in themselves: it is the journal that knows better.
    assert "L11" not in invariants(found)


def test_a_pending_transfer_is_resolved_once_by_the_database_itself(ledger_data: Path) -> None:
    hands = Hands(ledger_data)
    row = "99, 'default', x'00', 'post', 2, 3, 5, 5, 4, NULL, NULL, NULL, 1, 1, NULL"
    with pytest.raises(apsw.ConstraintError):
        hands.run(f"INSERT INTO ledger_transfer VALUES ({row})")
    hands.close()


def applies(number: int) -> Callable[[Entry], bool]:
    """Whether an entry is about a transfer that was applied."""

    def is_wanted(entry: Entry) -> bool:
        if entry["type"] != "ledger.transferred":
            return False
        asked = [one["id"] for one in entry["decision"]["input"]["transfers"]]
        return tid(number) in asked

    return is_wanted


def is_type(wanted: str) -> Callable[[Entry], bool]:
    return lambda entry: bool(entry["type"] == wanted)


def is_opening(name: str, unit: str) -> Callable[[Entry], bool]:
    return lambda entry: bool(entry["subject"] == f"account:{name}/{unit}")


def told(change: Callable[[Entry], None], number: int) -> Callable[[Entry], None]:
    """Change one transfer of a request."""

    def forge(entry: Entry) -> None:
        for one in entry["decision"]["input"]["transfers"]:
            if one["id"] == tid(number):
                change(one)

    return forge


def outcome(number: int, result: str | None = None, amount: int | None = None) -> Callable[[Entry], None]:
    """Change what has become of one transfer of a request."""

    def forge(entry: Entry) -> None:
        decision = entry["decision"]
        for place, one in enumerate(decision["input"]["transfers"]):
            if one["id"] == tid(number):
                before = decision["chosen"][place]
                decision["chosen"][place] = [result or before[0], before[1] if amount is None else amount]

    return forge


def given(**changes: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["decision"]["input"].update(changes)


def said(**changes: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["data"].update(changes)


def richer(entry: Entry) -> None:
    entry["decision"]["input"]["accounts"][0][5] += 1


def known_before(entry: Entry) -> None:
    entry["decision"]["input"]["known"] = {tid(77): {"moved": 1}}


def reserving_more(entry: Entry) -> None:
    entry["decision"]["input"]["pending"][tid(4)]["amount"] += 1


def resolved_before(entry: Entry) -> None:
    entry["decision"]["input"]["pending"][tid(4)]["state"] = "voided"


def never_resolved(entry: Entry) -> None:
    entry["decision"]["input"]["pending"][tid(6)]["state"] = "pending"


def from_nowhere(entry: Entry) -> None:
    entry["data"]["accounts"][0][2] -= 1


def about_fewer(entry: Entry) -> None:
    entry["data"]["accounts"].pop()


def in_another_order(entry: Entry) -> None:
    entry["data"]["transfers"] = [tid(19)]


def applied_all_the_same(entry: Entry) -> None:
    entry["decision"]["chosen"][0] = ["applied", 99_999]


def corrected_less(entry: Entry) -> None:
    entry["decision"]["input"]["originals"][tid(2)]["corrected"] -= 1


def of_a_larger_one(entry: Entry) -> None:
    entry["decision"]["input"]["originals"][tid(2)]["amount"] += 1


def of_none(entry: Entry) -> None:
    """Of a transfer that was never applied."""
    given = entry["decision"]["input"]
    given["originals"] = {tid(77) if key == tid(2) else key: one for key, one in given["originals"].items()}
    for one in given["transfers"]:
        if one["corrects"] == tid(2):
            one["corrects"] = tid(77)


def the_same_way(entry: Entry) -> None:
    one = entry["decision"]["input"]["originals"][tid(2)]
    one["debit"], one["credit"] = one["credit"], one["debit"]


FORGERIES: list[tuple[Callable[[Entry], bool], Callable[[Entry], None], str]] = [
    (is_opening("system:issue", "credits"), said(scale=3), "L13"),
    (is_opening("system:issue", "credits"), said(account="system:other"), "L13"),
    (is_opening("operator", "credits"), said(number=9), "L6"),
    (is_opening("operator", "credits"), said(account="tenant:acme"), "L6"),
    (is_opening("operator", "credits"), said(unit="tokens"), "L13"),
    (is_opening("operator", "credits"), lambda entry: entry.update(previous=1), "previous"),
    (applies(2), outcome(2, amount=701), "L8"),
    (applies(2), told(lambda one: one.update(amount=701), 2), "L8"),
    (applies(2), told(lambda one: one.update(debit=1, credit=1), 2), "L13"),
    (applies(2), told(lambda one: one.update(id=tid(1)), 2), "L6"),
    (applies(2), outcome(3, "insufficient_funds"), "L7"),
    (applies(2), told(lambda one: one.update(linked=True), 3), "L7"),
    (applies(2), outcome(2, amount=-700), "L12"),
    (applies(1), outcome(1, amount=AMOUNT_MAX), "L12"),
    (applies(9), outcome(9, "applied", 99_999), "L2"),
    (applies(10), outcome(10, amount=51), "L8"),
    (applies(7), outcome(7, amount=1_001), "L4"),
    (applies(7), outcome(7, amount=-1), "L4"),
    (applies(7), told(lambda one: one.update(amount=399), 7), "L4"),
    (applies(8), outcome(8, amount=1), "L4"),
    (applies(7), reserving_more, "L3"),
    (applies(7), resolved_before, "L3"),
    (applies(7), told(lambda one: one.update(pending=tid(77)), 7), "J8"),
    (applies(16), outcome(16, "applied", 1), "L15"),
    (applies(4), told(lambda one: one.update(timeout_us=-1), 4), "L9"),
    (applies(1), given(now_us=7), "L9"),
    (applies(2), richer, "L11"),
    (applies(2), known_before, "L6"),
    (applies(2), from_nowhere, "previous"),
    (applies(2), about_fewer, "previous"),
    (applies(2), lambda entry: entry.update(previous=1), "previous"),
    (applies(1), outcome(1, "exists"), "E14"),
    (applies(31), outcome(31, amount=101), "L5"),
    (applies(31), told(lambda one: one.update(amount=101), 31), "L5"),
    (applies(31), outcome(31, amount=0), "L5"),
    (applies(30), outcome(30, amount=299), "L5"),
    (applies(31), corrected_less, "L5"),
    (applies(31), of_a_larger_one, "L5"),
    (applies(31), the_same_way, "L5"),
    (applies(31), of_none, "L5"),
    (applies(31), outcome(33, "applied", 1), "L5"),
    (applies(34), corrected_less, "L5"),
    (applies(34), of_a_larger_one, "L5"),
    (applies(34), the_same_way, "L5"),
    (is_type("ledger.refused"), applied_all_the_same, "E14"),
    (is_type("ledger.refused"), richer, "L11"),
    (is_type("ledger.refused"), lambda entry: entry.update(previous=1), "previous"),
    (is_type("ledger.expired"), said(transfers=[tid(5)]), "L9"),
    (is_type("ledger.expired"), in_another_order, "L9"),
    (is_type("ledger.expired"), from_nowhere, "previous"),
    (is_type("ledger.expired"), lambda entry: entry.update(previous=1), "previous"),
]


@pytest.mark.parametrize(("is_wanted", "forge", "invariant"), FORGERIES, ids=count())
def test_a_forged_entry_is_caught(
    ledger_data: Path, is_wanted: Callable[[Entry], bool], forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(ledger_data, is_wanted, forge)


def in_an_export(path: Path, is_wanted: Callable[[Entry], bool], forge: Callable[[Entry], None]) -> list[str]:
    """What is wrong with an export in which an entry is forged, without any table."""
    hands = Hands(path)
    lines = rechained(hands.lines(), lambda entry: forge(entry) if is_wanted(entry) else None)
    hands.close()
    return [item.text for item in verify_lines(lines).problems]


def test_an_export_shows_what_is_owed_without_the_tables(ledger_data: Path) -> None:
    texts = in_an_export(ledger_data, applies(9), outcome(9, "applied", 99_999))
    assert any("tenant:acme in credits has 10200, and gives" in text for text in texts)


def test_an_expiry_that_comes_too_early_or_out_of_turn_is_caught(ledger_data: Path) -> None:
    texts = in_an_export(ledger_data, is_type("ledger.expired"), in_another_order)
    assert any(f"{tid(19)} expires at" in text for text in texts)


def test_a_late_post_is_caught(ledger_data: Path) -> None:
    """The reservation has expired by then, and its entry is made to look as if it had not."""
    texts = in_an_export(ledger_data, is_type("ledger.refused"), never_resolved_in_refusals)
    assert any("was told to be pending" in text for text in texts)


def never_resolved_in_refusals(entry: Entry) -> None:
    if tid(6) in entry["decision"]["input"]["pending"]:
        never_resolved(entry)


@pytest.mark.parametrize("forge", [corrected_less, of_a_larger_one, the_same_way, of_none])
def test_an_export_shows_that_corrections_do_not_agree(
    ledger_data: Path, forge: Callable[[Entry], None]
) -> None:
    texts = in_an_export(ledger_data, applies(34), forge)
    assert any("was told to be CorrectedFact" in text for text in texts), texts
