"""Pages as they are stored."""

from __future__ import annotations

import struct
import tracemalloc

import pytest

from sheratan.contracts.errors import CorruptData
from sheratan.store.sqlite import pages
from sheratan.store.sqlite.pages import PageReader, PageWriter

LINE = b'{"actor":"engine","type":"job.succeeded","subject":"job_%d"}'
BODY = b"\n".join(LINE % number for number in range(200))
BLOCK = 1 << 17
BODY_MAX = 1 << 28
PEAK_BYTES_MAX = 1 << 20


def test_a_page_is_packed_to_a_fraction_and_comes_back_byte_for_byte() -> None:
    writer, reader = PageWriter(), PageReader()
    for _ in range(3):
        first_seq, count, stored, codec = writer.row(7, 200, BODY)
        assert (first_seq, count, codec) == (7, 200, 1)
        assert len(stored) * 5 < len(BODY)
        assert reader.body(first_seq, stored, codec) == BODY


@pytest.mark.parametrize("body", [LINE, bytes(range(256)) * 3, b""])
def test_a_page_that_would_not_become_much_smaller_is_kept_as_it_is(body: bytes) -> None:
    assert PageWriter().row(0, 1, body) == (0, 1, body, 0)


@pytest.mark.parametrize("codec", [1, 2, -1])
def test_a_body_that_is_not_what_its_codec_says_is_damage(codec: int) -> None:
    with pytest.raises(CorruptData, match="page 3"):
        PageReader().body(3, b"no frame", codec)


def frame(blocks: int, claimed: int | None) -> bytes:
    """A zstd frame (RFC 8878) of so many blocks, each one byte repeated 131,072 times, in four bytes of its own.

    What it says about its size is as wished, or nothing.
    """
    header = b"\x00\x50" if claimed is None else b"\xc0\x50" + struct.pack("<Q", claimed)
    repeated = [
        struct.pack("<I", BLOCK << 3 | 2 | (number == blocks - 1))[:3] + b"x" for number in range(blocks)
    ]
    return b"\x28\xb5\x2f\xfd" + header + b"".join(repeated)


def test_a_frame_made_by_hand_is_one() -> None:
    assert PageReader().body(0, frame(2, 2 * BLOCK), 1) == b"x" * 2 * BLOCK


# What must not be unpacked to be refused: frames of at most ten kilobytes.
BOMBS: list[tuple[bytes, str]] = [
    (frame(BODY_MAX // BLOCK + 1, BODY_MAX + BLOCK), "in no form that is known"),
    (frame(1, BODY_MAX + 1), "in no form that is known"),
    (frame(1, 1 << 50), "in no form that is known"),
    (frame(BODY_MAX // BLOCK, BLOCK), "cannot be unpacked"),
    (frame(BODY_MAX // BLOCK, None), "cannot be unpacked"),
]


@pytest.mark.parametrize(("stored", "said"), BOMBS, ids=range(len(BOMBS)))
def test_a_page_that_would_be_enormous_is_given_no_memory(stored: bytes, said: str) -> None:
    assert len(stored) < 10_000
    reader = PageReader()
    tracemalloc.start()
    try:
        with pytest.raises(CorruptData, match=f"page 3 .*{said}"):
            reader.body(3, stored, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < PEAK_BYTES_MAX


def test_the_largest_page_is_unpacked_and_a_byte_more_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, stored, codec = PageWriter().row(0, 200, BODY)
    monkeypatch.setattr(pages, "_BODY_BYTES_MAX", len(BODY))
    assert PageReader().body(0, stored, codec) == BODY
    monkeypatch.setattr(pages, "_BODY_BYTES_MAX", len(BODY) - 1)
    with pytest.raises(CorruptData, match="in no form that is known"):
        PageReader().body(0, stored, codec)
