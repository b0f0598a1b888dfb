"""A damaged journal is found out, and the place is named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from sheratan.contracts.errors import CorruptData
from sheratan.engine.problems import PROBLEMS_MAX
from sheratan.engine.verify import export, verify_opened
from sheratan.store.sqlite import reader as store_reader
from sheratan.store.sqlite.pages import PageReader
from tests.journal.tamper import Entry, Hands, at, checked, invariants, reader_of, rechained, rehash


@pytest.fixture
def hands(data: Path) -> Iterator[Hands]:
    made = Hands(data)
    yield made
    made.close()


def test_every_bit_flip_in_a_page_is_found_and_located(data: Path, hands: Hands) -> None:
    places = random.Random(20)
    reader = reader_of(data)
    for first_seq, _, body in hands.pages():
        for position in [0, *sorted(places.sample(range(len(body)), 4)), len(body) - 1]:
            bit = places.randrange(8)
            flipped = bytearray(body)
            flipped[position] ^= 1 << bit
            hands.put_body(first_seq, bytes(flipped))
            found = verify_opened(lambda: reader_of(data), integrity=False)
            seq = first_seq + body.count(b"\n", 0, position)
            named = {problem.seq for problem in found.problems if problem.invariant in ("J1", "J2", "J8")}
            assert seq in named, f"bit {bit} of byte {position} in page {first_seq}: {found.problems}"
            hands.put_body(first_seq, body)
    reader.close()
    assert checked(data).ok


@pytest.mark.timeout(400)
def test_all_eight_bits_of_every_byte_of_one_entry_are_watched(data: Path, hands: Hands) -> None:
    first_seq, lines = hands.page_of(20)
    body = b"\n".join(lines)
    for position in range(0, len(body), 7):
        for bit in range(8):
            flipped = bytearray(body)
            flipped[position] ^= 1 << bit
            hands.put_body(first_seq, bytes(flipped))
            assert not verify_opened(lambda: reader_of(data), integrity=False).ok
    hands.put_body(first_seq, body)


def test_a_deleted_entry_is_missed_by_number(data: Path, hands: Hands) -> None:
    lines = hands.lines()
    hands.put_lines(lines[:30] + lines[31:])
    found = checked(data)
    assert at(found, "J1")[0] == 30


def test_an_inserted_entry_is_found_where_it_stands(data: Path, hands: Hands) -> None:
    lines = hands.lines()
    hands.put_lines([*lines[:30], lines[12], *lines[30:]])
    assert at(checked(data), "J1")[0] == 30


def test_two_swapped_entries_are_found_where_they_stand(data: Path, hands: Hands) -> None:
    lines = hands.lines()
    lines[30], lines[31] = lines[31], lines[30]
    hands.put_lines(lines)
    assert at(checked(data), "J1") == [30, 32, 31]


def test_a_renumbered_entry_is_found_at_its_place(data: Path, hands: Hands) -> None:
    first_seq, lines = hands.page_of(30)
    lines[30 - first_seq] = lines[30 - first_seq].replace(b'"seq":30', b'"seq":35')
    hands.put_body(first_seq, b"\n".join(lines))
    assert 30 in at(checked(data), "J1")


def test_a_deleted_page_is_missed_by_its_first_entry(data: Path, hands: Hands) -> None:
    first_seq, lines = hands.page_of(30)
    hands.run("DELETE FROM page WHERE first_seq = ?", first_seq)
    found = checked(data)
    assert at(found, "J1")[0] == first_seq
    assert found.entries == hands.run("SELECT seq FROM shard")[0][0] - len(lines)


def test_a_page_under_another_number_is_found(data: Path, hands: Hands) -> None:
    first_seq, _ = hands.page_of(30)
    last = hands.pages()[-1][0]
    hands.run("UPDATE page SET first_seq = -5 WHERE first_seq = ?", first_seq)
    assert "J1" in invariants(checked(data))
    hands.run("UPDATE page SET first_seq = ? WHERE first_seq = -5", last + 1_000)
    assert "J1" in invariants(checked(data))


def test_a_page_in_its_place_under_the_number_of_its_second_entry_is_found(data: Path, hands: Hands) -> None:
    first_seq = next(first_seq for first_seq, count, _ in hands.pages() if count > 1)
    hands.run("UPDATE page SET first_seq = first_seq + 1 WHERE first_seq = ?", first_seq)
    assert at(checked(data), "J1") == [first_seq + 1]


def test_a_page_that_miscounts_its_entries_is_found(data: Path, hands: Hands) -> None:
    first_seq, _ = hands.page_of(30)
    hands.run("UPDATE page SET count = count + 1 WHERE first_seq = ?", first_seq)
    assert at(checked(data), "J1") == [first_seq]


def test_a_page_beyond_the_recorded_end_is_found(data: Path, hands: Hands) -> None:
    end = hands.run("SELECT seq FROM shard")[0][0]
    hands.run("INSERT INTO page VALUES (?, 1, x'7b7d', 0)", end)
    found = checked(data)
    assert [problem.row for problem in found.problems] == [f"page {end}"]


def test_a_truncated_tail_leaves_the_tables_ahead_of_the_journal(data: Path, hands: Hands) -> None:
    last, _, _ = hands.pages()[-1]
    hands.run("DELETE FROM page WHERE first_seq = ?", last)
    found = checked(data)
    assert at(found, "J1") == [last]
    assert found.problems_count > 1


def test_a_rewritten_end_with_a_matching_head_is_caught_by_the_tables(data: Path, hands: Hands) -> None:
    last, _, body = hands.pages()[-1]
    line = hands.page_of(last - 1)[1][-1]
    head = rechained([line], lambda entry: None)
    assert body != head
    hands.run("DELETE FROM page WHERE first_seq = ?", last)
    hands.run("UPDATE shard SET seq = ?", last)
    assert "J2" in invariants(checked(data))


def test_a_rehashed_journal_with_a_changed_outcome_is_caught_by_the_tables(data: Path, hands: Hands) -> None:
    hands.close()
    seen: list[int] = []

    def forge(entry: Entry) -> None:
        if entry["type"] == "job.succeeded" and not seen:
            seen.append(entry["seq"])
            entry["data"]["output"] = "0" * 64

    rehash(data, forge)
    found = checked(data)
    assert at(found, "J14") == seen
    assert str(found.problems[0].row).startswith("result ")
    # The chain itself is whole again, which is why a journal needs tables, and a head kept elsewhere, to be believed.
    assert not invariants(found) & {"J1", "J2"}


def test_a_rehashed_journal_whose_story_says_something_else_is_caught_by_the_story(data: Path) -> None:
    def forge(entry: Entry) -> None:
        if entry["type"] == "job.retried":
            entry["decision"]["input"]["attempts_max"] = 99

    rehash(data, forge)
    assert invariants(checked(data)) == {"E10"}


def test_a_secret_in_the_midst_of_a_journal_is_named_by_its_entry(data: Path) -> None:
    def slip(entry: Entry) -> None:
        if entry["seq"] == 30:
            entry["on_behalf_of"] = "xoxb-1234567890"

    rehash(data, slip)
    assert at(checked(data), "J13") == [30]


def test_only_the_first_hundred_problems_are_listed_and_all_are_counted(data: Path, hands: Hands) -> None:
    hands.put_lines([line.replace(b'"tenant":"default"', b'"tenant":""') for line in hands.lines()] * 3)
    found = checked(data)
    assert len(found.problems) == PROBLEMS_MAX < found.problems_count


@pytest.mark.parametrize("body", [b"", b"\n\n\n", b"\x00\xff", b"{}", b"[" * 200_000, b'{"seq":1e400}'])
def test_a_page_of_rubbish_stops_nothing(data: Path, hands: Hands, body: bytes) -> None:
    first_seq, _ = hands.page_of(30)
    hands.put_body(first_seq, body)
    found = checked(data)
    assert first_seq in at(found, "J8")
    assert found.entries > 30


def test_a_file_that_is_no_database_is_a_problem_and_no_error(data: Path) -> None:
    data.write_bytes(b"not a database " * 1_000)
    found = checked(data)
    assert not found.ok
    assert invariants(found) == {"database"}


def test_a_database_page_of_rubbish_is_a_problem_and_no_error(data: Path) -> None:
    kept = data.read_bytes()
    size = int.from_bytes(kept[16:18], "big")
    for start in range(size, len(kept), size):
        data.write_bytes(kept[:start] + (bytes(range(256)) * size)[:size] + kept[start + size :])
        assert not checked(data).ok, f"page {start // size + 1}"
    data.write_bytes(kept)
    assert checked(data).ok


def test_a_truncated_database_is_a_problem_and_no_error(data: Path) -> None:
    content = data.read_bytes()
    for share in (0.2, 0.5, 0.9):
        data.write_bytes(content[: int(len(content) * share) // 4_096 * 4_096])
        assert not checked(data).ok


def unpacks_to(stored: bytes) -> bytes | None:
    try:
        return PageReader().body(0, stored, 1)
    except CorruptData:
        return None


def test_every_bit_flip_in_a_page_as_it_is_stored_is_found_at_its_page(data: Path, hands: Hands) -> None:
    places = random.Random(5)
    packed = hands.run("SELECT first_seq, count, body FROM page WHERE codec = 1 ORDER BY first_seq")
    assert packed
    for first_seq, count, stored in packed:
        for position in [0, *sorted(places.sample(range(len(stored)), 6)), len(stored) - 1]:
            flipped = bytearray(stored)
            flipped[position] ^= 1 << places.randrange(8)
            if unpacks_to(bytes(flipped)) == unpacks_to(stored):
                continue  # a bit that the format does not use
            hands.run("UPDATE page SET body = ? WHERE first_seq = ?", bytes(flipped), first_seq)
            found = checked(data)
            assert any(first_seq <= (problem.seq or 0) <= first_seq + count for problem in found.problems)
        hands.run("UPDATE page SET body = ? WHERE first_seq = ?", stored, first_seq)
    assert checked(data).ok


def test_a_page_in_a_form_that_nobody_knows_is_found_and_ends_every_other_reading(
    data: Path, hands: Hands
) -> None:
    [[first_seq]] = hands.run("SELECT max(first_seq) FROM page WHERE codec = 1")
    hands.run("UPDATE page SET codec = 7 WHERE first_seq = ?", first_seq)
    assert not checked(data).ok
    reader = reader_of(data)
    with pytest.raises(CorruptData, match=f"page {first_seq} is stored in no form"):
        export(reader, lambda part: None)
    with pytest.raises(CorruptData):
        reader.entry_line(first_seq)
    reader.close()


def test_a_guard_that_was_dropped_is_found(data: Path) -> None:
    connection = apsw.Connection(str(data))
    connection.execute("DROP TRIGGER page_is_never_updated")
    connection.close()
    found = checked(data)
    assert [problem.text for problem in found.problems] == [
        "the schema's trigger page_is_never_updated is not as the migrations made it"
    ]


def test_pages_out_of_order_end_the_reading(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page whose number became smaller than those before it: reading on from it would never end."""
    monkeypatch.setattr(store_reader, "_PAGES_AT_ONCE", 1)
    reader = reader_of(data)
    rows = reader._rows

    def first_again(name: str, given: Any = ()) -> Any:
        """What a damaged tree answers: its first page, whatever it is asked for."""
        return rows(name, (0, 1)) if name == "select_pages_from" else rows(name, given)

    monkeypatch.setattr(reader, "_rows", first_again)
    with pytest.raises(CorruptData, match="out of order"):
        list(reader.pages())
    reader.close()


def test_text_that_is_no_text_is_damage_and_no_error(data: Path) -> None:
    connection = apsw.Connection(str(data))
    connection.execute("UPDATE shard SET head = CAST(x'ff' || substr(head, 2) AS TEXT)")
    connection.close()
    assert not checked(data).ok
    with pytest.raises(CorruptData):
        reader_of(data)


def test_a_page_without_a_body_is_a_problem(data: Path, hands: Hands) -> None:
    hands.run("PRAGMA ignore_check_constraints = ON")
    [[text]] = hands.run("SELECT sql FROM sqlite_schema WHERE name = 'page'")
    hands.run("PRAGMA writable_schema = ON")
    forged = text.replace("body BLOB NOT NULL", "body BLOB")
    hands.run("UPDATE sqlite_schema SET sql = ? WHERE name = 'page'", forged)
    hands.close()
    again = Hands(data)
    again.run("UPDATE page SET body = NULL WHERE first_seq = (SELECT max(first_seq) FROM page)")
    again.close()
    assert not checked(data).ok


def test_a_key_that_stands_for_another_request_is_found(data: Path, hands: Hands) -> None:
    hands.run("UPDATE idempotency SET digest = zeroblob(32)")
    assert "E7" in invariants(checked(data))


def test_a_key_whose_bytes_are_no_text_is_a_problem_and_no_error(data: Path) -> None:
    connection = apsw.Connection(str(data))
    [[text]] = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'idempotency'").fetchall()
    connection.execute("PRAGMA writable_schema = ON")
    forged = text.replace("key TEXT NOT NULL", "key BLOB NOT NULL")
    connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'idempotency'", (forged,))
    connection.close()
    connection = apsw.Connection(str(data))
    connection.execute("UPDATE idempotency SET key = CAST(key AS BLOB)")
    connection.close()
    assert not checked(data).ok
