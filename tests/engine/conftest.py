"""A world for every test of the engine, in which everything agrees at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """A decider over a database in memory."""
    made = World()
    yield made
    made.check()
    made.close()
