"""Secrets in text, by known pattern, by assignment to a telling name, and by randomness."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sheratan.kinds.audit.entropy import (
    entropy_thousandths,
    is_digest_or_uuid,
    is_hexadecimal,
    is_random_token,
    is_uuid,
)
from sheratan.kinds.audit.languages import is_lock_file, language_of
from sheratan.kinds.audit.lines import Hit, bound_lines
from sheratan.kinds.audit.model import RuleId
from sheratan.kinds.audit.rules import RULES

SHOWN_CHARS = 4
"""At most this many characters of a secret are shown; fewer of a short one."""

MIN_LINE_CHARS = 10
"""A shorter line cannot hold a secret; most such lines are blank."""

PEM_LOOKAHEAD = 5
"""Key data must follow a private key header within this many lines."""


class SecretSpan(NamedTuple):
    """Where a secret stands in a line."""

    rule: RuleId
    start: int
    end: int


class _Pattern(NamedTuple):
    rule: RuleId
    needles: tuple[str, ...]
    regex: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class SecretScan:
    """The secrets of a file: the hits, the lines with every secret masked, and the values.

    The values are needed to mask further copies; they must not reach any output.
    """

    hits: tuple[Hit, ...]
    masked: tuple[str, ...]
    values: frozenset[str] = field(repr=False)


# Every repetition is bounded or starts at a token border, so that no line takes quadratic time.
_KNOWN: tuple[_Pattern, ...] = (
    _Pattern(
        "secret-aws-key",
        ("AKIA", "ASIA"),
        re.compile(r"(?<![A-Za-z0-9])(?P<s>A[KS]IA[A-Z0-9]{16})(?![A-Za-z0-9])"),
    ),
    _Pattern(
        "secret-github-token",
        ("gh", "github_pat_"),
        re.compile(r"(?<![A-Za-z0-9_])(?P<s>gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})"),
    ),
    _Pattern(
        "secret-slack-token",
        ("xox", "hooks.slack.com"),
        re.compile(
            r"(?<![A-Za-z0-9-])(?P<s>xox[abeoprs]-(?=[A-Za-z-]{0,80}[0-9])[A-Za-z0-9-]{10,250}"
            r"|hooks\.slack\.com/services/T\w{5,20}/B\w{5,20}/\w{16,40})"
        ),
    ),
    _Pattern(
        "secret-provider-key",
        ("sk-", "k_live_", "AIza", "glpat-", "npm_", "pypi-"),
        re.compile(
            r"(?<![A-Za-z0-9_-])(?P<s>sk-[A-Za-z0-9_-]{20,250}|[sr]k_live_[A-Za-z0-9]{16,250}"
            r"|AIza[A-Za-z0-9_-]{35}|glpat-[A-Za-z0-9_-]{20,100}|npm_[A-Za-z0-9]{36}"
            r"|pypi-AgEI[A-Za-z0-9_-]{50,250})(?![A-Za-z0-9])"
        ),
    ),
    _Pattern(
        "secret-jwt",
        ("eyJ",),
        re.compile(
            r"(?<![A-Za-z0-9_-])(?P<s>eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{8,4000}"
            r"\.[A-Za-z0-9_-]{16,1000})"
        ),
    ),
    _Pattern(
        "secret-connection-string",
        ("://",),
        re.compile(
            r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,30}://"
            r"[^\s:/@\"'<>`]{0,80}:(?P<s>[^\s/@\"'<>`]{3,120})@[\w.\[-]"
        ),
    ),
)

_NAMES = (
    r"(?:password|passwd|pwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|secret[_-]?key|account[_-]?key|auth[_-]?key|encryption[_-]?key|signing[_-]?key)"
)
_QUOTED = _Pattern(
    "secret-assignment",
    ("pass", "pwd", "secret", "token", "key"),
    re.compile(
        rf"(?P<name>{_NAMES})[\"'\])]{{0,3}}\s{{0,20}}(?::\s{{0,4}}[A-Za-z.]{{1,20}}\s{{0,4}})?(?:=>|:=|={{1,3}}|:)"
        r"\s{0,20}[bru]{0,2}(?P<q>[\"'`])(?P<s>[^\"'`\s]{6,200})(?P=q)",
        re.IGNORECASE,
    ),
)
_UNQUOTED = _Pattern(
    "secret-assignment",
    _QUOTED.needles,
    re.compile(
        rf"^\s{{0,60}}(?:[#;/]{{1,3}}\s{{0,4}})?(?:export\s{{1,4}}|ENV\s{{1,4}}|ARG\s{{1,4}}|-\s{{1,4}})?[\w.-]{{0,60}}?(?P<name>{_NAMES})"
        r"\s{0,20}[:=]\s{0,20}(?P<s>[^\s\"'`,;{}<>\[\]()]{6,200})\s{0,20}(?:#.*)?$",
        re.IGNORECASE,
    ),
)
_UNQUOTED_LANGUAGES = frozenset({"ini", "yaml", "dockerfile", "shell", "make"})

_TOLD = re.compile(
    rf"(?P<lead>{_NAMES}[\"'`\])]{{0,3}}(?:\s{{0,4}}[:=]{{1,2}}>?\s{{0,4}}[\"'`]?|\s{{1,4}}(?:is\s{{1,4}})?[\"'`]?(?=\S{{0,80}}\d)))"
    r"(?P<s>[^\s\"'`…]{4,200})",
    re.IGNORECASE,
)
_LONG_TOKEN = re.compile(r"(?=[A-Za-z+=_-]{0,80}\d)(?=[\d+=_-]{0,80}[A-Za-z])[A-Za-z0-9+=_-]{20,}")
_TOKEN = re.compile(r"[\"'`](?P<s>[A-Za-z0-9+/=_.~-]{20,200})(?=[\"'`])")
_PEM = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----.*")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,60}PRIVATE KEY")
_PEM_BODY = re.compile(r"[A-Za-z0-9+/=]{16,}")
_PEM_PROOF = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/=]{40,}")

_NEVER_REAL = re.compile(
    r"example|placeholder|change[_-]?me|redacted|your[_-]|x{4}|\*{3}|\.{3}|…|<|\$\{|\{\{|dummy|%\(",
    re.IGNORECASE,
)
_RARELY_REAL = re.compile(
    r"test|fake|sample|mock|foobar|todo|undefined|environ|getenv|process\.env"
    r"|[{}<>|\\()]|^[$%:.]|%s|\.\.|://",
    re.IGNORECASE,
)
_TRIVIAL_LOGIN = re.compile(r"(?:pass(?:word|wd)?|pwd?|secret|xxx+)\d{0,3}|[{$%:\[(].*|.*[}{]", re.IGNORECASE)
_LABEL = re.compile(r"[A-Za-z]+(?:[_\-.:/][A-Za-z]*\d{0,2})+|[A-Za-z]+[:?!*]|\d{6}")
_WORDS = re.compile(r"[A-Za-z]+\d{0,2}(?:[_\-.:/ ][A-Za-z]*\d{0,2})*")
_PATH = re.compile(r"^(?:[~.]{0,2}/|[A-Za-z]:\\)|\.(?:py|js|json|txt|ya?ml|html?|pem|key|crt)$")
# Tokens that mark a place in a listing, or one request, give no access.
_PAGING = re.compile(
    r"(?:continuation|pagination|idempotency|(?<![a-z])(?:next|page|change|lock|sync))[_-]?$"
)
_MIN_HEX_CHARS = 24
_PASSWORD_NAME = re.compile(r"pass|pwd", re.IGNORECASE)
_SYMBOL = re.compile(r"[!@#^&*+?$%~]")
_SK_BODY = re.compile(r"\d")


def redact(secret: str) -> str:
    """A stand-in for a secret: its first characters and its length."""
    shown = min(SHOWN_CHARS, len(secret) // 3)
    return f"{secret[:shown]}…{len(secret)}"


def mask_doubtful(text: str) -> str:
    """Mask text that is no clear secret but might be one, such as a password told in a comment.

    This is stricter than the findings are: a needless mask costs less than a shown secret.
    """
    told = _TOLD.sub(lambda match: match["lead"] + redact(match["s"]), text)
    return _LONG_TOKEN.sub(lambda match: redact(match[0]), told)


def find_secrets(line: str, path: str) -> list[SecretSpan]:
    """The secrets of one line, without overlaps, the most specific rule first in doubt."""
    spans: list[SecretSpan] = []
    for span in _candidates(line, path):
        if all(span.end <= other.start or span.start >= other.end for other in spans):
            spans.append(span)
    return sorted(spans, key=lambda span: span.start)


def scan_secrets(lines: Sequence[str], path: str) -> SecretScan:
    """Find and mask the secrets of a file, given its lines."""
    bounded = bound_lines(lines)
    hits: list[Hit] = []
    masked: list[str] = []
    values: set[str] = set()
    in_key = False
    for index, line in enumerate(bounded):
        if len(line) < MIN_LINE_CHARS:
            masked.append(line)
            continue
        spans = find_secrets(line, path)
        header = _PEM.search(line)
        if header is not None and _has_key_data(bounded, index):
            spans = [span for span in spans if span.end <= header.start()]
            spans.append(SecretSpan("secret-private-key", header.start(), header.end()))
            in_key = True
        for span in spans:
            secret = line[span.start : span.end]
            values.add(secret)
            hits.append(Hit(span.rule, index + 1, RULES[span.rule].title, redact(secret)))
        covered = _mask(line, spans)
        masked.append(_PEM_BODY.sub("…", covered) if in_key else covered)
        in_key = in_key and _PEM_END.search(line) is None
    return SecretScan(tuple(hits), tuple(masked), frozenset(values))


def _mask(line: str, spans: Sequence[SecretSpan]) -> str:
    parts: list[str] = []
    position = 0
    for span in spans:
        parts += [line[position : span.start], redact(line[span.start : span.end])]
        position = span.end
    return "".join(parts) + line[position:]


def _has_key_data(lines: Sequence[str], index: int) -> bool:
    """Tell a key from mere mention of its header, as in code that recognises keys."""
    return any(_PEM_PROOF.search(line) for line in lines[index : index + PEM_LOOKAHEAD])


def _candidates(line: str, path: str) -> Iterator[SecretSpan]:
    for pattern in _KNOWN:
        if any(needle in line for needle in pattern.needles):
            for match in pattern.regex.finditer(line):
                if _is_real(pattern.rule, match["s"]):
                    yield SecretSpan(pattern.rule, match.start("s"), match.end("s"))
    yield from _assignments(line, path)
    if '"' in line or "'" in line or "`" in line:
        yield from _random_tokens(line, path)


def _is_real(rule: RuleId, secret: str) -> bool:
    """Whether text in the form of a secret is one, and not a stand-in for documentation."""
    if rule == "secret-connection-string":
        return not _TRIVIAL_LOGIN.fullmatch(secret) and not _NEVER_REAL.search(secret)
    if secret.startswith("sk-") and len(_SK_BODY.findall(secret)) < 2:
        return False
    return not _NEVER_REAL.search(secret)


def _assignments(line: str, path: str) -> Iterator[SecretSpan]:
    lowered = line.lower()
    if not any(needle in lowered for needle in _QUOTED.needles):
        return
    patterns = [_QUOTED]
    if language_of(path).name in _UNQUOTED_LANGUAGES:
        patterns.append(_UNQUOTED)
    for pattern in patterns:
        for match in pattern.regex.finditer(line):
            before = line[max(0, match.start("name") - 16) : match.start("name")].lower()
            if not _PAGING.search(before) and _is_plausible(match["name"], match["s"]):
                yield SecretSpan(pattern.rule, match.start("s"), match.end("s"))


def _is_plausible(name: str, value: str) -> bool:
    """Whether a value given to a telling name can be a secret rather than a label or a path."""
    if any(pattern.search(value) for pattern in (_NEVER_REAL, _RARELY_REAL, _PATH)):
        return False
    if _PASSWORD_NAME.search(name):
        return _is_plausible_password(value)
    if len(value) < 8 or not _has_digits_and_letters(value):
        return False
    is_short_digest = is_hexadecimal(value) and len(value) < _MIN_HEX_CHARS
    is_handle = name.lower() == "token" and is_uuid(value)
    return not (is_short_digest or is_handle) and _is_dense(value)


def _is_plausible_password(value: str) -> bool:
    is_label = _TRIVIAL_LOGIN.fullmatch(value) or _LABEL.fullmatch(value)
    return not is_label and (any(char.isdigit() for char in value) or bool(_SYMBOL.search(value)))


def _is_dense(value: str) -> bool:
    return not _WORDS.fullmatch(value) and entropy_thousandths(value) >= 2_500


def _has_digits_and_letters(value: str) -> bool:
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value)


def _random_tokens(line: str, path: str) -> Iterator[SecretSpan]:
    if is_lock_file(path):
        return
    for match in _TOKEN.finditer(line):
        token = match["s"]
        if is_digest_or_uuid(token) or _NEVER_REAL.search(token):
            continue
        if is_random_token(token):
            yield SecretSpan("secret-entropy", match.start("s"), match.end("s"))
