"""Languages by file name, the role of a file in its tree, and where its comments are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

Kind = Literal["code", "config", "docs", "data"]
Role = Literal["code", "test", "docs"]


@dataclass(frozen=True, slots=True)
class Language:
    """What the checks need to know about a language.

    `spaced_hash` is set where `#` starts a comment only after white space.
    """

    name: str
    kind: Kind
    line_comments: tuple[str, ...] = ()
    block: tuple[str, str] | None = None
    spaced_hash: bool = False


_C_BLOCK = ("/*", "*/")
_XML_BLOCK = ("<!--", "-->")


def _c_like(name: str) -> Language:
    return Language(name, "code", ("//",), _C_BLOCK)


def _hash_like(name: str, kind: Kind) -> Language:
    return Language(name, kind, ("#",), spaced_hash=True)


PYTHON = Language("python", "code", ("#",))
TEXT = Language("text", "docs")
UNKNOWN = Language("unknown", "data")

_BY_EXTENSIONS: tuple[tuple[str, Language], ...] = (
    ("py pyi pyw", PYTHON),
    ("js mjs cjs jsx", _c_like("javascript")),
    ("ts tsx mts cts", _c_like("typescript")),
    ("java", _c_like("java")),
    ("kt kts", _c_like("kotlin")),
    ("scala", _c_like("scala")),
    ("go", _c_like("go")),
    ("rs", _c_like("rust")),
    ("c h", _c_like("c")),
    ("cc cpp cxx hh hpp hxx", _c_like("c++")),
    ("cs", _c_like("c#")),
    ("swift", _c_like("swift")),
    ("dart", _c_like("dart")),
    ("php", Language("php", "code", ("//", "#"), _C_BLOCK)),
    ("css", Language("css", "code", (), _C_BLOCK)),
    ("scss less", _c_like("scss")),
    ("html htm vue svelte", Language("html", "code", (), _XML_BLOCK)),
    ("xml svg", Language("xml", "data", (), _XML_BLOCK)),
    ("sql", Language("sql", "code", ("--",), _C_BLOCK)),
    ("lua", Language("lua", "code", ("--",))),
    ("sh bash zsh", _hash_like("shell", "code")),
    ("ps1 psm1", Language("powershell", "code", ("#",), ("<#", "#>"), spaced_hash=True)),
    ("bat cmd", Language("batch", "code", ("REM ", "rem ", "::"))),
    ("rb", _hash_like("ruby", "code")),
    ("pl pm", _hash_like("perl", "code")),
    ("r", _hash_like("r", "code")),
    ("ex exs", _hash_like("elixir", "code")),
    ("tf hcl", Language("terraform", "config", ("#", "//"), _C_BLOCK)),
    ("yaml yml", _hash_like("yaml", "config")),
    ("toml", Language("toml", "config", ("#",))),
    ("ini cfg conf properties env", Language("ini", "config", ("#", ";"), spaced_hash=True)),
    ("json jsonc json5 webmanifest", Language("json", "config")),
    ("csv tsv lock map", Language("data", "data")),
    ("ipynb", Language("notebook", "data")),
    ("md markdown mdx", Language("markdown", "docs", (), _XML_BLOCK)),
    ("rst", Language("restructuredtext", "docs")),
    ("txt adoc", TEXT),
)

_LANGUAGES: dict[str, Language] = {
    extension: language for extensions, language in _BY_EXTENSIONS for extension in extensions.split()
}

_BY_NAME: dict[str, Language] = {
    "dockerfile": _hash_like("dockerfile", "config"),
    "containerfile": _hash_like("dockerfile", "config"),
    "makefile": _hash_like("make", "code"),
    **dict.fromkeys(("readme", "license", "copying", "changelog", "authors", "news", "metadata"), TEXT),
    ".env": _LANGUAGES["ini"],
    ".npmrc": _LANGUAGES["ini"],
    ".pypirc": _LANGUAGES["ini"],
}

_LOCK_NAMES = frozenset(
    {"package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum", "record", "packages.lock.json"}
)
_TEST_FOLDERS = frozenset({"test", "tests", "testing", "__tests__", "spec", "specs", "fixtures", "testdata"})
_DOCS_FOLDERS = frozenset({"doc", "docs"})
_TEST_NAME = re.compile(r"^(?:test_.*|tests?|conftest|.*_tests?|.*\.(?:test|spec))\.\w{1,5}$")


def language_of(path: str) -> Language:
    """The language of a file, judged by its name alone."""
    name = PurePosixPath(path).name.lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    for stem in (".env", "dockerfile"):
        if name.startswith(stem + "."):
            return _BY_NAME[stem]
    return _LANGUAGES.get(name.rpartition(".")[2], UNKNOWN)


def is_lock_file(path: str) -> bool:
    """Whether the file is a dependency lock or checksum list, which is full of hashes."""
    name = PurePosixPath(path).name.lower()
    return name in _LOCK_NAMES or name.endswith((".lock", ".sum")) or "sha256sum" in name


def role_of(path: str) -> Role:
    """Whether the file is documentation, a test, or (otherwise) code in use."""
    pure = PurePosixPath(path.lower())
    folders = set(pure.parts[:-1])
    if folders & _TEST_FOLDERS or _TEST_NAME.match(pure.name):
        return "test"
    if folders & _DOCS_FOLDERS or language_of(path).kind == "docs":
        return "docs"
    return "code"


class SplitLine(NamedTuple):
    """One line, divided into its code and its comment; either may be empty."""

    code: str
    comment: str


@cache
def _opener(language: Language) -> re.Pattern[str]:
    """A pattern that steps over quoted strings and stops at the start of a comment."""
    marks = [re.escape(mark) for mark in language.line_comments]
    if language.spaced_hash:
        marks = [rf"(?:^|(?<=\s)){mark}" for mark in marks]
    if language.block is not None:
        marks.append(re.escape(language.block[0]))
    # An escape outside a string is consumed as a unit, so that an unclosed quote is tried only once.
    strings = r'\\.|"(?:[^"\\]|\\.)*+"|\'(?:[^\'\\]|\\.)*+\'|`[^`]*+`'
    return re.compile(rf"{strings}|(?P<mark>{'|'.join(marks)})")


def split_comments(lines: Sequence[str], language: Language) -> Iterator[SplitLine]:
    """Divide each line into code and comment, with block comments carried over lines.

    Strings that span lines are not tracked, so a comment mark inside one is taken as a comment.
    """
    in_block = False
    marks = (*language.line_comments, *(language.block or ())[:1])
    for line in lines:
        if not in_block and not any(mark in line for mark in marks):
            yield SplitLine(line, "")
            continue
        code, comment, in_block = _split_line(line, language, in_block)
        yield SplitLine(code, comment)


def _split_line(line: str, language: Language, in_block: bool) -> tuple[str, str, bool]:
    code: list[str] = []
    comment: list[str] = []
    position = 0
    while position < len(line) or in_block:
        if in_block and language.block is not None:
            end = line.find(language.block[1], position)
            if end < 0:
                comment.append(line[position:])
                return "".join(code), " ".join(comment), True
            comment.append(line[position:end])
            position = end + len(language.block[1])
            in_block = False
            continue
        match = _next_mark(line, position, language)
        if match is None:
            code.append(line[position:])
            break
        code.append(line[position : match.start()])
        in_block = language.block is not None and match["mark"] == language.block[0]
        position = match.end()
        if not in_block:
            comment.append(line[position:])
            break
    return "".join(code), " ".join(comment), in_block


def _next_mark(line: str, position: int, language: Language) -> re.Match[str] | None:
    for match in _opener(language).finditer(line, position):
        if match["mark"] is not None:
            return match
    return None
