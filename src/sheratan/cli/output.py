"""Results on stdout: JSON as a contract, tables for eyes. Talk goes to stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from sheratan.cli.text import clean

if TYPE_CHECKING:
    from sheratan.cli.session import Session

__all__ = ["draw_pairs", "draw_table", "emit", "encode", "line", "talk", "write"]

_encode = msgspec.json.Encoder().encode

_STYLES = {
    "succeeded": "green",
    "ok": "green",
    "running": "cyan",
    "failed": "red",
    "fail": "red",
    "warn": "yellow",
    "cancelled": "yellow",
    "paused": "yellow",
}


def emit(session: Session, value: Any, draw: Callable[[], None]) -> None:
    """Write a result: one document for json, one line (or one per item of a list) for jsonl, else `draw`."""
    if session.output == "table":
        draw()
    elif session.output == "jsonl":
        for item in _items(value):
            write(_encode(item) + b"\n")
    else:
        write(encode(value) + b"\n")


def _items(value: Any) -> Iterable[Any]:
    return value if type(value) is list else (value,)


def encode(value: Any) -> bytes:
    """A value as indented JSON."""
    return msgspec.json.format(_encode(value), indent=2)


def write(data: bytes) -> None:
    """Write bytes to stdout. JSON is UTF-8 whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def line(text: str = "") -> None:
    """Write a line to stdout."""
    write(clean(text).encode() + b"\n")


def talk(text: str) -> None:
    """Write a line to stderr."""
    print(clean(text), file=sys.stderr, flush=True)


def draw_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Write `name  value` lines; further lines of a value are indented below it."""
    known = [(name, clean(str(value))) for name, value in pairs]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        indented = value.replace("\n", "\n" + " " * (width + 2))
        line(f"{name:<{width}}  {indented}".rstrip())


def draw_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Draw a table: with colours on a terminal, as plain aligned text, never shortened, anywhere else."""
    cells = [[clean(str(cell)).replace("\n", " ") for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw_rich(headers, cells)
    else:
        _draw_plain(headers, cells)


def _draw_plain(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    for row in (headers, *rows):
        line("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _draw_rich(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # Loading rich takes longer than most commands.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, header in enumerate(headers):
        # The first column names the row: an id that is cut in two cannot be copied.
        table.add_column(header, no_wrap=index == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console().print(table)
