"""Hold files and functions to their budgets: `python -m tools.check_ratchet [--update]`.

Measures, per file, its lines; per function, the lines of its body (docstring excluded), its cyclomatic
complexity (branches, loops, handlers, comprehensions, `and`/`or`; asserts and `with` are free; a nested
function counts for itself) and its parameters (`self` and `cls` excluded). Budgets and exceptions are in
ratchet.toml. An exception must equal today's number: growth fails, and so does an improvement that was
not written down. `--update` writes improvements down; it never raises or adds an entry.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.source_tree import ROOT, Fault, Unparsable, parse, python_files, report

RATCHET = "ratchet.toml"

Function = ast.FunctionDef | ast.AsyncFunctionDef
Numbers = dict[str, int]
"""Measure name -> number."""


@dataclass(frozen=True)
class Subject:
    """A file or a function with its numbers. Its key is what ratchet.toml calls it."""

    key: str
    path: str
    line: int
    numbers: Mapping[str, int]


@dataclass(frozen=True)
class Ratchet:
    """The content of ratchet.toml."""

    budgets: Mapping[str, Numbers]
    exceptions: Mapping[str, Numbers]

    def budget_of(self, path: str) -> Numbers:
        """Return the budget of the longest folder that holds the path."""
        holders = [folder for folder in self.budgets if path.startswith(folder + "/")]
        return self.budgets[max(holders, key=len)] if holders else {}


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--update"]):
        print("usage: python -m tools.check_ratchet [--update]", file=sys.stderr)
        return 2
    if arguments:
        update(ROOT)
    ratchet = load(ROOT)
    return report("ratchet", check(ROOT), f"within budget, {len(ratchet.exceptions)} exception(s)")


def load(root: Path) -> Ratchet:
    content = tomllib.loads((root / RATCHET).read_text("utf-8"))
    return Ratchet(budgets=content["budgets"], exceptions=content.get("exceptions", {}))


def check(root: Path) -> list[Fault]:
    """Compare every subject with its budget and its exception, and every exception with its subject."""
    ratchet = load(root)
    try:
        subjects = measure(root, ratchet)
    except Unparsable as unparsable:
        return [unparsable.fault]
    faults = [fault for subject in subjects.values() for fault in compare(subject, ratchet)]
    gone = [key for key in ratchet.exceptions if key not in subjects]
    faults += [Fault(RATCHET, 1, f'"{key}" is gone: run with --update to remove it') for key in gone]
    return sorted(faults)


def compare(subject: Subject, ratchet: Ratchet) -> Iterator[Fault]:
    budget = ratchet.budget_of(subject.path)
    excepted = ratchet.exceptions.get(subject.key, {})
    for measured in subject.numbers.keys() & budget.keys():
        number = subject.numbers[measured]
        complaint = judge(number, budget[measured], excepted.get(measured))
        if complaint:
            yield Fault(subject.path, subject.line, f"{subject.key} has {measured} {number}, {complaint}")
    for measured in excepted.keys() - (budget.keys() & subject.numbers.keys()):
        yield Fault(RATCHET, 1, f'"{subject.key}": {measured} is not measured here: run with --update')


def judge(number: int, limit: int, excepted: int | None) -> str:
    """Return what is wrong with a number, or nothing."""
    if excepted is None:
        return f"the budget is {limit}" if number > limit else ""
    if number > excepted:
        return f"the exception is {excepted} and can only shrink"
    if number < excepted or number <= limit:
        return f"the exception still says {excepted}: run with --update"
    return ""


def update(root: Path) -> None:
    """Rewrite the exceptions: lower what shrank, drop what is within budget or has no subject."""
    ratchet = load(root)
    subjects = measure(root, ratchet)
    kept: dict[str, Numbers] = {}
    for key, excepted in ratchet.exceptions.items():
        subject = subjects.get(key)
        if subject is not None and (numbers := lowered(subject, excepted, ratchet.budget_of(subject.path))):
            kept[key] = numbers
    file = root / RATCHET
    head, _, _ = file.read_text("utf-8").partition("[exceptions]\n")
    file.write_text(f"{head}[exceptions]\n" + "".join(map(entry, sorted(kept.items()))), "utf-8")


def lowered(subject: Subject, excepted: Numbers, budget: Numbers) -> Numbers:
    kept: Numbers = {}
    for measured, allowed in excepted.items():
        number, limit = subject.numbers.get(measured), budget.get(measured)
        if number is not None and limit is not None and number > limit:
            kept[measured] = min(number, allowed)
    return kept


def entry(item: tuple[str, Numbers]) -> str:
    key, numbers = item
    body = ", ".join(f"{measured} = {number}" for measured, number in sorted(numbers.items()))
    return f'"{key}" = {{ {body} }}\n'


def measure(root: Path, ratchet: Ratchet) -> dict[str, Subject]:
    """Measure every file of the budgeted folders, and every function in it."""
    subjects: dict[str, Subject] = {}
    for path, file in python_files(root, *top_folders(ratchet)):
        text, tree = parse(path, file)
        subjects[path] = Subject(path, path, 1, {"file_lines": len(text.splitlines())})
        for name, function in functions(tree.body, ""):
            key = unique(f"{path}::{name}", subjects)
            subjects[key] = Subject(key, path, function.lineno, measure_function(function))
    return subjects


def top_folders(ratchet: Ratchet) -> list[str]:
    """Return the budgeted folders that are not inside another one."""
    return [f for f in ratchet.budgets if not any(f.startswith(other + "/") for other in ratchet.budgets)]


def functions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, Function]]:
    """Yield (qualified name, function) for all functions, however deep, in source order."""
    for node in body:
        if isinstance(node, Function):
            yield f"{prefix}{node.name}", node
        name = f"{prefix}{node.name}." if isinstance(node, Function | ast.ClassDef) else prefix
        for inner in inner_bodies(node):
            yield from functions(inner, name)


def inner_bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield the statement lists directly inside a statement, those of handlers and match cases included."""
    for _, value in ast.iter_fields(node):
        items = value if isinstance(value, list) else []
        statements = [item for item in items if isinstance(item, ast.stmt)]
        if statements:
            yield statements
        for item in items:
            if isinstance(item, ast.ExceptHandler | ast.match_case):
                yield item.body


def unique(key: str, taken: Mapping[str, Subject]) -> str:
    """Tell apart functions of one name in one scope (overloads, property setters) by a running number."""
    base, number = re.sub(r"#\d+$", "", key), 1
    while key in taken:
        number += 1
        key = f"{base}#{number}"
    return key


def measure_function(function: Function) -> Numbers:
    return {
        "function_lines": body_lines(function),
        "complexity": 1
        + sum(branches(child) for statement in function.body for child in own_nodes(statement)),
        "parameters": parameter_count(function),
    }


def body_lines(function: Function) -> int:
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    if not body:
        return 0
    first = min([body[0].lineno, *(d.lineno for d in getattr(body[0], "decorator_list", []))])
    return (function.end_lineno or first) - first + 1


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a statement without entering nested functions and classes, which count for themselves."""
    if isinstance(node, Function | ast.ClassDef):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from own_nodes(child)


def branches(node: ast.AST) -> int:
    """Return how many further paths a node opens."""
    if isinstance(node, ast.If | ast.IfExp | ast.For | ast.AsyncFor | ast.While | ast.ExceptHandler):
        return 1
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    if isinstance(node, ast.match_case):
        catches_all = (
            isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None and node.guard is None
        )
        return 0 if catches_all else 1
    return 0


def parameter_count(function: Function) -> int:
    arguments = function.args
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if listed and listed[0].arg in {"self", "cls"}:
        listed = listed[1:]
    return len(listed) + (arguments.vararg is not None) + (arguments.kwarg is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
