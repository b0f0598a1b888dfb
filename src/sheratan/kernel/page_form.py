"""The form of a whole page of a journal, proved at once: what is without a fault costs little.

This answers one question, whether anything at all is wrong with a page. Who wants to know what it is reads the page
entry by entry (`kernel/trail.py`), which says the same of a page without a fault, and takes three times as long.
"""

from __future__ import annotations

import hashlib
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.journal import ENTRY_VERSION, GENESIS, Entry, EntryType
from sheratan.contracts.values import INTEGER_MAX
from sheratan.kernel.canonical import canonical
from sheratan.kernel.chain import PAGE_SEPARATOR, Head
from sheratan.kernel.secret_text import find_secret
from sheratan.kernel.stencil import Run, Stencils

__all__ = ["PageForm", "prove_page"]

_HASH_DIGITS: Final = len(GENESIS)
_RUN_MIN: Final = 4
"""Fewer lines of one length are decoded sooner than they are compared."""
_Integer = Annotated[int, msgspec.Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_NESTED_MAX: Final = 8
"""Entries are flat: what is nested deeper is looked at entry by entry."""


if TYPE_CHECKING:
    _Facts = dict[str, Any]
else:
    _Value = None | bool | _Integer | str
    for _ in range(_NESTED_MAX):
        _Value = None | bool | _Integer | str | list[_Value] | dict[str, _Value]
    _Facts = dict[str, _Value]
"""What may stand in an entry: no floats, no integers beyond 2^53."""


class _StrictEntry(
    Entry, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
):
    """An entry whose values the decoder itself holds to what an entry may say."""

    seq: _Integer
    at: _Integer
    tenant: _Text
    type: EntryType
    actor: _Text
    on_behalf_of: _Text
    auth: _Text
    policy: _Integer
    data: _Facts
    decision: _Facts | None = None
    previous: _Integer | None = None
    cause: _Integer | None = None
    v: Literal[1] = ENTRY_VERSION


_decode_lines = msgspec.json.Decoder(_StrictEntry).decode_lines
_encode_lines = msgspec.json.Encoder(order="sorted").encode_lines


class PageForm(msgspec.Struct, frozen=True, gc=False):
    """A page without a fault: its entries or runs, its lines' hashes, and the end that it brings the journal to."""

    parts: list[list[Entry] | Run]
    hashes: str
    end: Head

    def hash_at(self, index: int) -> str:
        """The hash of a line."""
        return _piece(self.hashes, index)


def prove_page(lines: list[bytes], start: Head, stencils: Stencils) -> PageForm | None:
    """A page's entries that go on from `start` in perfect form; None at the slightest doubt."""
    proof = _Proof(lines, start, stencils)
    return PageForm(proof.parts, proof.hashes, proof.end) if proof.run() else None


class _Proof:
    """One proof: lines that fit a stencil as runs, and what is between them decoded and encoded again."""

    def __init__(self, lines: list[bytes], start: Head, stencils: Stencils) -> None:
        self.parts: list[list[Entry] | Run] = []
        sha256 = hashlib.sha256
        self.hashes = b"".join([sha256(line).digest() for line in lines]).hex()
        self.end = start
        self._lines = lines
        self._start = start
        self._prevs = start.hash + self.hashes
        self._stencils = stencils
        self._proved = 0
        self._instants = [start.at]
        self._worth_cutting: list[int] = []

    def run(self) -> bool:
        """Whether the page is without a fault."""
        index, count = 0, len(self._lines)
        for _, same in groupby(map(len, self._lines)):
            stop = index + len([*same])
            run = self._fit(index, stop) if stop - index >= _RUN_MIN else None
            if run is not None:
                if not self._decode_until(index):
                    return False
                self._take(run, run.instants, stop)
            index = stop
        if not self._decode_until(count) or self._instants != sorted(self._instants):
            return False
        self.end = Head(self._start.seq + count, self.hashes[-_HASH_DIGITS:], self._instants[-1])
        return True

    def _fit(self, index: int, stop: int) -> Run | None:
        stencil = self._stencils.find(self._lines[index])
        if stencil is None:
            self._worth_cutting.append(index)
            return None
        prevs = self._prevs[index * _HASH_DIGITS : stop * _HASH_DIGITS]
        return stencil.run(self._lines[index:stop], self._start.seq + index, prevs)

    def _decode_until(self, stop: int) -> bool:
        """Prove the lines since the last part by decoding them."""
        begin = self._proved
        if begin == stop:
            return True
        lines = self._lines[begin:stop]
        entries = _decode(lines, self._start.seq + begin)
        if entries is None or any(
            entry.prev != _piece(self._prevs, index) for index, entry in enumerate(entries, begin)
        ):
            return False
        for index in self._worth_cutting:
            self._stencils.cut(self._lines[index], entries[index - begin])
        self._worth_cutting = []
        self._take(entries, [entry.at for entry in entries], stop)
        return True

    def _take(self, part: list[Entry] | Run, instants: list[int], stop: int) -> None:
        self.parts.append(part)
        self._instants += instants
        self._proved = stop


def _piece(hashes: str, index: int) -> str:
    return hashes[index * _HASH_DIGITS : (index + 1) * _HASH_DIGITS]


def _decode(lines: list[bytes], first_seq: int) -> list[Entry] | None:
    """The entries of lines in canonical form that hold nothing which they may not; None at the slightest doubt."""
    body = PAGE_SEPARATOR.join(lines)
    if find_secret(body) is not None:
        return None
    try:
        entries: list[Entry] = [*_decode_lines(body)]
    except (ValueError, RecursionError):
        return None
    # The encoder writes keys in order, one form of everything, and a line feed after each entry and nowhere else.
    if not entries or _encode_lines(entries) != body + PAGE_SEPARATOR:
        return None
    if not body.isascii() and not all(map(_is_canonical, lines)):
        return None
    return entries if _is_in_order(entries, first_seq) else None


def _is_in_order(entries: list[Entry], first_seq: int) -> bool:
    if [entry.seq for entry in entries] != list(range(first_seq, first_seq + len(entries))):
        return False
    caused = [(entry.cause, entry.seq) for entry in entries if entry.cause is not None]
    return all(0 <= cause < seq for cause, seq in caused)


def _is_canonical(line: bytes) -> bool:
    """Beyond ASCII, RFC 8785 orders keys otherwise than the encoder may."""
    try:
        return line.isascii() or canonical(msgspec.json.decode(line)) == line
    except InvalidInput:
        return False
