"""A pause of the collector does not outlast the call that made it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sheratan.ambient.collector import collector_paused
from sheratan.engine.verify import verify
from tests.journal.world import World


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_the_collector_rests_until_the_last_of_several_pauses_has_ended() -> None:
    with collector_paused():
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_ends_the_pause() -> None:
    with pytest.raises(ValueError, match="broken"), collector_paused():
        raise ValueError("broken")
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with collector_paused():
        pass
    assert not gc.isenabled()


def test_a_verification_leaves_the_collector_on() -> None:
    world = World()
    assert verify(world.store).ok
    assert gc.isenabled()
    world.close()
