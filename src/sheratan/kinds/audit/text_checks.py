"""Checks that apply to the text of any file, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sheratan.kinds.audit.languages import Language, SplitLine, split_comments
from sheratan.kinds.audit.lines import Hit, bound_lines
from sheratan.kinds.audit.model import RuleId
from sheratan.kinds.audit.rules import RULES

LONG_FILE_LINES = 1_000

_MAX_PORT = 65_535
_MIN_CODE_CHARS = 6


# Assembled, since a linter takes the address itself for a server that binds to it.
_ANY_ADDRESS = ".".join("0000")


class _Check(NamedTuple):
    """A pattern for code; it is tried only where one of the lower-case needles occurs."""

    rule: RuleId
    needles: tuple[str, ...]
    regex: re.Pattern[str]


# Every repetition is bounded, so that no line takes more than linear time.
_CHECKS: tuple[_Check, ...] = (
    _Check(
        "hardcoded-endpoint",
        (":",),
        re.compile(
            r"(?<![\w.])(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|host\.docker\.internal"
            r"|(?:https?|wss?|tcp)://[A-Za-z0-9][A-Za-z0-9.-]{0,100}):(?P<port>\d{2,5})(?![\w.]?\d)(?!\w)"
        ),
    ),
    _Check(
        "hardcoded-port",
        ("port",),
        re.compile(
            r"(?:(?<![A-Za-z])(?:port|Port|PORT)|(?<=[a-z])Port)[\"'\])]{0,2}\s{0,12}"
            r"(?::\s{0,4}(?:int|number|u16|u32|uint16|integer|usize)\s{0,4})?(?::=|=>|=|:)\s{0,12}"
            r"[\"']?(?P<port>\d{2,5})(?![\w.:/-])"
        ),
    ),
    _Check(
        "hardcoded-port",
        ("port",),
        re.compile(
            r"(?<!\w)--(?:[a-z]{1,20}-){0,3}port[\"']?(?:\s{1,4}|=|,\s{0,4})[\"']?(?P<port>\d{2,5})(?![\w.-])"
        ),
    ),
    _Check(
        "wildcard-cors",
        ("origin",),
        re.compile(
            r"(?:allow_?origins?|allowed_?origins|\borigins?)(?:_regex)?[\"'\]]{0,2}\s{0,12}[:=]\s{0,12}"
            r"(?:[\[({]\s{0,4})?[\"']\*[\"']",
            re.IGNORECASE,
        ),
    ),
    _Check(
        "wildcard-cors",
        ("access-control-allow-origin",),
        re.compile(r"access-control-allow-origin[\"'\])]{0,2}[\s:=,(\"']{1,16}\*", re.IGNORECASE),
    ),
    _Check(
        "wildcard-cors",
        ("cors",),
        re.compile(
            r"CORS_(?:ORIGIN_ALLOW_ALL|ALLOW_ALL_ORIGINS)\s{0,8}=\s{0,8}True|(?<![\w.])cors\(\s{0,4}\)"
        ),
    ),
    _Check(
        "bind-all-interfaces",
        (_ANY_ADDRESS,),
        re.compile(
            r"(?<!ipv4)(?:host|bind|listen|addr|address|interface|server_name|run)[\w\"'\])]{0,12}"
            r"\s{0,4}(?:=(?!=)|:|,|\(|\s)\s{0,4}[(\[]{0,2}[\"']?0\.0\.0\.0(?![\w/]|\.\d)"
            r"|(?<![\d.])0\.0\.0\.0:\d{2,5}(?!\d)|\(\s{0,4}[\"']0\.0\.0\.0[\"']\s{0,4},\s{0,4}\w",
            re.IGNORECASE,
        ),
    ),
    _Check(
        "absolute-path",
        ("/home/", "/users/"),
        re.compile(
            r"(?<![\w/.~}>)*$-])/(?:home|Users)/(?!(?:user|username|me|you|name|runner|shared|linuxbrew)\b|X{2,})"
            r"[A-Za-z][\w.-]{0,40}(?:/[\w.-]{0,60}){0,6}"
        ),
    ),
    _Check(
        "absolute-path",
        (":\\", ":/"),
        re.compile(
            r"(?<![\w%/])[A-Za-z]:(?:\\{1,2}|/)(?:Users|Documents and Settings|Program Files|Windows)"
            r"(?:[\\/][^\\/\"'\s:]{0,60}){0,6}"
            r"|(?<![\w%/])[A-Z]:\\{1,2}[A-Za-z][\w .-]{1,40}\\{1,2}\w[\w.-]{0,60}"
        ),
    ),
)

_NAME_CHARS = 40
_NAME_BEFORE = re.compile(r"[\w\"'.-]{1,40}\Z")
_WORK_NOTE = re.compile(r"(?<![\w-])(?P<word>TODO|FIXME|XXX|HACK)(?![\w-])")
_CONFLICT_START = "<<<<<<< "
_CONFLICT_END = ">>>>>>> "


def check_text(lines: Sequence[str], language: Language, prose: frozenset[int] = frozenset()) -> list[Hit]:
    """All hits of the text rules, given lines whose secrets are masked.

    `prose` holds the numbers of lines that are text inside code, such as docstrings.
    """
    bounded = bound_lines(lines)
    hits = list(_conflicts(bounded))
    if language.kind == "code" and len(bounded) > LONG_FILE_LINES:
        hits.append(Hit("long-file", 1, f"This file has {len(bounded)} lines (limit {LONG_FILE_LINES}).", ""))
    for index, split in enumerate(split_comments(bounded, language)):
        number = index + 1
        hits += _comment_hits(split.comment, number)
        if len(split.code) >= _MIN_CODE_CHARS and number not in prose:
            hits += _code_hits(split, number)
    return hits


def _conflicts(lines: Sequence[str]) -> Iterator[Hit]:
    """Conflict markers, where an opening is followed by a divider and a closing.

    The divider alone is no evidence, since it also underlines headings.
    """
    start: int | None = None
    divided = False
    for number, line in enumerate(lines, start=1):
        if line.startswith(_CONFLICT_START):
            start, divided = number, False
        elif line.rstrip() == "=======":
            divided = start is not None
        elif line.startswith(_CONFLICT_END) and start is not None and divided:
            message = f"An unresolved merge conflict ends at line {number}."
            yield Hit("merge-conflict", start, message, lines[start - 1])
            start, divided = None, False


def _comment_hits(comment: str, number: int) -> Iterator[Hit]:
    match = _WORK_NOTE.search(comment) if comment else None
    if match is None:
        return
    rule: RuleId = "todo-comment" if match["word"] == "TODO" else "fixme-comment"
    yield Hit(rule, number, f"A {match['word']} comment was left.", comment[match.start() :].strip())


def _code_hits(split: SplitLine, number: int) -> Iterator[Hit]:
    lowered = split.code.lower()
    seen: set[RuleId] = set()
    for check in _CHECKS:
        if check.rule in seen or not any(needle in lowered for needle in check.needles):
            continue
        match = next((match for match in check.regex.finditer(split.code) if _is_port(match)), None)
        if match is not None:
            seen.add(check.rule)
            before = _NAME_BEFORE.search(split.code, max(0, match.start() - _NAME_CHARS), match.start())
            start = before.start() if before is not None else match.start()
            evidence = split.code[start : match.end()].strip(" \t\"'")
            yield Hit(check.rule, number, f"{RULES[check.rule].title}.", evidence)


def _is_port(match: re.Match[str]) -> bool:
    """Whether the number matched as a port can be one; a match without a number is accepted."""
    if "port" not in match.re.groupindex:
        return True
    return 0 < int(match["port"]) <= _MAX_PORT
