"""A slice of each case of the crash battery, and of its control, which must break the promise.

`SEED=n` in the environment repeats the draws of a run; `python -m crash CASE --seed n` does the same outside of pytest.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crash.__main__ import load_cases
from crash.case import Case, Run

CASES = load_cases().values()


# A slice does as much as it does, however busy the machine is; what it is to be quick at, it measures itself.
pytestmark = pytest.mark.timeout(600)


def slice_of(case: Case, folder: Path) -> Run:
    """A run of a case, if this machine can run it."""
    missing = case.needs()
    if missing is not None:
        pytest.skip(missing)
    seed = int(os.environ.get("SEED", "20261121"))
    print(f"seed {seed}")
    return Run(seed, "slice", folder)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_promise_is_kept(case: Case, tmp_path: Path) -> None:
    outcome = case.run(slice_of(case, tmp_path))
    assert outcome.violations == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_promise_is_noticed(case: Case, tmp_path: Path) -> None:
    outcome = case.control(slice_of(case, tmp_path))
    assert outcome.violations, f"nothing was noticed of {case.control_does}"
