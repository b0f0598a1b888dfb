"""The documentation names only what exists, and everything that must be looked up is in the reference."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from sheratan.contracts.errors import error_classes
from sheratan.contracts.journal import ENTRY_TYPES
from sheratan.contracts.limits import LIMIT_REASONS
from sheratan.kernel.replay import RULE_MODULES
from sheratan.kernel.rules import registered_rules
from sheratan.settings import setting_names
from tests.docs.pages import blocks, file_name, pages, text_of
from tests.support import run_cli
from tools.check_dependencies import read_wanted
from tools.source_tree import ROOT

REFERENCE = ROOT / "docs" / "reference"
SOURCE = ROOT / "src" / "sheratan"
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_PLACE = re.compile(r"([\w/.]+\.(?:py|sql|toml))(?::(\w+(?:\.\w+)?))?")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def _all_pages() -> list[Path]:
    return [*pages(), *sorted(REFERENCE.glob("*.md"))]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", _all_pages(), ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(_prose(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.is_relative_to(ROOT), target
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), target


def test_every_page_is_linked_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in _LINK.findall(_prose(index))}
    assert [_name(page) for page in _all_pages() if page != index and page not in linked] == []


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_every_place_in_the_code_exists(page: Path) -> None:
    own = {"sheratan.toml", *map(file_name, blocks(page))}
    for code in _CODE.findall(_prose(page)):
        match = _PLACE.fullmatch(code)
        if match is None or match[1] in own:
            continue
        path, symbol = match[1], match[2]
        found = next((base / path for base in (SOURCE, ROOT) if (base / path).is_file()), None)
        assert found is not None, code
        if symbol:
            assert symbol in _symbols(found), code


def _symbols(path: Path) -> set[str]:
    """What a module defines at its top, and the methods of its classes as `Class.method`."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            if isinstance(node, ast.ClassDef):
                inner = [
                    part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
                ]
                found |= {f"{node.name}.{part.name}" for part in inner}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_every_rule_entry_limit_and_command_that_is_named_exists(page: Path) -> None:
    assert RULE_MODULES
    for code in _CODE.findall(_prose(page)):
        if re.fullmatch(r"[a-z]+\.[a-z_]+@\d+", code):
            assert code in registered_rules(), code
        if re.fullmatch(r"(engine|policy|clock|worker|queue|job)\.[a-z_]+", code):
            assert code in ENTRY_TYPES or code in setting_names(), code
        if re.fullmatch(r"limits\.[a-z_]+", code):
            assert code in setting_names(), code


def test_every_command_that_is_named_in_prose_exists() -> None:
    reference = text_of(REFERENCE / "cli.md")
    known = set(re.findall(r"^## (sheratan .+)$", reference, re.MULTILINE))
    for page in pages():
        for code in _CODE.findall(_prose(page)):
            match = re.match(r"sheratan [a-z]+(?: [a-z]+(?= |$))?", code)
            if match:
                words = match[0].split()
                assert match[0] in known or " ".join(words[:2]) in known, f"{_name(page)}: {code}"


def test_the_reference_has_every_setting_limit_error_and_command() -> None:
    settings, errors, cli = (text_of(REFERENCE / f"{name}.md") for name in ("settings", "errors", "cli"))
    assert [name for name in setting_names() if f"`{name}`" not in settings] == []
    assert [name for name in LIMIT_REASONS if f"`limits.{name}`" not in settings] == []
    assert [code for code in error_classes() if f"`{code}`" not in errors] == []
    groups = re.findall(r"^  ([a-z]+) {2,}", run_cli("--help").stdout, re.MULTILINE)
    assert len(groups) > 5
    assert [name for name in groups if f"## sheratan {name}\n" not in cli] == []


def test_the_make_targets_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {target for page in pages() for target in re.findall(r"(?m)(?:^|`)make ([a-z-]+)", text_of(page))}
    assert {"demo", "test"} <= named
    assert named <= targets


def test_the_changelog_tells_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\] - ", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_the_readme_names_and_counts_the_packages_that_sheratan_needs() -> None:
    needed = [requirement.name for requirement in read_wanted(ROOT)[""]]
    count = _NUMBERS[len(needed)]
    readme = " ".join(text_of(ROOT / "README.md").split())
    assert f"It needs {count} packages: {', '.join(needed)} (" in readme


def test_every_decision_has_its_four_parts() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        titles = re.findall(r"^## (.+)$", text_of(record), re.MULTILINE)
        assert titles == ["Status", "Context", "Decision", "Consequences"], record.name


def test_no_line_of_prose_is_too_long() -> None:
    written = [page for page in pages() if page.name != "benchmarks.md"]  # that one is written by a run
    for page in written:
        for line in _prose(page).splitlines():
            is_row = line.startswith(("|", "- **"))
            assert len(line) <= 121 or is_row, f"{_name(page)}: {line}"
