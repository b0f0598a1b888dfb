"""A world for every test of the engine, in which everything agrees at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sheratan.engine import window
from tests.engine.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """A decider over a database in memory."""
    made = World()
    yield made
    made.check()
    made.close()


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a few jobs of a lane are in memory."""
    for name, value in (("WINDOW_JOBS_MAX", 8), ("REFILL_JOBS", 4), ("LOW_JOBS", 2)):
        monkeypatch.setattr(window, name, value)
