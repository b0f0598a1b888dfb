"""One eventful journal for all tests of this folder, and a copy of its file for each that damages it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journal.tamper import copied
from tests.journal.world import World, eventful, with_runs
from tests.journal.world_archive import archived_jobs
from tests.journal.world_gates import jobs_through_gates
from tests.journal.world_kept import kept_journal
from tests.journal.world_ledger import booked
from tests.journal.world_proposals import jobs_that_propose
from tests.journal.world_retention import pruned_jobs
from tests.journal.world_run_retention import pruned_runs
from tests.journal.world_system import system_changes


def _file_of(folders: pytest.TempPathFactory, name: str, fill: Callable[[World], object]) -> Path:
    path = folders.mktemp(name) / f"{name}.db"
    world = World(path)
    fill(world)
    world.close()
    return path


@pytest.fixture(scope="session")
def eventful_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file_of(tmp_path_factory, "sheratan", eventful)


@pytest.fixture(scope="session")
def runs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file_of(tmp_path_factory, "runs", with_runs)


@pytest.fixture(scope="session")
def pruned_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file_of(tmp_path_factory, "pruned", pruned_jobs)


@pytest.fixture(scope="session")
def pruned_runs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file_of(tmp_path_factory, "pruned_runs", pruned_runs)


@pytest.fixture(scope="session")
def gates_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file_of(tmp_path_factory, "gates", jobs_through_gates)


@pytest.fixture(scope="session")
def archived_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file_of(tmp_path_factory, "archived", archived_jobs)


@pytest.fixture
def archived_data(archived_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, of whose journal three segments were archived, with their files beside it."""
    shutil.copytree(archived_file.parent / "archive", tmp_path / "archive")
    return copied(archived_file, tmp_path)


@pytest.fixture(scope="session")
def kept_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file_of(tmp_path_factory, "kept", kept_journal)


@pytest.fixture
def kept_data(kept_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, of whose journal the engine has archived what was due, with the files beside it."""
    folder = tmp_path / "kept"
    shutil.copytree(kept_file.parent / "archive", folder / "archive")
    return copied(kept_file, folder)


@pytest.fixture(scope="session")
def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file_of(tmp_path_factory, "ledger", booked)


@pytest.fixture
def ledger_data(ledger_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, with accounts, and transfers of every phase and in every state."""
    return copied(ledger_file, tmp_path)


@pytest.fixture(scope="session")
def proposals_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file_of(tmp_path_factory, "proposals", jobs_that_propose)


@pytest.fixture
def proposals_data(proposals_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, with jobs that have proposed others, and trees that go on."""
    return copied(proposals_file, tmp_path)


@pytest.fixture(scope="session")
def system_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file_of(tmp_path_factory, "system", system_changes)


@pytest.fixture
def system_data(system_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, of a system that has been in every state, and is paused and drains."""
    return copied(system_file, tmp_path)


@pytest.fixture
def gates_data(gates_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, with jobs that came in through gates, and submissions that were dropped."""
    return copied(gates_file, tmp_path)


@pytest.fixture
def pruned_data(pruned_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, with jobs that were pruned, with all that belonged to them, and others that stay."""
    return copied(pruned_file, tmp_path)


@pytest.fixture
def pruned_runs_data(pruned_runs_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, with runs that were pruned, with all that belonged to them, and others that stay."""
    return copied(pruned_runs_file, tmp_path)


@pytest.fixture
def runs_data(runs_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, with runs that have ended in every way, and an open one in every state."""
    return copied(runs_file, tmp_path)


@pytest.fixture
def data(eventful_file: Path, tmp_path: Path) -> Path:
    """A data file of one's own, with every type of entry and a job in every state."""
    return copied(eventful_file, tmp_path)
