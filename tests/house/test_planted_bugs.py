"""Planted bugs fit the sources as they are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from mutants.bug import Bug, Change, Rotten, planted
from mutants.catalogue import BUGS
from mutants.copies import ROOT

PACKAGE = ROOT / "src" / "sheratan"


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_bug_fits_the_sources(bug: Bug) -> None:
    texts = planted(bug, PACKAGE)
    assert texts
    for file, text in texts.items():
        assert text != file.read_text("utf-8")
        if file.suffix == ".py":
            ast.parse(text)


def test_a_bug_names_nothing_that_is_not_there(tmp_path: Path) -> None:
    """A bug that only stumbles over a name would be found for nothing."""
    for bug in BUGS.values():
        for file, text in planted(bug, PACKAGE).items():
            if file.suffix == ".py":
                (tmp_path / f"{bug.name}_{file.name}").write_text(text, "utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_names_stand_for_one_bug_each() -> None:
    changes = [bug.changes for bug in BUGS.values()]
    assert len(set(changes)) == len(changes) >= 36
    assert all(name == bug.name for name, bug in BUGS.items())


def test_a_bug_that_no_longer_fits_is_named() -> None:
    gone = Change("store/unit.py", "this text was never there", "")
    with pytest.raises(
        Rotten, match=r"rotten-one: 'this text was never there' stands 0 times in store/unit\.py"
    ):
        planted(Bug("rotten-one", "", "safety", "E1", (gone,)), PACKAGE)
