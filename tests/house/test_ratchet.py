"""The ratchet: budgets hold, exceptions only shrink."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools.check_ratchet import check, functions, load, measure_function, update

BUDGETS = """\
# head
[budgets]
"src" = { file_lines = 20, function_lines = 5, complexity = 3, parameters = 2 }
"src/sheratan/kernel" = { file_lines = 10, function_lines = 5, complexity = 3, parameters = 2 }
"tests" = { file_lines = 30 }
[exceptions]
"""


def project(scratch: Path, files: dict[str, str], exceptions: str = "") -> Path:
    for name, text in {**files, "ratchet.toml": BUDGETS + exceptions}.items():
        file = scratch / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return scratch


def faults(root: Path) -> list[str]:
    return [fault.message for fault in check(root)]


def lines(count: int) -> str:
    return "x = 1\n" * count


def long_function(body_lines: int) -> str:
    return "def work():\n" + "    x = 1\n" * body_lines


@pytest.mark.parametrize(
    ("path", "limit"),
    [("src/sheratan/engine/a.py", 20), ("src/sheratan/kernel/a.py", 10), ("tests/a.py", 30)],
)
def test_a_file_may_fill_the_budget_of_its_folder_and_no_more(tmp_path: Path, path: str, limit: int) -> None:
    assert faults(project(tmp_path, {path: lines(limit)})) == []
    (found,) = faults(project(tmp_path, {path: lines(limit + 1)}))
    assert f"has file_lines {limit + 1}, the budget is {limit}" in found


@pytest.mark.parametrize(
    ("text", "measured"),
    [
        (long_function(6), "function_lines 6"),
        ("def work(a, b, *, c): ...\n", "parameters 3"),
        ("def work(a, *b, **c): ...\n", "parameters 3"),
        ("def work(a):\n    if a and a > 1 or a < 0:\n        pass\n", "complexity 4"),
    ],
)
def test_a_function_over_budget_fails(tmp_path: Path, text: str, measured: str) -> None:
    (found,) = faults(project(tmp_path, {"src/a.py": text}))
    assert f"src/a.py::work has {measured}, the budget is" in found


def test_tests_have_no_budget_for_functions(tmp_path: Path) -> None:
    assert faults(project(tmp_path, {"tests/a.py": long_function(20)})) == []


def test_an_exception_holds_todays_number(tmp_path: Path) -> None:
    exception = '"src/a.py::work" = { function_lines = 8 }\n'
    assert faults(project(tmp_path, {"src/a.py": long_function(8)}, exception)) == []


@pytest.mark.parametrize(
    ("today", "complaint"), [(9, "can only shrink"), (7, "run with --update"), (4, "run with --update")]
)
def test_any_other_number_fails(tmp_path: Path, today: int, complaint: str) -> None:
    exception = '"src/a.py::work" = { function_lines = 8 }\n'
    (found,) = faults(project(tmp_path, {"src/a.py": long_function(today)}, exception))
    assert complaint in found


def test_an_exception_for_something_gone_fails(tmp_path: Path) -> None:
    (found,) = faults(project(tmp_path, {"src/a.py": ""}, '"src/b.py" = { file_lines = 30 }\n'))
    assert '"src/b.py" is gone' in found


def test_an_exception_for_something_unmeasured_fails(tmp_path: Path) -> None:
    (found,) = faults(project(tmp_path, {"src/a.py": ""}, '"src/a.py" = { beauty = 30 }\n'))
    assert "beauty is not measured" in found


def test_a_file_that_does_not_parse_fails(tmp_path: Path) -> None:
    (found,) = faults(project(tmp_path, {"src/a.py": "def (:\n"}))
    assert "does not parse" in found


def test_update_lowers_and_removes(tmp_path: Path) -> None:
    exceptions = (
        '"src/a.py::work" = { function_lines = 9, parameters = 4 }\n'
        '"src/b.py" = { file_lines = 30 }\n'
        '"src/gone.py" = { file_lines = 30 }\n'
    )
    root = project(tmp_path, {"src/a.py": long_function(7), "src/b.py": lines(20)}, exceptions)
    update(root)
    assert load(root).exceptions == {"src/a.py::work": {"function_lines": 7}}
    assert faults(root) == []
    assert (root / "ratchet.toml").read_text("utf-8").startswith("# head\n")


def test_update_neither_raises_nor_adds(tmp_path: Path) -> None:
    exception = '"src/a.py::work" = { function_lines = 6 }\n'
    root = project(tmp_path, {"src/a.py": long_function(7), "src/b.py": long_function(7)}, exception)
    update(root)
    assert load(root).exceptions == {"src/a.py::work": {"function_lines": 6}}
    assert len(faults(root)) == 2


def numbers(text: str) -> dict[str, dict[str, int]]:
    return {name: measure_function(function) for name, function in functions(ast.parse(text).body, "")}


def test_the_docstring_is_free_and_a_nested_function_counts_for_itself() -> None:
    text = (
        "class Worker:\n"
        "    def run(self, a):\n"
        '        """One.\n\n        Two.\n        """\n'
        "        def inner(b):\n"
        "            return 1 if b else 2\n"
        "        return inner(a)\n"
    )
    assert numbers(text) == {
        "Worker.run": {"function_lines": 3, "complexity": 1, "parameters": 1},
        "Worker.run.inner": {"function_lines": 1, "complexity": 2, "parameters": 1},
    }


@pytest.mark.parametrize(
    ("body", "complexity"),
    [
        ("    return a", 1),
        ("    assert a", 1),
        ("    return [x for x in a if x]", 3),
        ("    for x in a:\n        while x:\n            pass", 3),
        (
            "    try:\n        a()\n    except ValueError:\n        pass\n    except KeyError:\n        pass",
            3,
        ),
        ("    match a:\n        case 1:\n            pass\n        case _:\n            pass", 2),
        ("    if a:\n        pass\n    elif a > 1:\n        pass\n    else:\n        pass", 3),
    ],
)
def test_complexity_counts_the_paths(body: str, complexity: int) -> None:
    assert numbers(f"def work(a):\n{body}\n")["work"]["complexity"] == complexity


def test_functions_are_found_wherever_they_are_defined() -> None:
    branches = "if x:\n    def a(): ...\nelse:\n    def b(): ...\n"
    handlers = "try:\n    def c(): ...\nexcept KeyError:\n    def d(): ...\n"
    assert list(numbers(branches + handlers)) == ["a", "b", "c", "d"]
