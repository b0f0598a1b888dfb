"""A halt that cannot be written into the database is kept beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheratan.store.port_system import Latch
from sheratan.store.sqlite.latch import read_latch, remove_latch, write_latch
from tests.store.support import opened


def test_a_latch_is_kept_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    assert store.latch() is None
    store.keep_latch(Latch("rows are missing", 7))
    assert store.latch() == Latch("rows are missing", 7)
    store.close()
    store = opened(path)
    assert store.latch() == Latch("rows are missing", 7)
    store.release_latch()
    assert store.latch() is None
    store.release_latch()
    store.close()
    assert {file.name for file in tmp_path.iterdir()} == {"a.db"}


def test_the_first_halt_stays(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    write_latch(path, Latch("first", 1))
    write_latch(path, Latch("second", 2))
    assert read_latch(path) == Latch("first", 1)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'["reason", "soon"]', b"\xff"])
def test_a_latch_that_cannot_be_read_is_a_halt_all_the_same(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a.db"
    write_latch(str(path), Latch("why", 1))
    (latch,) = tmp_path.iterdir()
    latch.write_bytes(body)
    found = read_latch(str(path))
    assert found is not None
    assert "cannot be read" in found.reason


def test_a_database_in_memory_has_no_latch() -> None:
    write_latch("", Latch("why", 1))
    assert read_latch("") is None
    remove_latch("")
