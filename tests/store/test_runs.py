"""Rows of runs: written with their entry, moved from where they stand, and read again."""

from __future__ import annotations

import pytest

from sheratan.contracts.errors import CorruptData, InternalError
from sheratan.contracts.principal import ENGINE
from sheratan.store.run_rows import NodeJobRow, NodeRow, RunOpen, RunResult, RunRow
from sheratan.store.unit import Unit
from tests.store.support import add_job, new_unit, opened


def begin(unit: Unit, number: int = 1) -> RunOpen:
    """Have a unit begin a run."""
    entry = unit.record("workflow.started", f"run number {number}", {"number": number}, ENGINE)
    row = RunRow(number, 0, "default", "flow", b"v", b"p", 1, 9, "local:ada", None, b"null", None)
    place = RunOpen(number, "running", "", 0, 0, 1, entry)
    unit.runs.append(row)
    unit.move_run(None, place)
    return place


def end(unit: Unit, place: RunOpen) -> RunResult:
    """Have a unit end a run."""
    entry = unit.record("workflow.ended", f"run number {place.number}", {}, ENGINE)
    result = RunResult(place.number, "succeeded", 0, 5, b"1", None, entry)
    unit.move_run(place, result)
    return result


def test_a_run_is_open_until_it_has_a_result() -> None:
    store = opened()
    unit = new_unit(store)
    place = begin(unit)
    store.commit(unit)
    assert (store.last_run(), store.open_runs(), store.run_place(1)) == (1, [place], place)
    unit = new_unit(store)
    result = end(unit, place)
    store.commit(unit)
    assert (store.open_runs(), store.run_place(1), store.run_results([1])) == ([], result, [result])
    assert [row.workflow for row in store.runs([1])] == ["flow"]


def test_a_run_that_begins_and_ends_in_one_unit_is_written_once() -> None:
    store = opened()
    unit = new_unit(store)
    end(unit, begin(unit))
    store.commit(unit)
    assert store.open_runs() == []
    assert list(store.run_result_numbers()) == [1]


def test_a_run_that_stands_elsewhere_than_in_memory_is_not_moved() -> None:
    store = opened()
    unit = new_unit(store)
    place = begin(unit)
    store.commit(unit)
    unit = new_unit(store)
    end(unit, place._replace(entry=place.entry + 7))
    with pytest.raises(CorruptData, match="a run did not stand"):
        store.commit(unit)
    assert store.open_runs() == [place]


def test_a_run_changes_its_state_only_by_an_entry_of_the_unit_and_as_the_table_says() -> None:
    store = opened()
    unit = new_unit(store)
    place = begin(unit)
    entry = unit.record("workflow.ended", "run number 1", {}, ENGINE)
    with pytest.raises(InternalError, match="may not go from running to blocked"):
        unit.move_run(place, place._replace(state="blocked", entry=entry))
    store.commit(unit)
    later = new_unit(store)
    with pytest.raises(AssertionError):
        later.move_run(place, place._replace(jobs=1))


def test_runs_are_listed_by_state_and_workflow_newest_first() -> None:
    store = opened()
    unit = new_unit(store)
    places = [begin(unit, number) for number in (1, 2, 3)]
    end(unit, places[1])
    store.commit(unit)
    assert store.list_runs(state=None, workflow=None, below=10, limit=2) == [3, 2]
    assert store.list_runs(state="running", workflow="flow", below=3, limit=9) == [1]
    assert store.list_runs(state="succeeded", workflow=None, below=10, limit=9) == [2]
    assert store.list_runs(state=None, workflow="other", below=10, limit=9) == []


def test_nodes_and_their_jobs_are_read_by_run_and_by_job() -> None:
    store = opened()
    unit = new_unit(store)
    begin(unit)
    jobs = [add_job(unit) for _ in range(2)]
    unit.nodes.append(NodeRow(1, "each", "started", 2, 0))
    rows = [NodeJobRow(1, "each", place, job.number) for place, job in enumerate(jobs)]
    unit.node_jobs += rows
    store.commit(unit)
    assert store.nodes([1]) == unit.nodes
    assert [(view.row, view.state) for view in store.node_jobs([1])] == [(row, None) for row in rows]
    assert store.nodes_of_jobs([jobs[1].number, 99]) == [rows[1]]
    assert (list(store.node_counts()), list(store.node_job_counts())) == ([(1, 1)], [(1, 2)])
    assert list(store.run_numbers()) == [1]
