"""Files of the archive: durable in the right order, and never written over."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from sheratan.ambient.folder import HostFolder
from sheratan.contracts.errors import Conflict, CorruptData, Unavailable
from sheratan.kernel.fold_archive import SegmentFact
from sheratan.store.archive import Archive
from tests.store.support import add_job, new_unit, opened

LINES = [b'{"seq":%d}' % seq for seq in range(5, 9)]
NAME = "journal-000000000005-000000000008.jsonl.zst"


class Told(HostFolder):
    """A folder that tells what was done to it, and fails at one of these steps."""

    def __init__(self, path: Path, fails_at: str = "") -> None:
        super().__init__(path)
        self.steps: list[str] = []
        self._fails_at = fails_at

    def write(self, name: str, body: bytes) -> None:
        self._step("write", name)
        super().write(name, body)

    def sync(self, name: str) -> None:
        self._step("sync", name)
        super().sync(name)

    def rename(self, name: str, to: str) -> None:
        self._step("rename", to)
        super().rename(name, to)

    def sync_names(self) -> None:
        self._step("sync_names", "")
        super().sync_names()

    def _step(self, what: str, name: str) -> None:
        if what == self._fails_at:
            raise Unavailable("the disk is full")
        self.steps.append(f"{what} {name}".strip())


def fact(name: str, size: int, digest: str) -> SegmentFact:
    return SegmentFact(5, 9, 0, "", name, size, digest, "", 9)


def test_a_file_gets_its_name_once_it_is_durable_and_the_name_is_made_durable(tmp_path: Path) -> None:
    folder = Told(tmp_path / "archive")
    name, size, digest = Archive(folder).keep(5, LINES)
    assert name == NAME
    assert folder.steps == [f"write {NAME}.partial", f"sync {NAME}.partial", f"rename {NAME}", "sync_names"]
    assert [file.name for file in (tmp_path / "archive").iterdir()] == [NAME]
    assert (tmp_path / "archive").stat().st_mode & 0o077 == 0
    assert Archive(folder).lines(fact(name, size, digest)) == LINES


@pytest.mark.parametrize("step", ["write", "sync", "rename", "sync_names"])
def test_what_fails_at_any_step_is_done_again(tmp_path: Path, step: str) -> None:
    with pytest.raises(Unavailable):
        Archive(Told(tmp_path, step)).keep(5, LINES)
    kept = Archive(HostFolder(tmp_path))
    assert kept.lines(fact(*kept.keep(5, LINES))) == LINES


def test_a_file_that_holds_the_same_is_made_durable_as_it_is(tmp_path: Path) -> None:
    body = b"".join(line + b"\n" for line in LINES)
    packed = zstandard.ZstdCompressor(level=1).compress(body) + zstandard.ZstdCompressor().compress(b"")
    folder = Told(tmp_path)
    (tmp_path / NAME).write_bytes(packed)
    _, size, _ = Archive(folder).keep(5, LINES)
    assert size == len(packed)
    assert (tmp_path / NAME).read_bytes() == packed
    assert f"sync {NAME}.partial" in folder.steps


@pytest.mark.parametrize("other", [b"", b"text", zstandard.ZstdCompressor().compress(b"{}\n")])
def test_a_file_that_holds_something_else_is_not_written_over(tmp_path: Path, other: bytes) -> None:
    (tmp_path / NAME).write_bytes(other)
    with pytest.raises(Conflict, match=NAME):
        Archive(HostFolder(tmp_path)).keep(5, LINES)
    assert (tmp_path / NAME).read_bytes() == other


def test_a_file_that_says_it_is_huge_is_not_unpacked(tmp_path: Path) -> None:
    # A frame header with a content size of 2^62 bytes, in a single segment.
    (tmp_path / NAME).write_bytes(b"\x28\xb5\x2f\xfd\xe0" + (1 << 62).to_bytes(8, "little"))
    with pytest.raises(Conflict):
        Archive(HostFolder(tmp_path)).keep(5, LINES)


def test_a_file_that_is_not_there_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    kept = Archive(HostFolder(tmp_path))
    with pytest.raises(CorruptData, match="is not in the archive"):
        kept.lines(fact(NAME, 1, ""))
    (tmp_path / NAME).mkdir()
    with pytest.raises(Unavailable, match="cannot be read"):
        kept.lines(fact(NAME, 1, ""))


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="Not a directory"):
        Archive(HostFolder(tmp_path / "file" / "archive")).keep(5, LINES)


def test_a_segment_that_is_not_the_beginning_of_the_journal_is_not_taken_out() -> None:
    store = opened()
    for _ in range(3):
        unit = new_unit(store)
        add_job(unit)
        store.commit(unit)
    pages = list(store.pages())
    first, second = pages[1][0], pages[2][0]
    for wrong in (
        SegmentFact(0, first - 1, 0, "a", "f", 1, "d", "s", 9),
        SegmentFact(1, second, 0, "a", "f", 1, "d", "s", 9),
    ):
        unit = new_unit(store)
        add_job(unit)
        unit.segment = wrong, b"state"
        with pytest.raises(CorruptData, match="not what stands at the journal's beginning"):
            store.commit(unit)
        assert list(store.pages()) == pages
        assert store.segments() == []
    unit = new_unit(store)
    add_job(unit)
    unit.segment = SegmentFact(0, second, 0, "a", "f", 1, "d", "s", 9), b"state"
    store.commit(unit)
    assert next(store.pages())[0] == second
    assert store.fold_state(second) == b"state"
    assert store.fold_state(first) is None
