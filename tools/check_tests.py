"""Keep tests honest: `python -m tools.check_tests`.

No test waits on the clock (`time.sleep`, or `asyncio.sleep` with anything but a literal 0): wait on a
condition, a signal or a virtual clock. No `unittest.mock`: a fake is written by hand against the
contract, so that it breaks when the contract changes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.dotted_names import Names, is_within
from tools.source_tree import ROOT, Fault, Unparsable, parse, python_files, report

MOCKS = frozenset({"mock", "unittest.mock"})


def main() -> int:
    return report("tests", check(ROOT), "no sleeps, no mocks")


def check(root: Path) -> list[Fault]:
    """Check every file under tests/."""
    faults: list[Fault] = []
    for path, file in python_files(root, "tests"):
        try:
            _, tree = parse(path, file)
        except Unparsable as unparsable:
            faults.append(unparsable.fault)
            continue
        faults += [Fault(path, line, message) for line, message in findings(tree)]
    return sorted(faults)


def findings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    names = Names(tree)
    for line, name in names.imported:
        if is_within(name, MOCKS):
            yield line, f"{name}: write a fake against the contract"
    harmless = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call) and only_yields(node)}
    for node in ast.walk(tree):
        name = names.of(node)
        if name == "time.sleep":
            yield getattr(node, "lineno", 1), "time.sleep: wait on a condition, a signal or a virtual clock"
        elif name == "asyncio.sleep" and id(node) not in harmless:
            yield (
                getattr(node, "lineno", 1),
                "asyncio.sleep other than sleep(0): wait on a condition, a signal or a virtual clock",
            )


def only_yields(call: ast.Call) -> bool:
    """Say whether a call passes a literal 0 and no more, which lets other tasks run and waits for no one."""
    first = call.args[0] if len(call.args) == 1 and not call.keywords else None
    return isinstance(first, ast.Constant) and first.value == 0


if __name__ == "__main__":
    sys.exit(main())
