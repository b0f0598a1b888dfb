"""What the documentation shows is what happens: each page is run in a folder of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import Block, Command, Shell, blocks, commands, file_name, matches, pages
from tests.support import run_cli
from tools.source_tree import ROOT

RUN = [page for page in pages() if any(block.language == "console" for block in blocks(page))]
_LANGUAGES = {"console", "ini", "json", "mermaid", "python", "shell", "text", "toml", "yaml"}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", RUN, ids=_name)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    with Shell(tmp_path) as shell:
        for block in blocks(page):
            name = file_name(block)
            if name is not None:
                (tmp_path / name).write_text(block.text, "utf-8")
            elif block.language == "console":
                _run(shell, list(commands(block)))


def _run(shell: Shell, shown: list[Command]) -> None:
    following = [*(command.text for command in shown[1:]), ""]
    for command, after in zip(shown, following, strict=True):
        code, said = shell.run(command.text)
        if code != 0:
            assert after == "echo $?", f"exit {code}: {command.text}\n{said}"
        wanted = "\n".join(command.says)
        assert matches(command.says, said), f"{command.text}\nis shown to say:\n{wanted}\nand says:\n{said}"


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_every_block_says_what_it_is(page: Path) -> None:
    shown = blocks(page)
    assert {block.language for block in shown} <= _LANGUAGES
    files = [block for block in shown if block.language in ("python", "toml", "yaml")]
    assert all(file_name(block) for block in files), "it is never run: name its file in its first line"
    run = " ".join(block.text for block in shown if block.language in ("console", "python"))
    unused = [name for name in map(file_name, files) if name and not _is_used(name, run)]
    assert unused == []


def _is_used(name: str, run: str) -> bool:
    stem = name.removesuffix(".py")
    used = rf"(?m)python (?:-m pytest .*)?{name}\b|--kinds {stem}\b|^from {stem} import|workflow run {name}\b"
    return name == "sheratan.toml" or re.search(used, run) is not None


def _shell_lines() -> Iterator[tuple[str, str]]:
    for page in pages():
        for block in blocks(page):
            if block.language == "shell":
                for line in block.text.splitlines():
                    yield _name(page), line


def test_commands_for_the_readers_machine_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for page, line in _shell_lines():
        for target in re.findall(r"^make ([a-z-]+)", line):
            assert target in targets, f"{page}: {line}"
        for words in re.findall(r"(?:^|[/ ])sheratan ((?:[a-z]+ ?)+)", line):
            done = run_cli(*words.split()[:2], "--help")
            assert done.returncode == 0, f"{page}: {line}\n{done.stderr}"


def test_an_example_runs_by_itself(tmp_path: Path) -> None:
    examples = sorted((ROOT / "examples").glob("*.py"))
    assert examples
    for example in examples:
        with Shell(tmp_path) as shell:
            code, said = shell.run(f"python {example} {tmp_path / example.stem}")
            assert code == 0, f"{example.name}\n{said}"
            done = shell.run(f"sheratan journal verify --data {tmp_path / example.stem}")
            assert done[0] == 0, f"{example.name}\n{done[1]}"


def test_a_shell_notices_what_is_not_as_shown() -> None:
    assert matches(["one", "…", "four … six"], "one\ntwo\nthree\nfour five six\n")
    assert matches(["one", "…"], "one\n")
    assert not matches(["one"], "one\ntwo\n")
    assert not matches(["one", "three"], "one\ntwo\nthree\n")
    shown = list(commands(Block("console", "$ echo a \\\n    b\na b\n^C\nstopped\n")))
    assert shown == [Command("echo a b", ["a b"]), Command("^C", ["stopped"])]


def test_a_shell_tells_the_exit_code_of_the_command_before(tmp_path: Path) -> None:
    with Shell(tmp_path) as shell:
        assert shell.run("(exit 3)") == (3, "")
        assert shell.run("echo $?") == (0, "3\n")
        assert shell.run("printf x") == (0, "x")
