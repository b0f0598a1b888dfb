"""One eventful journal for all tests of this folder, and a copy of its file for each that damages it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.journal.world import World, eventful, with_runs
from tests.journal.world_retention import pruned_jobs


@pytest.fixture(scope="session")
def eventful_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "sheratan.db"
    world = eventful(World(path))
    world.close()
    return path


@pytest.fixture(scope="session")
def runs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "sheratan.db"
    world = with_runs(World(path))
    world.close()
    return path


@pytest.fixture(scope="session")
def pruned_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pruned") / "sheratan.db"
    world = World(path)
    pruned_jobs(world)
    world.close()
    return path


@pytest.fixture
def pruned_data(pruned_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, with jobs that were pruned, with all that belonged to them, and others that stay."""
    copy = tmp_path / "pruned.db"
    shutil.copy(pruned_file, copy)
    return copy


@pytest.fixture
def runs_data(runs_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, with runs that have ended in every way, and an open one in every state."""
    copy = tmp_path / "runs.db"
    shutil.copy(runs_file, copy)
    return copy


@pytest.fixture
def data(eventful_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, with every type of entry and a job in every state."""
    copy = tmp_path / "sheratan.db"
    shutil.copy(eventful_file, copy)
    return copy
