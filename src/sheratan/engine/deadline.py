"""How long the caller of a request waits for it, known to everything that is done for that request."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

__all__ = ["UNTIL_US", "waited_for_until"]

UNTIL_US: Final = ContextVar[int | None]("sheratan_until_us", default=None)
"""An instant of the monotonic clock; None: for as long as it takes."""


@contextmanager
def waited_for_until(instant_us: int) -> Generator[None]:
    """What is asked of the engine within it nobody waits for after this instant of the monotonic clock."""
    before = UNTIL_US.set(instant_us)
    try:
        yield
    finally:
        # A coroutine that is thrown away, as those of a killed host are, ends where nobody knows of this.
        with suppress(ValueError):
            UNTIL_US.reset(before)
