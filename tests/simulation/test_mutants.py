"""Planted bugs are found by the simulator, and what is sound is not blamed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mutants.__main__ import main
from mutants.bug import Bug
from mutants.catalogue import BUGS
from mutants.copies import Copy, copies

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
