"""What an exception says about the dependency that was called: is it down, or was it asked for something wrong?"""

from __future__ import annotations

from typing import Final

from sheratan.contracts.errors import SheratanError
from sheratan.contracts.guards import Outcome

__all__ = ["outcome_of"]

_STATUSES: Final = range(100, 600)
_DECLINED_BELOW: Final = 500

_HERE: Final = (
    BlockingIOError,
    ChildProcessError,
    FileExistsError,
    FileNotFoundError,
    InterruptedError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
    ProcessLookupError,
)
"""Errors of the operating system that are about this machine."""

_CLIENTS: Final = frozenset(
    {
        "aiohttp.client_exceptions.ClientConnectionError",
        "aiohttp.client_exceptions.ClientPayloadError",
        "http.client.HTTPException",
        "httpx.TransportError",
    }
)
"""What common clients raise for a lost connection without making it an OSError. They are known by name: to import them
all would take longer than most calls."""


def outcome_of(error: BaseException | None) -> Outcome:
    """How a call ended that has raised this, or nothing.

    An HTTP status decides, if the error or its response has one: it failed from 500 on, and declined below. Otherwise
    it failed with an error of the network, and whatever else was raised says nothing of the dependency.
    """
    if error is None:
        return "succeeded"
    if isinstance(error, SheratanError) or not isinstance(error, Exception):
        # Another guard, or this engine; or the caller was cancelled.
        return "abandoned"
    status = _status(error)
    if status is not None:
        return "declined" if status < _DECLINED_BELOW else "failed"
    if isinstance(error, OSError | EOFError) and not isinstance(error, _HERE):
        return "failed"
    names = (f"{one.__module__}.{one.__qualname__}" for one in type(error).__mro__)
    return "abandoned" if _CLIENTS.isdisjoint(names) else "failed"


def _status(error: Exception) -> int | None:
    """The HTTP status that an error was raised for, under one of the names that clients give it."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            found = getattr(holder, name, None)
            if type(found) is int and found in _STATUSES:
                return found
    return None
