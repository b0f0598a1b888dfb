"""Text that looks like a credential: none may stand in a journal, which is never erased."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["find_secret", "find_secret_in"]

# What is looked for first costs little, and finds nothing as a rule: the journal is long, hits are rare, and capitals
# hardly occur in an entry. (A pattern that begins with one known byte is searched faster than a text is.)
_MARKS: Final = (
    (b"K", b"PRIVATE KEY-", "a private key", re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    (b"K", b"AKIA", "an AWS access key", re.compile(rb"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}(?![A-Za-z0-9])")),
    (b"B", b"Bearer ", "a bearer token", re.compile(rb"Bearer [A-Za-z0-9._~+/-]{16}")),
)
_GITHUB: Final = re.compile(rb"g(?:hp_|ithub_pat_)")
_SLACK: Final = re.compile(rb"xox")
_WORDS: Final = (
    (_GITHUB, "a GitHub token", re.compile(rb"(?<![A-Za-z0-9])ghp_[A-Za-z0-9]{36}")),
    (_GITHUB, "a GitHub token", re.compile(rb"github_pat_[A-Za-z0-9_]{30}")),
    (_SLACK, "a Slack token", re.compile(rb"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10}")),
)


def find_secret(line: bytes) -> str | None:
    """What kind of credential some bytes seem to hold, or None. A short list: it finds slips, not intent."""
    for first, mark, name, pattern in _MARKS:
        if first in line and mark in line and pattern.search(line):
            return name
    word: re.Pattern[bytes] | None = None
    for start, name, pattern in _WORDS:
        if start is word:
            continue
        if not start.search(line):
            word = start
        elif pattern.search(line):
            return name
    return None


def find_secret_in(text: str) -> str | None:
    """What kind of credential a text seems to hold, or None; also a text that is no Unicode."""
    return find_secret(text.encode("utf-8", "backslashreplace"))
