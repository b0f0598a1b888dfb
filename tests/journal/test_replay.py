"""Recorded decisions are derived again; a rule that says something else is found at the entry where it does."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import sheratan.kernel
from sheratan.contracts.errors import NotFound
from sheratan.engine.replay import DIFFERENCES_MAX, replay, replay_lines
from sheratan.kernel.replay import RULE_MODULES
from sheratan.kernel.rules import Rule, Verdict, find_rule, registered_rules
from sheratan.store.sqlite.reader import SqliteReader
from tests.journal.tamper import lines_of, reader_of, rehash


@pytest.fixture
def reader(data: Path) -> Iterator[SqliteReader]:
    found = reader_of(data)
    yield found
    found.close()


def entries_with(data: Path, rule: str) -> list[int]:
    return [seq for seq, line in enumerate(lines_of(data)) if f'"rule":"{rule}"'.encode() in line]


def hurried(given: dict[str, Any]) -> Verdict:
    """The registered backoff, but it never waits."""
    verdict = find_rule("retry.backoff@1")(given)
    if verdict.chosen["action"] != "retry":
        return verdict
    return replace(verdict, chosen={"action": "retry", "delay_us": 0})


def test_a_changed_rule_is_found_at_the_first_decision_that_it_changes(
    data: Path, reader: SqliteReader
) -> None:
    found = replay(reader, {"retry.backoff@1": hurried})
    retried = [
        seq
        for seq in entries_with(data, "retry.backoff@1")
        if b'"job.retried"' in (reader.entry_line(seq) or b"")
    ]
    assert [difference.seq for difference in found.differences] == retried
    difference = found.differences[0]
    assert (difference.rule, difference.text) == ("retry.backoff@1", "chosen differs")
    assert difference.stored["chosen"]["delay_us"] > 0
    assert difference.derived is not None
    assert difference.derived["chosen"]["delay_us"] == 0
    assert found.counts["retry.backoff@1"].different == found.different == len(retried)
    assert not found.ok


def test_a_rule_that_only_explains_itself_otherwise_differs_too(reader: SqliteReader) -> None:
    def curt(given: dict[str, Any]) -> Verdict:
        return replace(find_rule("job.settle@1")(given), because="Because.")

    found = replay(reader, {"job.settle@1": curt})
    assert {difference.text for difference in found.differences} == {"because differs"}
    assert found.different == found.counts["job.settle@1"].decisions


def test_a_rule_that_rejects_otherwise_differs_too(reader: SqliteReader) -> None:
    def silent(given: dict[str, Any]) -> Verdict:
        return replace(find_rule("dispatch.order@2")(given), rejected=None)

    found = replay(reader, {"dispatch.order@2": silent})
    assert {difference.text for difference in found.differences} == {"rejected differs"}


@pytest.mark.parametrize("old", ["retry.backoff@1", "retry.backoff"])
def test_what_if_asks_another_rule_and_counts_what_would_be_otherwise(reader: SqliteReader, old: str) -> None:
    rules: dict[str, Rule] = {"retry.backoff@2": hurried}
    found = replay(reader, rules, instead={old: "retry.backoff@2"})
    assert found.different == len(found.differences) >= 1
    assert {(item.rule, item.asked) for item in found.differences} == {("retry.backoff@1", "retry.backoff@2")}


def test_what_if_under_a_rule_that_does_not_exist_is_refused(reader: SqliteReader) -> None:
    with pytest.raises(NotFound, match=r"retry\.backoff@4"):
        replay(reader, instead={"retry.backoff": "retry.backoff@4"})


def test_a_rule_that_this_release_does_not_know_is_a_difference(data: Path) -> None:
    rehash(
        data,
        lambda entry: entry.get("decision", {}).update(rule="job.mystery@9") if entry["seq"] == 4 else None,
    )
    reader = reader_of(data)
    found = replay(reader)
    reader.close()
    assert [difference.seq for difference in found.differences] == [4]
    assert found.differences[0].derived is None
    assert "no rule 'job.mystery@9'" in found.differences[0].text


def test_an_input_that_the_rule_cannot_use_is_a_difference(data: Path) -> None:
    rehash(data, lambda entry: entry["decision"]["input"].clear() if entry["type"] == "job.retried" else None)
    reader = reader_of(data)
    found = replay(reader)
    reader.close()
    assert found.different == 1
    assert "could not use the recorded input" in found.differences[0].text


def test_a_forged_choice_is_found_by_replay(data: Path) -> None:
    def forge(entry: dict[str, Any]) -> None:
        if entry["type"] == "job.retried":
            entry["decision"]["chosen"]["delay_us"] += 1

    rehash(data, forge)
    reader = reader_of(data)
    assert [difference.text for difference in replay(reader).differences] == ["chosen differs"]
    reader.close()


def test_lines_that_are_no_entries_are_named_and_passed_over(data: Path) -> None:
    lines = lines_of(data)
    lines[9] = b"rubbish"
    found = replay_lines(lines)
    assert found.unreadable == [9]
    assert not found.ok
    assert found.entries == len(lines)


def test_only_the_first_hundred_differences_are_listed_and_all_are_counted(data: Path) -> None:
    lines = lines_of(data) * 5
    found = replay_lines(lines, {"job.admission@2": lambda given: Verdict("refuse", "No.")})
    assert len(found.differences) == DIFFERENCES_MAX < found.different


def test_every_module_that_registers_a_rule_is_loaded_for_replay() -> None:
    listed = {module.__name__ for module in RULE_MODULES}
    for info in pkgutil.iter_modules(sheratan.kernel.__path__):
        importlib.import_module(f"sheratan.kernel.{info.name}")
    assert {function.__module__ for function in registered_rules().values()} == listed
