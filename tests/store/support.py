"""Units made by hand, for a store without an engine."""

from __future__ import annotations

from pathlib import Path

import apsw

from sheratan.contracts.principal import ENGINE
from sheratan.store.rows import JobRow, Lane, Ready
from sheratan.store.sqlite.store import SqliteStore, open_store
from sheratan.store.unit import Unit

__all__ = ["add_job", "new_unit", "opened", "table_rows"]


def opened(path: Path | str = ":memory:") -> SqliteStore:
    """A store that has been taken over."""
    store = open_store(Path(path), 1)
    store.take_over()
    return store


def new_unit(store: SqliteStore, now_us: int = 1_000) -> Unit:
    """An empty unit on top of what the store holds."""
    shard = store.shard()
    return Unit(shard.head, now_us=now_us, policy=shard.policy, next_number=shard.next_number)


def add_job(unit: Unit, *, lane: int = 1, size: int = 10) -> Ready:
    """Have a unit take in a ready job."""
    if unit.next_number == 1:
        unit.lanes.append(Lane(1, "default", "default", "work"))
    number = unit.take_number()
    data = b'"' + b"x" * size + b'"'
    unit.jobs.append(JobRow(number, 0, lane, 5, 1, 3, 0, 0, 0, 0, "cancel", None, None, data, None))
    entry = unit.record("job.submitted", f"job number {number}", {"number": number}, ENGINE)
    row = Ready(lane, 5, number, 1, 0, 1, entry)
    unit.move(None, row)
    return row


def table_rows(connection: apsw.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table; an index for full-text search is seen by the tables that it is kept in."""
    wanted = (
        "SELECT name FROM pragma_table_list"
        " WHERE schema = 'main' AND type IN ('table', 'shadow') AND name <> 'sqlite_schema'"
    )
    tables = connection.execute(wanted).fetchall()
    return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for (name,) in tables}
