"""The audit of one file: all checks, then suppression, redaction, severity, and limits."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sheratan.kinds.audit.languages import PYTHON, Language, Role, language_of, role_of, split_comments
from sheratan.kinds.audit.lines import MAX_LINE_CHARS, Hit, bound_lines, printable, shorten, split_lines
from sheratan.kinds.audit.model import (
    MAX_EVIDENCE_CHARS,
    MAX_MESSAGE_CHARS,
    FileReport,
    Finding,
    RuleCount,
    RuleId,
    Severity,
)
from sheratan.kinds.audit.python_checks import PythonFacts, check_python
from sheratan.kinds.audit.rules import severity_of, severity_rank
from sheratan.kinds.audit.secrets import mask_doubtful, redact, scan_secrets
from sheratan.kinds.audit.text_checks import check_text
from sheratan.kinds.audit.walk import MAX_FILE_BYTES, decode, is_binary, load_file

MAX_FINDINGS_PER_RULE = 50
"""Further findings of a rule in one file are counted, not listed."""

_SUPPRESSION = re.compile(r"(?:#|//|/\*|--|<!--)\s{0,8}audit:\s{0,8}ignore\[(?P<rules>[a-z0-9, -]{1,400})\]")


class _Rated(NamedTuple):
    severity: Severity
    hit: Hit


class _Severities(NamedTuple):
    """Severities in one file; secrets in docstrings are rated as examples in documentation."""

    role: Role
    prose: frozenset[int]

    def of(self, hit: Hit) -> Severity:
        is_prose = self.role == "code" and hit.line in self.prose and hit.rule.startswith("secret-")
        return severity_of(hit.rule, "docs" if is_prose else self.role)


def analyse_file(root: Path | str, relative_path: str, *, max_bytes: int = MAX_FILE_BYTES) -> FileReport:
    """Audit one file of a tree.

    Raises `AuditInputError` when the root or the path cannot be used. A file that cannot be
    read, or should not be, gives a report that says so in `skipped`.
    """
    loaded = load_file(root, relative_path, max_bytes=max_bytes)
    path = str(PurePosixPath(relative_path))
    if loaded.skipped is not None:
        notes = (loaded.note,) if loaded.note else ()
        language = language_of(path).name
        return FileReport(
            path=path, language=language, bytes=loaded.size, notes=notes, skipped=loaded.skipped
        )
    return analyse_bytes(path, loaded.data)


def analyse_bytes(path: str, data: bytes) -> FileReport:
    """Audit the content of one file. The result depends on the path and the data alone."""
    language = language_of(path)
    if is_binary(data):
        return FileReport(
            path=path, language=language.name, bytes=len(data), notes=("has NUL bytes",), skipped="binary"
        )
    text, note = decode(data)
    lines = split_lines(text)
    bounded = bound_lines(lines)
    facts = check_python(text) if language is PYTHON else PythonFacts(())
    secrets = scan_secrets(lines, path)
    text_hits = [_withhold(hit, lines) for hit in check_text(secrets.masked, language, facts.prose)]
    kept, suppressed = _suppress([*facts.hits, *secrets.hits, *text_hits], bounded)
    listed, omitted = _limit(kept, _Severities(role_of(path), facts.prose))
    return FileReport(
        path=path,
        language=language.name,
        bytes=len(data),
        lines=len(lines),
        code_lines=_code_lines(bounded, language),
        functions=facts.functions,
        complexity_max=facts.complexity_max,
        complexity_total=facts.complexity_total,
        findings=tuple(_finding(hit, path, severity, secrets.values) for severity, hit in listed),
        omitted=omitted,
        suppressed=suppressed,
        notes=(note,) if note else (),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _withhold(hit: Hit, lines: Sequence[str]) -> Hit:
    """Mask what may be secret in the evidence, and drop that of a cut line altogether.

    The cut may have split a secret beyond recognition.
    """
    length = len(lines[hit.line - 1])
    if length <= MAX_LINE_CHARS:
        return hit._replace(evidence=mask_doubtful(hit.evidence))
    return hit._replace(evidence=f"(line of {length} characters, not shown)")


def _suppress(hits: Iterable[Hit], lines: Sequence[str]) -> tuple[list[Hit], int]:
    """Take out the hits that a comment on their line silences, and count them."""
    kept: list[Hit] = []
    suppressed = 0
    for hit in hits:
        if hit.rule in _silenced(lines[hit.line - 1] if hit.line <= len(lines) else ""):
            suppressed += 1
        else:
            kept.append(hit)
    return kept, suppressed


def _silenced(line: str) -> set[str]:
    if "audit:" not in line:
        return set()
    return {rule.strip() for match in _SUPPRESSION.finditer(line) for rule in match["rules"].split(",")}


def _finding(hit: Hit, path: str, severity: Severity, values: Iterable[str]) -> Finding:
    return Finding(
        rule=hit.rule,
        severity=severity,
        path=path,
        line=hit.line,
        message=shorten(printable(_hide(hit.message, values)), MAX_MESSAGE_CHARS),
        evidence=shorten(printable(_hide(hit.evidence, values)), MAX_EVIDENCE_CHARS),
    )


def _hide(text: str, values: Iterable[str]) -> str:
    """Mask copies of the secrets of the file, longest first so that none hides part of another."""
    for value in sorted((value for value in values if value in text), key=lambda value: (-len(value), value)):
        text = text.replace(value, redact(value))
    return text


def _limit(hits: Iterable[Hit], severities: _Severities) -> tuple[list[_Rated], tuple[RuleCount, ...]]:
    """Keep the first hits of each rule and severity, worst first, and count the others."""
    kept: list[_Rated] = []
    seen: Counter[tuple[RuleId, Severity]] = Counter()
    rated = [_Rated(severities.of(hit), hit) for hit in set(hits)]
    for entry in sorted(rated, key=lambda entry: (severity_rank(entry.severity), entry.hit)):
        key = (entry.hit.rule, entry.severity)
        seen[key] += 1
        if seen[key] <= MAX_FINDINGS_PER_RULE:
            kept.append(entry)
    omitted = tuple(
        RuleCount(rule=rule, severity=severity, count=count - MAX_FINDINGS_PER_RULE)
        for (rule, severity), count in seen.items()
        if count > MAX_FINDINGS_PER_RULE
    )
    return kept, omitted


def _code_lines(lines: Sequence[str], language: Language) -> int:
    """Lines that hold more than white space and comments."""
    return sum(1 for split in split_comments(lines, language) if split.code.strip())
