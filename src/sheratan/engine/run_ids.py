"""Public ids of runs, whether they were pruned or not, and what is said to who asks for one that is not there."""

from __future__ import annotations

from collections.abc import Collection

from sheratan.contracts.errors import NotFound
from sheratan.contracts.ids import format_run_id, look_up_run_id
from sheratan.engine.ids import pruned
from sheratan.store.port import Reader
from sheratan.store.retention_rows import RunRemains
from sheratan.store.run_rows import RunRow

__all__ = ["absent_run", "find_run_remains", "run_id", "run_ids"]


def run_id(row: RunRow) -> str:
    """The public id of a run."""
    return format_run_id(row.created_us // 1000, 0, row.number, row.salt)


def run_ids(reader: Reader, numbers: Collection[int]) -> dict[int, str]:
    """The public ids of runs, whether they were pruned or not."""
    found = {row.number: run_id(row) for row in reader.runs(list(numbers))}
    missing = [number for number in numbers if number not in found]
    return found | {left.number: left.id for left in reader.run_remains(missing)} if missing else found


def find_run_remains(reader: Reader, text: str) -> RunRemains | None:
    """What is left of the run with a public id; None when it was not pruned."""
    found = reader.run_remains([look_up_run_id(text).number])
    return found[0] if found and found[0].id == text else None


def absent_run(reader: Reader, text: str) -> NotFound:
    """Why there is no run with this id: it was pruned, or it never was."""
    left = find_run_remains(reader, text)
    return NotFound(f"there is no run {text}", field="id") if left is None else pruned(left)
