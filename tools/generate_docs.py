"""Generate the reference pages of docs/reference from the program itself: `python tools/generate_docs.py [--check]`.

Commands, settings, errors, events, the API, states and rules are described where they are defined, and nowhere
else. `--check` writes nothing and fails, with a diff, when a page is not what would be generated.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from pathlib import Path

# `make check` runs this file by its path, and then `tools` is no package yet.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.reference_pages import pages
from tools.source_tree import ROOT, report

REFERENCE = "docs/reference"
LINES_MAX = 40


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python tools/generate_docs.py [--check]", file=sys.stderr)
        return 2
    folder = ROOT / REFERENCE
    wanted = pages()
    if not arguments:
        write(folder, wanted)
    return report("docs", drift(folder, wanted), f"{len(wanted)} generated pages are current")


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write every page that differs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"docs: wrote {REFERENCE}/{name}")


def drift(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """A diff for each page that is not what it should be."""
    faults = []
    for name, text in wanted.items():
        path = folder / name
        found = path.read_text("utf-8") if path.exists() else ""
        if found != text:
            faults.append(diff(name, found, text) + "\nrun: .venv/bin/python tools/generate_docs.py")
    return faults


def diff(name: str, found: str, wanted: str) -> str:
    """What generating would change, shortened."""
    title = f"{REFERENCE}/{name}"
    lines = list(
        difflib.unified_diff(
            found.splitlines(), wanted.splitlines(), title, f"{title} as generated", lineterm="", n=1
        )
    )
    more = [f"… and {len(lines) - LINES_MAX} more lines"] if len(lines) > LINES_MAX else []
    return "\n".join(lines[:LINES_MAX] + more)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
