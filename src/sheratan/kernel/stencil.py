"""Stencils: most lines of a journal are some earlier line with other numbers in it, and need no decoding.

A stencil is cut from a line whose form was proved. A line of the same length fits it when all its bytes are the same
but for some numbers and digests, and those are again digits without a leading zero, or lower-case hexadecimal digits.
Then it is canonical, holds no credential and says the same in all else, as the first line is, does not and does:
what was cut out stands between quotes, commas, colons or blanks, and is of no length that matters to a pattern.
"""

from __future__ import annotations

import re
import struct
from typing import Final, NamedTuple

import msgspec

from sheratan.contracts.journal import Entry
from sheratan.contracts.values import INTEGER_MAX
from sheratan.kernel.chain import decode_entry

__all__ = ["Run", "Stencil", "Stencils"]

_TEXT: Final = rb'"[^"\\]*"'
_SHAPES: Final = {
    "job.submitted": re.compile(
        rb'\{"actor":TEXT,"at":(?P<at>\d+),"auth":TEXT,'
        rb'"data":\{"input":"(?P<input>[0-9a-f]{64})","kind":TEXT,"number":(?P<number>\d+),"options":\[[\d,]+\],'
        rb'"priority":\d+,"queue":TEXT\},'
        rb'"decision":\{"because":TEXT,"chosen":"queue","input":\{(?:"criticality":TEXT,)?"depth":(?P<depth>\d+),"depth_max":\d+,'
        rb'"intake":TEXT,"queue":TEXT\},"rule":TEXT\},"on_behalf_of":TEXT,"policy":\d+,'
        rb'"prev":"(?P<prev>[0-9a-f]{64})","seq":(?P<seq>\d+),"subject":"job_(?P<id>[0-9a-f]{32})",'
        rb'"tenant":TEXT,"type":"job\.submitted"\}'.replace(b"TEXT", _TEXT)
    ),
    "job.succeeded": re.compile(
        rb'\{"actor":TEXT,"at":(?P<at>\d+),"auth":TEXT,'
        rb'"data":\{"attempt":\d+,"output":"(?P<output>[0-9a-f]{64})"\},'
        rb'"decision":\{"because":TEXT,"chosen":"succeeded","input":\{"attempt":\d+,"cancel_requested":\w+,'
        rb'"fence":(?P<fence>\d+),"fence_current":(?P<fence_current>\d+),"outcome":TEXT\},"rule":TEXT\},'
        rb'"on_behalf_of":TEXT,"policy":\d+,"prev":"(?P<prev>[0-9a-f]{64})","previous":(?P<previous>\d+),'
        rb'"seq":(?P<seq>\d+),"subject":"job_(?P<id>[0-9a-f]{32})","tenant":TEXT,"type":"job\.succeeded"\}'
        .replace(b"TEXT", _TEXT)
    ),
}  # fmt: skip
_HEXADECIMAL: Final = frozenset({"input", "output", "prev", "id"})
_FORESEEN: Final = frozenset({"prev", "seq"})
"""What must stand in these places is known, digit by digit."""
_HEX_DIGITS: Final = b"0123456789abcdef"
_DIGITS_MAX: Final = len(str(INTEGER_MAX)) - 1
_decode_integers: Final = msgspec.json.Decoder(list[int]).decode
_UNBOUNDED: Final = _HEXADECIMAL | {"at"}
"""What need not be short: digests, and instants, which are compared with the bound."""
_PER_LENGTH_MAX: Final = 4
_LENGTHS_MAX: Final = 512


class Run(NamedTuple):
    """Lines one after the other that fit one stencil, as columns: their text, their instants, what was cut out."""

    stencil: Stencil
    lines: list[bytes]
    first_seq: int
    instants: list[int]
    columns: dict[str, tuple[bytes, ...]]

    def entries(self) -> list[Entry]:
        """The entries, decoded after all."""
        return [decode_entry(line) for line in self.lines]

    def integers(self, name: str) -> list[int]:
        """A column of numbers."""
        return _integers(self.columns[name])

    def texts(self, name: str) -> list[str]:
        """A column of text."""
        return [value.decode() for value in self.columns[name]]


class Stencil:
    """A line with places cut out of it. `entry` is what the line says that it was cut from."""

    def __init__(self, line: bytes, entry: Entry, spans: dict[str, tuple[int, int]]) -> None:
        self.entry = entry
        self._names = sorted(spans, key=lambda name: spans[name])
        pieces: list[int] = []
        end = 0
        for name in self._names:
            start, stop = spans[name]
            pieces += [start - end, stop - start]
            end = stop
        pieces.append(len(line) - end)
        self._unpack = struct.Struct("".join(f"{size}s" for size in pieces)).unpack
        self._kept: tuple[bytes, ...] = self._unpack(line)[::2]

    def fits(self, line: bytes) -> bool:
        """Whether a line of the same length has the same bytes around the places."""
        parts: tuple[bytes, ...] = self._unpack(line)
        return parts[::2] == self._kept

    def run(self, lines: list[bytes], first_seq: int, prevs: str) -> Run | None:
        """Lines of the same length as a run that begins with this number and these hashes; None if any is not."""
        count = len(lines)
        parts: list[tuple[bytes, ...]] = list(zip(*map(self._unpack, lines), strict=True))
        if any(part.count(kept) != count for part, kept in zip(parts[::2], self._kept, strict=True)):
            return None
        columns = dict(zip(self._names, parts[1::2], strict=True))
        seqs = "".join(map(str, range(first_seq, first_seq + count)))
        if b"".join(columns["prev"]) != prevs.encode() or b"".join(columns["seq"]) != seqs.encode():
            return None
        if not all(_is_sound(name, column) for name, column in columns.items() if name not in _FORESEEN):
            return None
        instants = _instants(columns["at"])
        return Run(self, lines, first_seq, instants, columns) if max(instants) <= INTEGER_MAX else None


class Stencils:
    """The stencils that were cut so far, by the length of the lines that may fit them. A bounded number."""

    def __init__(self) -> None:
        self._by_length: dict[int, list[Stencil]] = {}

    def find(self, line: bytes) -> Stencil | None:
        """The stencil that a line fits."""
        known = self._by_length.get(len(line))
        if known is None:
            return None
        for stencil in known:
            if stencil.fits(line):
                return stencil
        return None

    def cut(self, line: bytes, entry: Entry) -> None:
        """Cut a stencil from a line whose form was proved, if it is of a shape that is worth it."""
        shape = _SHAPES.get(entry.type)
        match = shape.fullmatch(line) if shape is not None else None
        if match is None or len(self._by_length) >= _LENGTHS_MAX or self.find(line) is not None:
            return
        spans = {name: match.span(name) for name in match.groupdict()}
        if any(stop - start > _DIGITS_MAX for name, (start, stop) in spans.items() if name not in _UNBOUNDED):
            return
        if "depth" in spans:
            _cut_depth(line, match["depth"], spans)
        known = self._by_length.setdefault(len(line), [])
        known.insert(0, Stencil(line, entry, spans))
        del known[_PER_LENGTH_MAX:]


def _cut_depth(line: bytes, depth: bytes, spans: dict[str, tuple[int, int]]) -> None:
    """How full the queue is stands in the sentence, too."""
    start = line.rfind(b" " + depth + b" ", line.index(b'"because":'), spans["depth"][0])
    if start >= 0:
        spans["said"] = (start + 1, start + 1 + len(depth))


def _is_sound(name: str, column: tuple[bytes, ...]) -> bool:
    """Whether what stands in the places are such digits as may stand there."""
    if name in _HEXADECIMAL:
        return not b"".join(column).translate(None, _HEX_DIGITS)
    return b"".join(column).isdigit() and (len(column[0]) == 1 or not min(column).startswith(b"0"))


def _instants(column: tuple[bytes, ...]) -> list[int]:
    if column.count(column[0]) == len(column):
        return [int(column[0])] * len(column)
    return _integers(column)


def _integers(column: tuple[bytes, ...]) -> list[int]:
    """Digits without a leading zero are JSON, and one decoder reads them all in a fraction of the time of `int`."""
    return _decode_integers(b"[" + b",".join(column) + b"]")
