"""The pages of the documentation, and a shell that runs what they show.

What a page shows is run in a folder of its own, from top to bottom:

- A ```python, ```toml or ```yaml block whose first line is a comment with a file name is that file.
- A ```console block is run. Lines that begin with `$ ` are commands, the others are what these say; `…` stands for
  any text, on a line or as a line. A command that fails must be followed by `$ echo $?`.
- `sheratan up` is started as a server and goes on until the page shows `^C`, or ends.
- A ```shell block is for the reader's machine: nothing runs it, but its Make targets and commands must exist.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.support import Server, clean_environment
from tools.source_tree import ROOT

__all__ = ["Block", "Command", "Shell", "blocks", "commands", "file_name", "matches", "pages", "text_of"]

_FENCE: Final = re.compile(r"```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"# ([a-z_]+\.(?:py|toml|yaml))")
_ANY: Final = "…"
_SENTINEL: Final = "--- ended with "


class Block(NamedTuple):
    """A fenced block: its language and its text."""

    language: str
    text: str


class Command(NamedTuple):
    """A command and the lines that it is shown to say."""

    text: str
    says: list[str]


def pages() -> list[Path]:
    """Every page that is written by hand."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in found if "reference" not in page.parts)


def text_of(page: Path) -> str:
    """The text of a page."""
    return page.read_text("utf-8")


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(*match.groups()) for match in _FENCE.finditer(text_of(page))]


def file_name(block: Block) -> str | None:
    """The file that a block is, or None."""
    match = _FILE.fullmatch(block.text.partition("\n")[0])
    return match[1] if match else None


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block. A line that ends with a backslash goes on."""
    current: Command | None = None
    open_line = False
    for line in block.text.splitlines():
        if open_line and current is not None:
            current = current._replace(text=f"{current.text[:-1]}{line.strip()}")
        elif line.startswith("$ ") or line == "^C":
            if current is not None:
                yield current
            current = Command(line.removeprefix("$ "), [])
        else:
            assert current is not None, f"says something before any command: {line}"
            current.says.append(line)
        open_line = current is not None and not current.says and current.text.endswith("\\")
    if current is not None:
        yield current


def matches(shown: list[str], said: str) -> bool:
    """Whether what is shown was said, with nothing in between but where `…` stands. Widths of gaps do not matter."""
    pattern = "".join(
        "(?:[^\n]*\n)*?" if line == _ANY else re.escape(_plain(line)).replace(_ANY, "[^\n]*") + "\n"
        for line in shown
    )
    return re.fullmatch(pattern, "".join(f"{_plain(line)}\n" for line in said.splitlines())) is not None


def _plain(line: str) -> str:
    return re.sub(" {2,}", " ", line.rstrip())


class Shell:
    """A shell in a folder, with this environment's `sheratan` and `python`. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        home = str(folder / "home")
        self._environment = clean_environment(PATH=path, HOME=home, XDG_DATA_HOME=f"{home}/share")
        self._server: Server | None = None
        self._code = 0
        self._shell = subprocess.Popen(
            ["/bin/sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=self._environment,
        )

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop(signal.SIGTERM)
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.stdout.close()
        self._shell.wait()

    def run(self, command: str) -> tuple[int, str]:
        """Run a command line; its exit code, and what it said."""
        if command == "^C":
            return self._stop(signal.SIGINT)
        if command.startswith("sheratan up"):
            return self._start(command)
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        # The exit code of the command before is put back, so that `echo $?` tells it.
        self._shell.stdin.write(f'(exit {self._code})\n{command}\necho "{_SENTINEL}$?"\n')
        self._shell.stdin.flush()
        said: list[str] = []
        for line in self._shell.stdout:
            before, ended, code = line.partition(_SENTINEL)
            said.append(before)
            if ended:
                self._code = int(code)
                return self._code, "".join(said)
        raise AssertionError(f"the shell ended at: {command}\n{''.join(said)}")

    def _start(self, command: str) -> tuple[int, str]:
        assert self._server is None, "a server runs already"
        process = subprocess.Popen(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self._folder,
            env=self._environment,
        )
        self._server = Server(self._folder, process)
        self._server.wait_started()
        return 0, "\n".join(self._server.said) + "\n"

    def _stop(self, number: signal.Signals) -> tuple[int, str]:
        if self._server is None:
            return 0, ""
        server, self._server = self._server, None
        before = len(server.said)
        try:
            code = server.stop(number)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.wait()
            raise
        finally:
            assert server.process.stderr is not None
            server.process.stderr.close()
        return code, "\n".join(server.said[before:]) + "\n"
