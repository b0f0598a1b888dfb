"""Planted bugs fit the sources as they are, some are really found, and what is sound is not."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mutants.__main__ import main
from mutants.bug import Bug, Change, Rotten, planted
from mutants.catalogue import BUGS
from mutants.copies import ROOT, Copy, copies

PACKAGE = ROOT / "src" / "sheratan"
HARMLESS = Bug("harmless", "nothing is wrong", "safety", "none", ())


@pytest.fixture(scope="module")
def copy() -> Iterator[Copy]:
    with copies(1) as found:
        yield found[0]


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


@pytest.mark.parametrize("name", ["page-first-seq-off-by-one", "priority-ignored", "no-transaction"])
def test_a_planted_bug_is_found(copy: Copy, name: str) -> None:
    assert copy.run(0, 6, BUGS[name]).seed is not None


def test_what_is_sound_is_not_blamed_and_a_bug_leaves_no_trace(copy: Copy) -> None:
    before = {file: file.read_bytes() for file in copy.package.rglob("*.py")}
    copy.run(0, 1, BUGS["priority-ignored"])
    assert {file: file.read_bytes() for file in before} == before
    assert copy.run(0, 3).seed is None


def test_a_safety_bug_that_is_not_found_fails_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["harmless", "--seeds", "1", "--processes", "1"], {"harmless": HARMLESS}) == 1
    assert "harmless: NOT FOUND" in capsys.readouterr().out


def test_a_simulator_that_always_finds_something_fails_the_control(
    copy: Copy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Copy, first: int, end: int, bug: Bug | None = None) -> object:
        return run(self, first, end, bug or BUGS["epoch-not-raised"])

    run = Copy.run
    monkeypatch.setattr(Copy, "run", broken)
    assert main(["priority-ignored", "--processes", "1"]) == 1
    assert "control: the sound sources break seed 0" in capsys.readouterr().err
