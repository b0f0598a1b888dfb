"""Text that looks like a credential: none may stand in a journal, which is never erased."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["find_secret"]

# A fixed text that is quick to look for, and the pattern that decides: the journal is long, hits are rare.
_MARKS: Final = (
    (b"PRIVATE KEY-", "a private key", re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    (b"AKIA", "an AWS access key", re.compile(rb"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}(?![A-Za-z0-9])")),
    (b"ghp_", "a GitHub token", re.compile(rb"(?<![A-Za-z0-9])ghp_[A-Za-z0-9]{36}")),
    (b"github_pat_", "a GitHub token", re.compile(rb"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{30}")),
    (b"xox", "a Slack token", re.compile(rb"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10}")),
    (b"Bearer ", "a bearer token", re.compile(rb"Bearer [A-Za-z0-9._~+/-]{16}")),
)


def find_secret(line: bytes) -> str | None:
    """What kind of credential some bytes seem to hold, or None. A short list: it finds slips, not intent."""
    for mark, name, pattern in _MARKS:
        if mark in line and pattern.search(line):
            return name
    return None
