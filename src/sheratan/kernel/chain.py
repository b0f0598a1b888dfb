"""The chain: entries as canonical bytes, each naming the SHA-256 of the one before it."""

from __future__ import annotations

import hashlib
import re

import msgspec

from sheratan.contracts.errors import CorruptData, InvalidInput
from sheratan.contracts.journal import GENESIS, Entry

__all__ = [
    "PAGE_SEPARATOR",
    "Head",
    "decode_entry",
    "encode_entry",
    "entry_hash",
    "format_head",
    "parse_head",
    "split_page",
]

PAGE_SEPARATOR = b"\n"
"""Canonical JSON holds no raw line feed, so a page of entries splits without an index."""

_is_head = re.compile("[0-9]{1,16}:[0-9a-f]{64}").fullmatch
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Entry).decode


class Head(msgspec.Struct, frozen=True):
    """The end of a journal: the next `seq`, the last entry's `hash` and instant `at` (microseconds)."""

    seq: int = 0
    hash: str = GENESIS
    at: int = 0


def format_head(seq: int, last_hash: str) -> str:
    """A head as it is noted elsewhere: how many entries there are, and the hash of the last one."""
    return f"{seq}:{last_hash}"


def parse_head(text: str) -> Head:
    """A head that was noted as `format_head` writes it; InvalidInput for anything else. Its instant is not known."""
    if not _is_head(text):
        raise InvalidInput(
            f"{text[:90]!r} is no head: it is the number of entries, a colon and the 64 digits of the last one's hash",
            field="head",
        )
    seq, _, last_hash = text.partition(":")
    return Head(int(seq), last_hash)


def encode_entry(entry: Entry) -> bytes:
    """The canonical bytes of an entry.

    Its keys are ASCII and its numbers integers, so the order of the keys is all. The fields of Entry are declared in
    that order; within `data` and `decision` the encoder sorts.
    """
    return _encode(entry)


def entry_hash(line: bytes) -> str:
    """The SHA-256 of an entry's canonical bytes: the next entry's `prev`."""
    return hashlib.sha256(line).hexdigest()


def decode_entry(line: bytes) -> Entry:
    """An entry from its bytes; bytes that are not an entry raise CorruptData."""
    try:
        return _decode(line)
    except msgspec.DecodeError as error:
        raise CorruptData(f"not a journal entry: {error}") from error


def split_page(body: bytes) -> list[bytes]:
    """The entries of one page, as bytes."""
    return body.split(PAGE_SEPARATOR)
