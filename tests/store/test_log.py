"""The write-ahead log has its full size from the start, and nothing of what fills it ever counts."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from sheratan.simulation.choices import Choices
from sheratan.simulation.coverage import Coverage
from sheratan.simulation.disk import SimulatedDisk
from sheratan.store.sqlite.log import LOG_PAGES
from sheratan.store.sqlite.store import SqliteStore, connect_owner, open_reader, open_store
from sheratan.wiring.server import open_engine
from tests.store.support import add_job, new_unit, table_rows

PAGES = 128


def _laid_out(path: Path, vfs: str | None = None) -> SqliteStore:
    return SqliteStore(connect_owner(path, 1, vfs=vfs, log_pages=PAGES, is_laid_out=True))


def _log_bytes(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size


def _little_room(path: Path) -> SimpleNamespace:
    return SimpleNamespace(free=(1 << 30) - 1)


def _fill(store: SqliteStore, commits: int) -> None:
    store.take_over()
    for _ in range(commits):
        unit = new_unit(store)
        add_job(unit)
        store.commit(unit)


def test_the_log_does_not_grow_while_commits_fit_into_it(tmp_path: Path) -> None:
    store = _laid_out(tmp_path / "a.db")
    before = _log_bytes(tmp_path / "a.db")
    assert before > PAGES * 4_096
    _fill(store, 5)
    assert _log_bytes(tmp_path / "a.db") == before
    store.close()


def test_what_fills_the_log_is_in_no_table_and_not_in_the_database(tmp_path: Path) -> None:
    plain, laid_out = open_store(tmp_path / "a.db", 1), _laid_out(tmp_path / "b.db")
    assert table_rows(laid_out._connection).keys() == table_rows(plain._connection).keys()
    assert laid_out._connection.pragma("cache_size") == plain._connection.pragma("cache_size")
    plain.close()
    laid_out.close()
    assert (tmp_path / "a.db").stat().st_size == (tmp_path / "b.db").stat().st_size


def test_after_a_kill_every_commit_and_nothing_else_is_read_from_the_log(tmp_path: Path) -> None:
    store = _laid_out(tmp_path / "a.db")
    _fill(store, 5)
    killed = tmp_path / "killed"
    killed.mkdir()
    for file in tmp_path.glob("a.db*"):
        shutil.copy(file, killed / file.name)
    expected = table_rows(store._connection)
    store.close()
    again = _laid_out(killed / "a.db")
    assert table_rows(again._connection) == expected
    again.close()


def test_a_disk_with_little_room_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", _little_room)
    open_owner = _laid_out(tmp_path / "a.db")
    assert _log_bytes(tmp_path / "a.db") < PAGES * 4_096
    open_owner.close()


def test_an_owner_starts_on_a_disk_that_fills_up_meanwhile() -> None:
    disk = SimulatedDisk(Choices(1), Coverage())
    try:
        path = disk.folder / "a.db"
        open_store(path, 1, vfs=disk.name).close()
        disk.is_full = True
        store = _laid_out(path, disk.name)
        disk.is_full = False
        _fill(store, 1)
        store.close()
    finally:
        disk.remove()


def test_a_server_lays_out_its_log(tmp_path: Path) -> None:
    async def look() -> int:
        async with open_engine(tmp_path, []):
            return _log_bytes(tmp_path / "sheratan.db")

    assert asyncio.run(look()) > LOG_PAGES * 4_096


def test_a_reader_beside_it_sees_what_is_committed(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db", 1)
    _fill(store, 3)
    reader = open_reader(tmp_path / "a.db", clock=lambda: 0)
    with reader.snapshot():
        expected = list(reader.locations())
        second = _laid_out(tmp_path / "a.db")
        assert list(reader.locations()) == expected
        second.close()
    reader.close()
    store.close()
    assert apsw.Connection(str(tmp_path / "a.db")).pragma("integrity_check") == "ok"
