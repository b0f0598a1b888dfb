"""Nobody can make it look as if an alert had been raised, cleared or told otherwise than it was."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sheratan.engine.replay import replay
from tests.journal.tamper import changed, checked, forged, reader_of, tables
from tests.journal.world_alerts import LETTERS, QUEUE, STATE

Entry = dict[str, Any]


def test_a_journal_with_alerts_verifies_and_replays(alerts_data: Path) -> None:
    assert checked(alerts_data).problems == []
    reader = reader_of(alerts_data)
    found = [(one.subject, one.is_open, one.is_told) for one in reader.alerts()]
    assert found == [(LETTERS, True, True), (QUEUE, True, False), (STATE, True, False)]
    assert replay(reader).ok
    reader.close()


COLUMNS = {
    "open": "0",
    "severity": "'critical'",
    "value": "value + 1",
    "threshold": "threshold - 1",
    "text": "'all is well'",
    "affected": "'nobody'",
    "seen_us": "seen_us + 1",
    "told": "1 - told",
    "told_us": "coalesce(told_us, 0) + 1",
    "entry": "entry - 1",
}
CHANGES = [
    *(
        (f"UPDATE alert SET {name} = {value} WHERE subject = '{QUEUE}'", "J14")
        for name, value in COLUMNS.items()
    ),
    (f"DELETE FROM alert WHERE subject = '{STATE}'", "J5"),
    ("INSERT INTO alert VALUES ('alert:x', 1, 'warning', 1, 1, 'x', '', 1, 0, NULL, 1)", "J5"),
]


@pytest.mark.parametrize(("statement", "invariant"), CHANGES)
def test_a_change_of_rows_is_found(alerts_data: Path, statement: str, invariant: str) -> None:
    changed(alerts_data, statement)
    found = checked(alerts_data)
    assert "alert" in tables(found.problems, invariant), found.problems


def is_entry(entry_type: str, subject: str = QUEUE) -> Callable[[Entry], bool]:
    """Every entry of a type about an alert."""
    return lambda entry: bool((entry["type"], entry["subject"]) == (f"alert.{entry_type}", subject))


def said(**changes: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["data"].update(changes)


def decided(**changes: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["decision"].update(changes)


def given(**changes: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["decision"]["input"].update(changes)


def is_now(**changes: Any) -> Callable[[Entry], None]:
    return lambda entry: entry.update(changes)


FORGERIES: list[tuple[Callable[[Entry], bool], Callable[[Entry], None], str]] = [
    (is_entry("raised"), is_now(type="alert.cleared"), "H7"),
    (is_entry("cleared"), is_now(type="alert.raised"), "H7"),
    (is_entry("raised", STATE), is_now(actor="local:ada"), "H7"),
    (is_entry("notified"), is_now(actor="local:ada"), "H7"),
    (is_entry("raised", STATE), decided(chosen="clear"), "E14"),
    (is_entry("raised", STATE), decided(rule="system.transition@1"), "E14"),
    (is_entry("cleared"), decided(chosen="keep"), "E14"),
    (is_entry("raised", STATE), given(open=True), "H7"),
    (is_entry("cleared"), given(open=False), "H7"),
    (is_entry("raised", STATE), given(value=899), "H7"),
    (is_entry("cleared"), given(value=900), "H7"),
    (is_entry("raised", STATE), given(held_us=59_999_999), "H7"),
    (is_entry("raised", STATE), lambda entry: entry["data"].update(seen_us=entry["at"] + 1), "H7"),
    (is_entry("raised", STATE), said(text="all is well"), "J14"),
    (is_entry("raised", STATE), said(severity="critical"), "J14"),
    (is_entry("raised", STATE), said(affected=["x"]), "J14"),
    (is_entry("notified", LETTERS), said(seen_us=1), "J14"),
    (is_entry("notified", LETTERS), is_now(subject="alert:budget"), "H7"),
    (is_entry("cleared"), is_now(previous=1), "previous"),
    (is_entry("notified"), is_now(previous=1), "previous"),
]


@pytest.mark.parametrize(("is_wanted", "forge", "invariant"), FORGERIES, ids=count())
def test_a_forged_entry_is_caught(
    alerts_data: Path, is_wanted: Callable[[Entry], bool], forge: Callable[[Entry], None], invariant: str
) -> None:
    assert invariant in forged(alerts_data, is_wanted, forge)
