"""How what a unit changes is written, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Final

import apsw

from sheratan.contracts.errors import CorruptData
from sheratan.store.rows import AwaitedRow, SignalRow, WaitRow
from sheratan.store.sqlite.proposals import write_proposals
from sheratan.store.sqlite.statements import delete_rows, insert_rows, sql
from sheratan.store.unit import Unit

__all__ = ["write_rows"]

_INSERTED: Final = {
    "lanes": "insert_lane",
    "jobs": "insert_job",
    "after": "insert_after",
    "keys": "insert_key",
    "failures": "insert_failure",
    "tags": "insert_tag",
    "bulks": "replace_bulk",
    "steps": "insert_step",
    "schedules": "replace_schedule",
    "approvals": "replace_approval",
    "approval_acts": "insert_approval_act",
    "retentions": "replace_retention",
    "mentions": "insert_mention",
    "alarms": "insert_alarm",
    "flows": "replace_flow",
    "partitions.names": "insert_partition",
    "alerts": "replace_alert",
}
"""What of a unit is written as it is, lists of rows and rows by their key, each with its query. Most are empty in most
batches, and a small batch would pay more for asking each query than for what it writes."""

_inserted = attrgetter(*_INSERTED)

_seldom = attrgetter(
    "failed", "dead_letters", "waits", "awaited", "signals", "blocking", "gates", "paces", "partitions.paces",
    "partitions.forgotten",
)  # fmt: skip
"""What `_write_seldom` writes."""


def write_rows(connection: apsw.Connection, unit: Unit) -> None:
    """Write what a unit changes beside the places of its jobs, runs, and the ledger."""
    for rows, query in zip(_inserted(unit), _INSERTED.values(), strict=True):
        if rows:
            insert_rows(connection, query, list(rows.values()) if type(rows) is dict else rows)
    if unit.payloads:
        insert_rows(connection, "insert_payload", list(unit.payloads.items()))
    if any(_seldom(unit)):
        _write_seldom(connection, unit)
    write_proposals(connection, unit.proposals)
    delete_rows(connection, "delete_alarm", unit.alarms_rung)
    _write_facts(connection, unit)


def _write_seldom(connection: apsw.Connection, unit: Unit) -> None:
    _write_dead_letters(connection, unit)
    _change_rows(connection, "wait", unit.waits, 3)
    _change_rows(connection, "awaited", _awaited_rows(unit), 4)
    _change_rows(connection, "signal", unit.signals, 2)
    _change_rows(connection, "blocking_code", unit.blocking, 2)
    if unit.gates:
        _write_gates(connection, unit)
    _write_paces(connection, unit)


def _write_facts(connection: apsw.Connection, unit: Unit) -> None:
    """What there is once."""
    if unit.pulse:
        connection.execute(sql("update_pulse"), (unit.at_us,))
    if unit.system is not None:
        connection.execute(sql("replace_system"), unit.system)
    if unit.journal_kept is not None:
        connection.execute(sql("replace_journal_kept"), unit.journal_kept)


def _write_paces(connection: apsw.Connection, unit: Unit) -> None:
    """How far rates are used up: of queues, kinds and tenants, and of their partitions."""
    delete_rows(connection, "delete_partition_paces", list(unit.partitions.forgotten))
    insert_rows(connection, "replace_partition_pace", list(unit.partitions.paces.values()))
    insert_rows(connection, "replace_pace", [row for row in unit.paces.values() if row is not None])
    delete_rows(connection, "delete_pace", [key for key, row in unit.paces.items() if row is None])


def _awaited_rows(unit: Unit) -> dict[AwaitedRow, bool]:
    return {
        AwaitedRow(*wait, job): stays for wait, jobs in unit.awaited.items() for job, stays in jobs.items()
    }


def _write_dead_letters(connection: apsw.Connection, unit: Unit) -> None:
    insert_rows(connection, "insert_failed_job", unit.failed)
    insert_rows(connection, "insert_failure_text", unit.failure_texts)
    insert_rows(
        connection,
        "insert_dead_letter",
        [(number,) for number, enters in unit.dead_letters.items() if enters],
    )
    gone = [(number,) for number, enters in unit.dead_letters.items() if not enters]
    if delete_rows(connection, "delete_dead_letter", gone) != len(gone):
        raise CorruptData("a job was no dead letter, as the engine believed it to be")


def _write_gates(connection: apsw.Connection, unit: Unit) -> None:
    insert_rows(connection, "replace_gate", list(unit.gates.values()))
    # More than come, so that what is over makes room in the end, and never many at once.
    connection.execute(sql("delete_gates"), (unit.at_us, 2 * len(unit.gates)))


def _change_rows(
    connection: apsw.Connection,
    table: str,
    rows: Mapping[WaitRow, bool]
    | Mapping[AwaitedRow, bool]
    | Mapping[SignalRow, bool]
    | Mapping[tuple[int, str], bool],
    key_columns: int,
) -> None:
    """Insert the rows that are to be there and delete the others, by their first columns."""
    if rows:
        insert_rows(connection, f"insert_{table}", [row for row, stays in rows.items() if stays])
        gone = [row[:key_columns] for row, stays in rows.items() if not stays]
        delete_rows(connection, f"delete_{table}", gone)
