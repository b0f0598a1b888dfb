"""Lines of a file as the checks see them, and what a check hands back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sheratan.kinds.audit.model import RuleId

MAX_LINE_CHARS = 5_000
"""No pattern is ever applied to more of a line than this."""


class Hit(NamedTuple):
    """A rule that applies at a line, before suppression, severity, and redaction by value."""

    rule: RuleId
    line: int
    message: str
    evidence: str


def split_lines(text: str) -> list[str]:
    """The lines of a text, split where Python's own parser splits.

    `str.splitlines` also splits at form feeds and Unicode separators, which would shift numbers.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines


def bound_lines(lines: Iterable[str]) -> list[str]:
    """The lines, each cut to what the patterns may see."""
    return [line[:MAX_LINE_CHARS] for line in lines]


def printable(text: str) -> str:
    """The text with control, direction, and other unprintable characters replaced."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


def shorten(text: str, limit: int) -> str:
    """The text, cut to `limit` characters with an ellipsis at the cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
