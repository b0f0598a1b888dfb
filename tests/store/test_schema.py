"""The schema: it comes into being once, and what is in the journal stays there."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from sheratan.contracts.errors import CorruptData, NotFound, UnsafeLibrary
from sheratan.store.rows import FlowRow
from sheratan.store.sqlite.library import check_library
from sheratan.store.sqlite.migrate import apply_migrations, known_migrations
from sheratan.store.sqlite.store import open_reader, open_store
from tests.store.support import add_job, new_unit, opened, table_rows

_FIRST_QUEUE_TABLE = """CREATE TABLE queue (
    tenant TEXT NOT NULL, queue TEXT NOT NULL, paused INTEGER NOT NULL, reason TEXT NOT NULL, entry INTEGER NOT NULL,
    PRIMARY KEY (tenant, queue)
) STRICT, WITHOUT ROWID"""

_FIRST_LANE_TABLE = """CREATE TABLE lane_before (
    lane INTEGER PRIMARY KEY, tenant TEXT NOT NULL, queue TEXT NOT NULL, kind TEXT NOT NULL,
    UNIQUE (tenant, queue, kind)
) STRICT"""


@pytest.mark.parametrize(
    "version", ["3.40.1", "3.51.2", "3.51.0", "3.50.6", "3.44.5", "3.45.0", "3.49.9", "3.7.0", "2.8.17"]
)
def test_a_library_that_can_corrupt_data_is_refused_by_version(version: str) -> None:
    with pytest.raises(UnsafeLibrary, match=version):
        check_library(version)


@pytest.mark.parametrize("version", ["3.44.6", "3.44.9", "3.50.7", "3.51.3", "3.52.0", "3.54.1", "4.0.0"])
def test_a_library_with_the_fault_mended_is_accepted(version: str) -> None:
    assert check_library(version) == version


def test_the_library_in_use_is_a_safe_one() -> None:
    assert check_library() == apsw.sqlite_lib_version()


def test_no_file_is_opened_with_an_unsafe_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path / "a.db").close()
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.40.1")
    with pytest.raises(UnsafeLibrary):
        open_store(tmp_path / "a.db", 1)
    with pytest.raises(UnsafeLibrary):
        open_reader(tmp_path / "a.db", clock=lambda: 0)


def test_a_fresh_database_gets_every_migration_and_a_second_opening_none() -> None:
    connection = apsw.Connection(":memory:")
    assert apply_migrations(connection, 7) == known_migrations()
    rows = table_rows(connection)
    assert apply_migrations(connection, 8) == []
    assert table_rows(connection) == rows
    assert [row[3] for row in rows["migration"]] == [7] * len(known_migrations())


def test_migrations_are_numbered_upwards_and_all_tables_are_strict() -> None:
    versions = [one.version for one in known_migrations()]
    assert versions[0] == 1
    assert versions == sorted(set(versions))
    connection = apsw.Connection(":memory:")
    apply_migrations(connection, 7)
    strict = {row[1]: row[5] for row in connection.execute("PRAGMA table_list")}
    assert [
        name
        for name, is_strict in strict.items()
        # The tables of a full-text index are made by SQLite itself.
        if not is_strict and not name.startswith(("sqlite_", "failure_text"))
    ] == []


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO migration VALUES (99, 'from_the_future', 'abc', 1)",
        "UPDATE migration SET checksum = 'changed'",
        "UPDATE migration SET checksum = 'changed' WHERE version = 2",
        "UPDATE migration SET name = 'changed'",
        "UPDATE migration SET name = 'changed' WHERE version = 2",
        "UPDATE migration SET version = 99 WHERE version = 2",
    ],
)
def test_a_database_of_another_release_is_refused_unchanged(tmp_path: Path, change: str) -> None:
    store = opened(tmp_path / "a.db")
    store._connection.execute(change)
    before = table_rows(store._connection)
    store.close()
    with pytest.raises(CorruptData, match=r"has migration \d+ \(\w+\), which this release does not know"):
        open_store(tmp_path / "a.db", 1)
    connection = apsw.Connection(str(tmp_path / "a.db"))
    assert table_rows(connection) == before
    connection.close()


def test_a_migration_that_breaks_off_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = known_migrations()
    broken = [whole[0]._replace(script=whole[0].script + "\nINSERT INTO no_such_table VALUES (1);")]
    monkeypatch.setattr("sheratan.store.sqlite.migrate.known_migrations", lambda: broken)
    connection = apsw.Connection(":memory:")
    with pytest.raises(apsw.SQLError, match="no_such_table"):
        apply_migrations(connection, 7)
    assert table_rows(connection) == {}
    assert not connection.in_transaction


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database" * 1_000)
    with pytest.raises(CorruptData, match=r"a\.db"):
        open_store(path, 1)
    with pytest.raises(CorruptData, match=r"a\.db"):
        open_reader(path, clock=lambda: 0)
    assert path.read_bytes() == b"not a database" * 1_000


@pytest.mark.parametrize("column", ["name", "checksum"])
def test_a_database_whose_text_is_no_text_is_refused_by_its_path(tmp_path: Path, column: str) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    store._connection.execute(f"UPDATE migration SET {column} = CAST(x'ff' || {column} AS TEXT)")
    store.close()
    before = path.read_bytes()
    with pytest.raises(CorruptData, match=r"a\.db is not a usable database: .*utf-8"):
        open_store(path, 1)
    assert path.read_bytes() == before


def test_reading_a_database_that_does_not_exist_creates_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        open_reader(tmp_path / "a.db", clock=lambda: 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE page SET body = x'00'",
        "UPDATE page SET count = count + 1 WHERE first_seq = 0",
        "DELETE FROM page",
        "DELETE FROM page WHERE first_seq = 0",
    ],
)
def test_pages_of_the_journal_are_neither_changed_nor_deleted(statement: str) -> None:
    store = opened()
    unit = new_unit(store)
    add_job(unit)
    store.commit(unit)
    before = list(store.pages())
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        store._connection.execute(statement)
    assert list(store.pages()) == before


def test_every_commit_is_synced_in_full_to_a_write_ahead_log(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    pragmas = {
        name: store._connection.execute(f"PRAGMA {name}").fetchall()[0][0]
        for name in ("synchronous", "journal_mode")
    }
    assert pragmas == {"synchronous": 2, "journal_mode": "wal"}
    store.close()


def test_a_database_of_the_first_schema_keeps_its_pages_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    unit = new_unit(store)
    for _ in range(40):
        add_job(unit)
    store.commit(unit)
    pages = list(store.pages())
    store.close()
    connection = apsw.Connection(str(path))
    connection.execute("DROP TRIGGER page_is_never_updated")
    for first_seq, _, body in pages:
        connection.execute("UPDATE page SET body = ? WHERE first_seq = ?", (body, first_seq))
    connection.execute("ALTER TABLE page DROP COLUMN codec")
    connection.execute("DROP INDEX result_without_success")
    for column in ("succeeded", "failed", "cancelled", "pulse_us"):
        connection.execute(f"ALTER TABLE shard DROP COLUMN {column}")
    tables = ["step", "wait", "awaited", "signal", "tag", "failed_job", "dead_letter", "failure_text", "bulk"]
    for table in (
        *tables,
        "flow",
        "pace",
        "partition_name",
        "partition_pace",
        "approval",
        "approval_act",
        "blocking_code",
        "schedule",
        "run",
        "run_key",
        "run_mention",
        "run_open",
        "run_result",
        "node",
        "node_job",
        "retention",
        "pruned",
        "pruned_run",
        "gate",
        "proposal_tree",
        "proposal_member",
        "proposal_made",
        "fold_state",
        "journal_kept",
        "ledger_account",
        "ledger_balance",
        "ledger_corrected",
        "reliability",
        "ledger_transfer",
        "ledger_pending",
        "ledger_resolved",
        "price",
        "charge",
        "budget",
        "job_budget",
        "run_budget",
        "run_spender",
        "system",
        "alert",
    ):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DROP TRIGGER page_is_deleted_once_archived")
    connection.execute(
        "CREATE TRIGGER page_is_never_deleted BEFORE DELETE ON page BEGIN SELECT RAISE(ABORT, 'append-only'); END"
    )
    connection.execute("DROP TABLE segment")
    for table in ("job", "result"):
        connection.execute(f"DROP INDEX {table}_by_payload")
    connection.execute("DROP INDEX job_by_partition")
    for column in ("cost", "trace", "deadline_after_us", "deadline_us"):
        connection.execute(f"ALTER TABLE job DROP COLUMN {column}")
    connection.execute(_FIRST_QUEUE_TABLE)
    connection.execute(
        "INSERT INTO queue VALUES ('default', 'q', 1, 'a rest', 7), ('default', 'r', 0, '', 9)"
    )
    for table in ("ready", "timer", "lease"):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN steps")
    for column in ("attempt", "losses", "steps", "reason"):
        connection.execute(f"ALTER TABLE blocked DROP COLUMN {column}")
    connection.execute(_FIRST_LANE_TABLE)
    connection.execute("INSERT INTO lane_before SELECT lane, tenant, queue, kind FROM lane")
    connection.execute("DROP TABLE lane")
    connection.execute("ALTER TABLE lane_before RENAME TO lane")
    connection.execute("DELETE FROM migration WHERE version > 1")
    connection.close()
    again = opened(path)
    assert list(again.pages()) == pages
    unit = new_unit(again)
    for _ in range(40):
        add_job(unit)
    again.commit(unit)
    assert {lane.version for lane in again.lanes()} == {1}
    assert again.flows() == [
        FlowRow("default", "queue:q", 7, "a rest", 0, 0, 0, 0, 1, 0, 7),
        FlowRow("default", "queue:r", 0, "", 0, 0, 0, 0, 1, 0, 9),
    ]
    codecs = again._connection.execute("SELECT codec FROM page ORDER BY first_seq").fetchall()
    assert codecs == [(0,)] * len(pages) + [(1,)]
    again.close()


def test_failed_jobs_of_an_older_schema_become_dead_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    every = known_migrations()
    monkeypatch.setattr(
        "sheratan.store.sqlite.migrate.known_migrations", lambda: [one for one in every if one.version < 5]
    )
    connection = apsw.Connection(":memory:")
    apply_migrations(connection, 7)
    error = b'{"error_class":"fatal","type":"Boom","message":"the disk is full"}'
    for number, state in enumerate(("failed", "succeeded", "failed", "cancelled"), 1):
        origin = 1 if number == 2 else None
        values = (number, 0, 1, 5, number, 3, 0, 0, 0, 0, "cancel", None, origin, b"1", None)
        connection.execute(f"INSERT INTO job VALUES ({','.join('?' * 15)})", values)
        connection.execute(
            "INSERT INTO result VALUES (?, ?, 1, 0, 9, NULL, NULL, ?)", (number, state, number)
        )
        if state == "failed":
            connection.execute("INSERT INTO failure VALUES (?, ?, ?)", (number, number, error))
    monkeypatch.undo()
    apply_migrations(connection, 8)
    rows = table_rows(connection)
    # The first one was run again by the second.
    assert rows["dead_letter"] == [(3,)]
    assert rows["failed_job"] == [("fatal", 1), ("fatal", 3)]
    found = connection.execute("SELECT rowid FROM failure_text WHERE failure_text MATCH 'disk'").fetchall()
    assert found == [(1,), (3,)]
    ended = connection.execute("SELECT succeeded, failed, cancelled FROM shard").fetchall()
    assert ended == [(1, 2, 1)]
