"""What tells one state of a handler's code from another."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any, Final

__all__ = ["code_digest"]

_DIGITS: Final = 16
"""64 bits: they tell apart the states of one handler's code, which nobody forges, and stand in the journal."""


def code_digest(handler: Callable[..., Any]) -> str:
    """A digest of a handler's code and of the file that it stands in, which as a rule has the functions that it calls.

    It looks at no other file. It changes with every edit of that file, and with the version of Python.
    """
    sums = hashlib.sha256()
    code = getattr(inspect.unwrap(handler), "__code__", None)
    if isinstance(code, CodeType):
        sums.update(_source(code.co_filename))
        _add(sums, code)
    return sums.hexdigest()[:_DIGITS]


@cache
def _source(path: str) -> bytes:
    """The digest of a file, as it is when its first handler is made; of none where there is no such file."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).digest()
    except (OSError, ValueError):
        return b""


def _add(sums: Any, code: CodeType) -> None:
    sums.update(code.co_code)
    sums.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add(sums, constant)
        elif not isinstance(constant, frozenset):
            # The order of a set is another in each process.
            sums.update(repr(constant).encode("utf-8", "backslashreplace"))
