"""An exported journal is the journal, byte for byte, and can be checked without a database."""

from __future__ import annotations

import io
from pathlib import Path

from sheratan.engine.verify import export, verify_lines
from tests.journal.tamper import Hands, checked, reader_of
from tests.journal.world import World, new


def exported(path: Path) -> bytes:
    target = io.BytesIO()
    reader = reader_of(path)
    export(reader, target.write)
    reader.close()
    return target.getvalue()


def test_an_export_holds_every_entry_byte_for_byte(data: Path) -> None:
    hands = Hands(data)
    lines = hands.lines()
    hands.close()
    assert exported(data).splitlines() == lines
    assert exported(data).endswith(b"}\n")


def test_an_export_says_how_many_entries_it_wrote(data: Path) -> None:
    reader = reader_of(data)
    assert export(reader, io.BytesIO().write) == checked(data).entries
    reader.close()


def test_an_export_verifies_without_a_database_and_comes_to_the_same(data: Path) -> None:
    whole = checked(data)
    found = verify_lines(io.BytesIO(exported(data)), head=whole.head)
    assert found.ok
    assert not found.tables_compared
    assert (found.entries, found.jobs, found.head, found.counts) == (
        whole.entries,
        whole.jobs,
        whole.head,
        whole.counts,
    )


def test_a_shortened_export_is_whole_in_itself_and_found_by_its_head(data: Path) -> None:
    lines = exported(data).splitlines(keepends=True)
    assert verify_lines(lines[:-3]).ok
    found = verify_lines(lines[:-3], head=checked(data).head)
    assert [(item.invariant, item.seq) for item in found.problems] == [("J2", len(lines) - 4)]


def test_a_changed_line_of_an_export_is_found_and_located(data: Path) -> None:
    lines = exported(data).splitlines()
    lines[12] = lines[12].replace(b"local:ada", b"local:eve")
    assert [(item.invariant, item.seq) for item in verify_lines(lines).problems] == [("J2", 12)]


def test_a_changed_last_line_is_found_by_the_head_alone(data: Path) -> None:
    lines = exported(data).splitlines()
    lines[-1] = lines[-1].replace(b"last words", b"fast words")
    assert verify_lines(lines).ok
    assert not verify_lines(lines, head=checked(data).head).ok


def test_an_empty_export_is_whole() -> None:
    assert verify_lines([]).ok


def test_an_export_beside_a_running_engine_ends_where_it_stood_when_it_began(tmp_path: Path) -> None:
    world = World(tmp_path / "sheratan.db")
    world.submit(new())
    end = world.store.shard().head.seq
    reader = reader_of(tmp_path / "sheratan.db")
    lines: list[bytes] = []

    def write(data: bytes) -> None:
        world.submit(new())
        lines.append(data)

    assert export(reader, write) == end
    assert verify_lines(b"".join(lines).splitlines()).entries == end
    reader.close()
    world.close()
