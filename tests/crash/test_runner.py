"""The battery's runner: good means that the promise was kept and that its control was noticed, nothing less."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import crash.cases
from crash.__main__ import load_cases, main
from crash.case import Case, Outcome, Run


def kept(run: Run) -> Outcome:
    return Outcome({"drawn": run.draw.randrange(1_000_000)})


def broken(run: Run) -> Outcome:
    return Outcome({}, ["it was lost"])


def stumbling(run: Run) -> Outcome:
    raise LookupError("no such file")


def case(run: Callable[[Run], Outcome], control: Callable[[Run], Outcome]) -> dict[str, Case]:
    return {"T00": Case("T00", "made-up", "nothing is lost", run, control, "something is lost")}


@pytest.mark.parametrize(
    ("run", "control", "code"),
    [(kept, broken, 0), (broken, broken, 1), (kept, kept, 1), (stumbling, broken, 1), (kept, stumbling, 1)],
)
def test_only_a_kept_promise_with_a_control_that_was_noticed_is_good(
    run: Callable[[Run], Outcome], control: Callable[[Run], Outcome], code: int
) -> None:
    assert main(["T00"], case(run, control)) == code


def test_a_seed_repeats_the_draws_and_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = []
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        file = tmp_path / name
        assert main(["T00", "--seed", seed, "--json", str(file)], case(kept, broken)) == 0
        drawn.append(json.loads(file.read_text())[0]["figures"]["drawn"])
    assert drawn[0] == drawn[1] != drawn[2]
    assert "seed 7" in capsys.readouterr().out


def test_a_case_that_this_machine_cannot_run_is_not_good(capsys: pytest.CaptureFixture[str]) -> None:
    cases = {"T00": Case("T00", "x", "y", kept, broken, "z", needs=lambda: "no such device")}
    assert main([], cases) == 1
    capsys.readouterr()


def test_every_case_has_an_id_of_its_own_a_promise_and_a_control() -> None:
    cases = load_cases()
    files = {file.stem for folder in crash.cases.__path__ for file in Path(folder).glob("t*.py")}
    assert {f"{found.id}_{found.name}".lower().replace("-", "_") for found in cases.values()} == files
    assert {name for name, found in cases.items() if not (found.promise and found.control_does)} == set()
    assert all(name.startswith("T") for name in cases)
