"""An archived journal: what is left verifies by what is recorded, all of it with its files, and no forgery passes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
import zstandard

from sheratan.contracts.archive import ArchiveJournal
from sheratan.contracts.errors import Conflict, CorruptData
from sheratan.engine.archive import prepare_segment
from sheratan.engine.replay import replay
from sheratan.engine.verify import Verification, Verifier, export, verify, verify_lines, verify_opened
from sheratan.kernel.canonical import digest
from sheratan.kernel.chain import Head, decode_entry
from sheratan.kernel.facts import Violation
from sheratan.kernel.fold_state import freeze, thaw
from tests.journal.tamper import (
    Hands,
    Meanwhile,
    at,
    changed,
    checked,
    copied,
    invariants,
    reader_of,
    rechained,
    rehash,
    tables,
)
from tests.journal.world import World, new
from tests.journal.world_archive import archive, archive_all, archive_of
from tests.journal.world_retention import old_jobs

Entry = dict[str, Any]


def checked_all(path: Path, known: Head | None = None) -> Verification:
    return verify_opened(lambda: reader_of(path), known=known, archive=archive_of(path))


def whole(path: Path) -> list[bytes]:
    """All entries, with those that were archived."""
    parts: list[bytes] = []
    reader = reader_of(path)
    export(reader, parts.append, archive_of(path))
    reader.close()
    return b"".join(parts).splitlines()


def test_an_archived_journal_verifies_with_its_files_and_without(archived_data: Path) -> None:
    found = checked(archived_data)
    assert found.problems == []
    assert found.tables_compared
    assert len(found.archived) >= 3
    assert {one.checked for one in found.archived} == {False}
    everything = checked_all(archived_data)
    assert everything.problems == []
    assert {one.checked for one in everything.archived} == {True}
    assert (everything.entries, everything.head, everything.counts) == (
        found.entries,
        found.head,
        found.counts,
    )


def test_an_archived_journal_replays_with_its_files_and_without(archived_data: Path) -> None:
    reader = reader_of(archived_data)
    rest, everything = replay(reader), replay(reader, archive=archive_of(archived_data))
    reader.close()
    assert rest.ok
    assert everything.ok
    assert rest.archived
    assert (
        rest.entries + rest.archived == everything.entries + everything.archived == len(whole(archived_data))
    )


def test_an_export_with_the_archive_is_a_whole_journal(archived_data: Path) -> None:
    lines = whole(archived_data)
    assert [decode_entry(line).seq for line in lines] == list(range(len(lines)))
    assert verify_lines(lines).problems == []


def test_the_files_are_json_lines_that_any_tool_can_check(archived_data: Path) -> None:
    chain = "0" * 64
    for file in sorted((archived_data.parent / "archive").iterdir()):
        lines = zstandard.ZstdDecompressor().decompress(file.read_bytes()).splitlines()
        for line in lines:
            assert f'"prev":"{chain}"'.encode() in line
            chain = hashlib.sha256(line).hexdigest()
    [(head,)] = Hands(archived_data).run("SELECT head FROM segment ORDER BY first DESC LIMIT 1")
    assert chain == head


def heads_of(path: Path) -> list[Head]:
    return [
        Head(seq, hashlib.sha256(line).hexdigest()) for seq, line in enumerate(whole(path), 1) if seq % 3 == 0
    ]


def test_heads_that_were_noted_before_are_met_in_the_files(archived_data: Path) -> None:
    found = checked(archived_data)
    end = found.archived[-1].last + 1
    for known in heads_of(archived_data):
        assert checked_all(archived_data, known).problems == []
        other = Head(known.seq, "1" * 64)
        assert at(checked_all(archived_data, other), "J2") == [known.seq - 1]
        problems = verify_opened(lambda known=known: reader_of(archived_data), known=known).problems
        assert [problem.seq for problem in problems] == ([known.seq - 1] if known.seq < end else [])


def test_a_head_at_the_cut_is_met_without_the_files(archived_data: Path) -> None:
    last = checked(archived_data).archived[-1].last
    line = whole(archived_data)[last]
    known = Head(last + 1, hashlib.sha256(line).hexdigest())
    assert verify_opened(lambda: reader_of(archived_data), known=known).problems == []
    other = Head(last + 1, "1" * 64)
    assert at(verify_opened(lambda: reader_of(archived_data), known=other), "J2") == [last]


CHANGES = [
    ("UPDATE segment SET first = first + 1 WHERE first > 0", "J14"),
    ("UPDATE segment SET until_us = until_us - 1", "J14"),
    ("UPDATE segment SET head = replace(head, substr(head, 1, 1), 'x')", "J14"),
    ("UPDATE segment SET file = 'another'", "J14"),
    ("UPDATE segment SET size = size + 1", "J14"),
    ("UPDATE segment SET digest = replace(digest, substr(digest, 1, 1), 'x')", "J14"),
    ("UPDATE segment SET state = replace(state, substr(state, 1, 1), 'x')", "J14"),
    ("UPDATE segment SET entry = entry - 1", "J14"),
    ("DELETE FROM segment WHERE first = 0", "J5"),
    ("INSERT INTO segment SELECT -1, 0, until_us, head, file, size, digest, state, entry FROM segment LIMIT 1", "J5"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "invariant"), CHANGES)
def test_a_row_that_was_changed_is_found(archived_data: Path, change: str, invariant: str) -> None:
    changed(archived_data, change)
    found = checked(archived_data)
    kinds = {"J14", "J5"} if " first = first + 1" in change else {invariant}
    assert any("segment" in tables(found.problems, kind) for kind in kinds), found.problems


def test_rows_that_are_gone_are_missed(archived_data: Path) -> None:
    changed(archived_data, "DELETE FROM segment")
    assert "J1" in invariants(checked(archived_data))


def test_a_state_that_is_gone_is_missed(archived_data: Path) -> None:
    changed(archived_data, "DELETE FROM fold_state")
    found = checked(archived_data)
    assert not found.tables_compared
    assert any("is not kept" in problem.text for problem in found.problems)


def test_bytes_that_are_no_state_are_found(archived_data: Path) -> None:
    huge = b"\x28\xb5\x2f\xfd\xe0" + (1 << 62).to_bytes(8, "little")
    for body in (b"", b"nothing", zstandard.ZstdCompressor().compress(b"nothing"), huge):
        Hands(archived_data).run("UPDATE fold_state SET body = ?", body)
        assert "database" in invariants(checked(archived_data))


def put_state(path: Path, forge: Callable[[Any], object]) -> str:
    """Change what the journal goes on from; returns the SHA-256 of the new state."""
    reader = reader_of(path)
    violations: list[Violation] = []
    fold, told = thaw(reader.fold_state(reader.segments()[-1].end) or b"", violations)
    reader.close()
    forge(fold)
    state = freeze(fold, told)
    Hands(path).run("UPDATE fold_state SET body = ?", zstandard.ZstdCompressor().compress(state))
    return digest(state)


def forget_a_key(fold: Any) -> None:
    fold.keys.clear()


def forget_a_dead_letter(fold: Any) -> None:
    fold.dead.clear()


def count_more(fold: Any) -> None:
    fold.counts["job.submitted"] += 1


def earlier(fold: Any) -> None:
    fold.ringing_us -= 1


@pytest.mark.parametrize("forge", [forget_a_key, forget_a_dead_letter, count_more, earlier])
def test_a_state_that_was_changed_is_found(archived_data: Path, forge: Callable[[Any], object]) -> None:
    put_state(archived_data, forge)
    assert "fold_state" in tables(checked(archived_data).problems, "R2")
    assert "fold_state" in tables(checked_all(archived_data).problems, "R2")


def test_whoever_changes_state_row_entry_and_chain_is_found_by_the_files(archived_data: Path) -> None:
    changed_state = put_state(archived_data, count_more)
    hands = Hands(archived_data)
    [(number,)] = hands.run("SELECT max(entry) FROM segment")
    hands.run("UPDATE segment SET state = ? WHERE entry = ?", changed_state, number)
    hands.close()

    def forge(entry: Entry) -> None:
        if entry["seq"] == number:
            entry["data"]["state"] = changed_state

    rehash(archived_data, forge)
    assert checked(archived_data).problems == []
    found = checked_all(archived_data)
    assert [problem.invariant for problem in found.problems] == ["R2"]
    assert "is not that which follows from it" in found.problems[0].text


def test_a_page_that_was_put_back_is_found(archived_data: Path) -> None:
    first = b"\n".join(whole(archived_data)[:1])
    Hands(archived_data).run("INSERT INTO page VALUES (0, 1, ?, 0)", first)
    assert "page" in tables(checked(archived_data).problems, "R2")


def test_pages_that_were_deleted_without_an_entry_are_missed(archived_data: Path) -> None:
    changed(archived_data, "DELETE FROM page WHERE first_seq = (SELECT min(first_seq) FROM page)")
    assert "J1" in invariants(checked(archived_data))
    assert "J1" in invariants(checked_all(archived_data))


def test_the_database_lets_no_page_go_that_is_not_archived(archived_data: Path) -> None:
    connection = apsw.Connection(str(archived_data))
    with pytest.raises(apsw.ConstraintError, match="once it is archived"):
        connection.execute("DELETE FROM page")
    connection.close()


def files_of(path: Path) -> list[Path]:
    return sorted((path.parent / "archive").iterdir())


def remove(files: list[Path]) -> None:
    files[1].unlink()


def cut(files: list[Path]) -> None:
    files[1].write_bytes(files[1].read_bytes()[:-10])


def swap(files: list[Path]) -> None:
    first, second = files[1].read_bytes(), files[2].read_bytes()
    files[1].write_bytes(second)
    files[2].write_bytes(first)


def edit(files: list[Path]) -> None:
    lines = zstandard.ZstdDecompressor().decompress(files[1].read_bytes())
    files[1].write_bytes(zstandard.ZstdCompressor().compress(lines.replace(b"count", b"counT")))


@pytest.mark.parametrize("damage", [remove, cut, swap, edit])
def test_a_file_that_is_not_the_one_that_was_kept_is_named(
    archived_data: Path, damage: Callable[[list[Path]], object]
) -> None:
    files = files_of(archived_data)
    damage(files)
    assert checked(archived_data).problems == []
    found = checked_all(archived_data)
    assert [(problem.invariant, problem.row) for problem in found.problems] == [("R2", files[1].name)]
    assert [one.checked for one in found.archived][:2] == [True, False]
    reader = reader_of(archived_data)
    with pytest.raises(CorruptData, match=files[1].name):
        replay(reader, archive=archive_of(archived_data))
    with pytest.raises(CorruptData, match=files[1].name):
        export(reader, lambda _: None, archive_of(archived_data))
    reader.close()


def forged_segment(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> Verification:
    """Put another file in the place of the second one, with a row that says so."""
    file = files_of(path)[1]
    lines = zstandard.ZstdDecompressor().decompress(file.read_bytes()).splitlines()
    body = zstandard.ZstdCompressor().compress(b"".join(line + b"\n" for line in change(lines)))
    file.write_bytes(body)
    values = (len(body), hashlib.sha256(body).hexdigest(), file.name)
    Hands(path).run("UPDATE segment SET size = ?, digest = ? WHERE file = ?", *values)
    return checked_all(path)


def one_less(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def rewritten(lines: list[bytes]) -> list[bytes]:
    return rechained(lines, lambda entry: entry["data"].update(reason="another"))


@pytest.mark.parametrize("change", [one_less, rewritten])
def test_a_file_with_other_entries_is_found_whatever_its_row_says(
    archived_data: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    found = forged_segment(archived_data, change)
    assert any(problem.invariant == "R2" and "does not end" in problem.text for problem in found.problems)
    assert "segment" in tables(found.problems, "J14")


def skip_an_entry(entry: Entry) -> None:
    entry["data"]["first"] += 1


def after_another_head(entry: Entry) -> None:
    entry["data"]["before"] = "1" * 64


def nothing_at_all(entry: Entry) -> None:
    entry["data"]["last"] = entry["data"]["first"] - 1


def with_itself(entry: Entry) -> None:
    entry["data"]["last"] = entry["seq"]


def beside_its_story(entry: Entry) -> None:
    entry["previous"] = 1


FORGERIES = [
    (skip_an_entry, "R2"),
    (after_another_head, "R2"),
    (nothing_at_all, "R2"),
    (with_itself, "R2"),
    (beside_its_story, "previous"),
]


@pytest.mark.parametrize(("forge", "invariant"), FORGERIES)
def test_a_forged_entry_is_found(archived_data: Path, forge: Callable[[Entry], None], invariant: str) -> None:
    def change(entry: Entry) -> None:
        if entry["type"] == "journal.archived":
            forge(entry)

    found = verify_lines(rechained(whole(archived_data), change))
    assert invariant in invariants(found), found.problems


def test_what_is_open_keeps_its_entries(tmp_path: Path) -> None:
    """Each thing that is open holds the journal where it began, until it is over."""
    world = World(tmp_path / "sheratan.db")
    session = world.worker()
    world.submit(new())
    world.settle_all(session, world.lease(session))
    world.tick(1)
    begin = world.decider.state.head.seq
    [parent] = world.submit(new())
    [running] = world.lease(session)
    world.tick(1)
    [child] = world.submit(new(), by_job=running)
    world.settle(session, running)
    world.tick(1)
    assert archive_all(world, world.decider.state.head.seq)[-1].last == begin - 1
    world.settle_all(session, world.lease(session))
    assert archive_all(world, world.decider.state.head.seq)[-1].last > begin
    assert checked(world.path).problems == []
    assert checked_all(world.path).problems == []
    world.close()
    assert parent != child


def test_a_leftover_of_an_earlier_try_is_used_again_and_another_file_is_not_overwritten(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "sheratan.db")
    old_jobs(world)
    end = world.decider.state.head.seq
    kept = archive_of(world.path)
    request = ArchiveJournal(before_entry=end)
    first = prepare_segment(world.store, kept, request, world.limits)
    again = prepare_segment(world.store, kept, request, world.limits)
    assert first == again
    assert first is not None
    file = tmp_path / "archive" / first.segment.file
    body = file.read_bytes()
    for other in (b"something else", zstandard.ZstdCompressor().compress(b"entries of another journal")):
        file.write_bytes(other)
        with pytest.raises(Conflict, match=first.segment.file):
            prepare_segment(world.store, kept, request, world.limits)
        assert file.read_bytes() == other
    file.write_bytes(body)
    world.ask(first)
    with pytest.raises(Conflict, match="meanwhile"):
        world.ask(first)
    assert checked_all(world.path).problems == []
    world.close()


def test_a_journal_with_a_problem_is_not_archived(tmp_path: Path) -> None:
    path = tmp_path / "sheratan.db"
    world = World(path)
    old_jobs(world)
    end = world.decider.state.head.seq
    world.close()
    rehash(path, lambda entry: entry["data"].update(attempt=7) if entry["type"] == "job.failed" else None)
    world = World(path)
    with pytest.raises(CorruptData, match="journal verify"):
        archive(world, end, world.limits)
    assert not (tmp_path / "archive").exists()
    world.close()


def test_segments_may_be_archived_before_any_read_of_a_verification(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path / "old.db"
    world = World(path)
    old_jobs(world)
    archive(world, 20)
    world.close()
    reader = Meanwhile(path)
    assert verify(reader, integrity=False).problems == []
    reads = len(reader.names)
    reader.close()
    for place in range(reads):
        folder = tmp_path_factory.mktemp("archived")
        copy = copied(path, folder)
        world = World(copy, seed=9)
        end = world.decider.state.head.seq
        reader = Meanwhile(copy, place, partial(archive_all, world, end))
        found = verify(reader, integrity=False)
        assert found.problems == [], (reader.names[place], found.problems)
        assert found.tables_compared
        reader.close()
        world.close()


def test_an_export_notices_that_a_segment_was_archived_meanwhile(tmp_path: Path) -> None:
    world = World(tmp_path / "sheratan.db")
    old_jobs(world)
    end = world.decider.state.head.seq
    archive(world, end)
    reader = Meanwhile(world.path, 2, partial(archive, world, end))
    with pytest.raises(Conflict, match="export again"):
        export(reader, lambda _: None, archive_of(world.path))
    assert reader.names[1] == "select_segments"
    reader.close()
    world.close()


def test_a_verifier_goes_on_when_what_it_has_not_read_was_archived(tmp_path: Path) -> None:
    world = World(tmp_path / "sheratan.db")
    session = old_jobs(world)
    reader = reader_of(world.path)
    for archive_used in (None, archive_of(world.path)):
        verifier = Verifier(reader, archive=archive_used)
        assert verifier.step() == []
        for _ in range(3):
            world.submit(new(), new(kind="report"))
            world.settle_all(session, world.lease(session))
            world.tick(1)
            archive_all(world, world.decider.state.head.seq)
            assert verifier.step() == []
        assert verifier.result().tables_compared
    reader.close()
    world.close()
