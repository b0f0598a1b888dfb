"""What the checks share: finding and parsing Python files, and reporting.

A file that does not parse is a fault, never skipped.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, order=True)
class Fault:
    """One finding, printed as `path:line: message` so that editors can jump to it."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class Unparsable(Exception):
    """The file is no valid Python; its fault says where."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def python_files(root: Path, *folders: str) -> Iterator[tuple[str, Path]]:
    """Yield (path relative to root with slashes, file) for each Python file under the folders, in order."""
    for folder in folders:
        for file in sorted((root / folder).rglob("*.py")):
            yield file.relative_to(root).as_posix(), file


def parse(path: str, file: Path) -> tuple[str, ast.Module]:
    """Return the text and the tree of a file."""
    try:
        text = file.read_text("utf-8")
        return text, ast.parse(text, filename=path)
    except SyntaxError as error:
        raise Unparsable(Fault(path, error.lineno or 1, f"does not parse: {error.msg}")) from error
    except ValueError as error:  # not UTF-8, or a null byte
        raise Unparsable(Fault(path, 1, f"does not parse: {error}")) from error


def report(check: str, faults: Iterable[Fault | str], summary: str) -> int:
    """Print the faults to stderr, or the summary when there are none; return the exit code."""
    found = list(faults)
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        print(f"{check}: {len(found)} fault(s)", file=sys.stderr)
        return 1
    print(f"{check}: {summary}")
    return 0
