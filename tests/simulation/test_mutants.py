"""Planted bugs are found by the simulator, and what is sound is not blamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mutants.__main__ import main
from mutants.bug import Bug
from mutants.catalogue import BUGS
from mutants.copies import Copy, Found, copies
from mutants.page import page
from mutants.results import Results

HARMLESS = Bug("harmless", "nothing is wrong", "safety", "none", ())


@pytest.fixture(scope="module")
def copy() -> Iterator[Copy]:
    with copies(1) as found:
        yield found[0]


@pytest.mark.parametrize("name", ["page-first-seq-off-by-one", "priority-ignored", "no-transaction"])
def test_a_planted_bug_is_found(copy: Copy, name: str) -> None:
    assert copy.run(0, 6, BUGS[name]).seed is not None


def test_what_is_sound_is_not_blamed_and_a_bug_leaves_no_trace(copy: Copy) -> None:
    before = {file: file.read_bytes() for file in copy.package.rglob("*.py")}
    copy.run(0, 1, BUGS["priority-ignored"])
    assert {file: file.read_bytes() for file in before} == before
    assert copy.run(0, 3).seed is None


def test_a_safety_bug_that_is_not_found_fails_the_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mutants.__main__.CONTROL_SEEDS", 2)
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


def test_a_run_goes_on_from_what_its_file_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, bugs = tmp_path / "found.json", {"harmless": HARMLESS, "epoch-not-raised": BUGS["epoch-not-raised"]}
    options = ["--seeds", "2", "--processes", "1", "--json", str(file)]
    assert main(["epoch-not-raised", *options], bugs) == 0
    first = capsys.readouterr().out
    assert main(options, bugs) == 1
    second = capsys.readouterr().out
    assert "epoch-not-raised: found by seed 0" in first
    assert "epoch-not-raised" not in second
    assert "1 of 2 bugs are found" in second


def test_what_was_found_of_another_bug_or_by_fewer_seeds_does_not_count(tmp_path: Path) -> None:
    file, found = tmp_path / "found.json", Found(1, "a violation")
    Results(file, 2).keep(HARMLESS, found)
    assert HARMLESS in Results(file, 2)
    assert Results(file, 2).row(HARMLESS).found == found
    assert HARMLESS not in Results(file, 3)
    assert replace(HARMLESS, changes=BUGS["sync-off"].changes) not in Results(file, 2)


def test_a_page_names_what_was_not_run(tmp_path: Path) -> None:
    row = Results(None, 2).keep(HARMLESS, Found(1, "a violation"))
    assert "1 others, which are sync-off." in page([row], 2, ["sync-off"])
