"""Pages as they are stored."""

from __future__ import annotations

import pytest

from sheratan.contracts.errors import CorruptData
from sheratan.store.sqlite.pages import PageReader, PageWriter

LINE = b'{"actor":"engine","type":"job.succeeded","subject":"job_%d"}'
BODY = b"\n".join(LINE % number for number in range(200))


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
