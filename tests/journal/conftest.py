"""One eventful journal for all tests of this folder, and a copy of its file for each that damages it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheratan.store.sqlite.store import DATABASE_NAME
from tests.journal.tamper import copied
from tests.journal.world import World, eventful, with_runs
from tests.journal.world_alerts import open_and_cleared_alerts
from tests.journal.world_archive import archived_jobs
from tests.journal.world_billing import priced_jobs
from tests.journal.world_budgets import jobs_with_budgets
from tests.journal.world_deadlines import jobs_with_deadlines
from tests.journal.world_gates import jobs_through_gates
from tests.journal.world_job_budgets import jobs_with_own_budgets
from tests.journal.world_kept import kept_journal
from tests.journal.world_ledger import booked
from tests.journal.world_proposals import jobs_that_propose
from tests.journal.world_retention import pruned_jobs
from tests.journal.world_run_budgets import runs_with_budgets
from tests.journal.world_run_retention import pruned_runs
from tests.journal.world_shares import shared_jobs
from tests.journal.world_system import system_changes


def _journal(name: str, fill: Callable[[World], object]) -> tuple[Any, Any]:
    """Two fixtures: the file `NAME_file`, filled once, which nobody changes, and a copy of one's own as `NAME_data`."""

    @pytest.fixture(scope="session", name=f"{name}_file")
    def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
        world = World(tmp_path_factory.mktemp(name) / DATABASE_NAME)
        fill(world)
        world.close()
        return world.path

    @pytest.fixture(name=f"{name}_data")
    def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        return copied(request.getfixturevalue(f"{name}_file"), folder)

    return filled, data


eventful_file, eventful_data = _journal("eventful", eventful)
"""Every type of entry about jobs, and a job in every state."""

runs_file, runs_data = _journal("runs", with_runs)
"""Runs that have ended in every way, and an open one in every state."""

pruned_file, pruned_data = _journal("pruned", pruned_jobs)
"""Jobs that were pruned, with all that belonged to them, and others that stay."""

pruned_runs_file, pruned_runs_data = _journal("pruned_runs", pruned_runs)
"""Runs that were pruned, with all that belonged to them, and others that stay."""

gates_file, gates_data = _journal("gates", jobs_through_gates)
"""Jobs that came in through gates, and submissions that were dropped."""

archived_file, archived_data = _journal("archived", archived_jobs)
"""Three segments were archived; their files lie beside it."""

kept_file, kept_data = _journal("kept", kept_journal)
"""The engine has archived what was due; the files lie beside it."""

ledger_file, ledger_data = _journal("ledger", booked)
"""Accounts, and transfers of every phase and in every state."""

billing_file, billing_data = _journal("billing", priced_jobs)
"""Jobs that cost something, in every state."""

budgets_file, budgets_data = _journal("budgets", jobs_with_budgets)
"""Budgets that are spent, freed, over in time and removed."""

job_budgets_file, job_budgets_data = _journal("job_budgets", jobs_with_own_budgets)
"""Jobs whose own budgets are enough, are used, and are too small for a new price."""

run_budgets_file, run_budgets_data = _journal("run_budgets", runs_with_budgets)
"""Runs that are out of funds, and one that goes on."""

deadlines_file, deadlines_data = _journal("deadlines", jobs_with_deadlines)
"""Jobs that have failed by their deadlines, wherever they were, and jobs that have inherited some."""

shares_file, shares_data = _journal("shares", shared_jobs)
"""Jobs whose workers get a share of what they cost."""

alerts_file, alerts_data = _journal("alerts", open_and_cleared_alerts)
"""Alerts that are open, told, cleared and held back."""

proposals_file, proposals_data = _journal("proposals", jobs_that_propose)
"""Jobs that have proposed others, and trees that go on."""

system_file, system_data = _journal("system", system_changes)
"""A system that has been in every state, and is paused and drains."""


@pytest.fixture
def data(eventful_data: Path) -> Path:
    """A data file of one's own, with every type of entry about jobs and a job in every state."""
    return eventful_data
