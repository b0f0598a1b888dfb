"""The report on a whole tree, built from file reports in any order, and its readable form."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from sheratan.kinds.audit.errors import AuditInputError
from sheratan.kinds.audit.lines import printable
from sheratan.kinds.audit.model import (
    SEVERITIES,
    AuditReport,
    FileReport,
    Finding,
    LanguageCount,
    RuleCount,
    RuleId,
    Severity,
    SeverityCounts,
    SkipCount,
    SkippedFile,
    SkipReason,
    WorstFile,
)
from sheratan.kinds.audit.rules import RULES, severity_rank

MAX_FINDINGS = 500
MAX_WORST_FILES = 20
MAX_SKIPPED_FILES = 100


class _RuleKey(NamedTuple):
    rule: RuleId
    severity: Severity


def build_report(
    root_name: str, reports: Iterable[FileReport], *, max_findings: int = MAX_FINDINGS
) -> AuditReport:
    """Combine file reports into one report, which does not depend on their order.

    Findings are ranked by severity, then rule, path, and line, and cut to `max_findings`.
    Raises `AuditInputError` when two reports are about the same path.
    """
    if max_findings < 0:
        raise AuditInputError("max_findings", "must not be negative")
    files = _in_order(reports)
    analysed = [report for report in files if report.skipped is None]
    skipped = [_skipped(report) for report in files if report.skipped is not None]
    rules = _rule_counts(analysed)
    findings = ranked(finding for report in analysed for finding in report.findings)[:max_findings]
    return AuditReport(
        root=root_name,
        files=len(analysed),
        skipped=len(skipped),
        bytes=_total("bytes", analysed),
        lines=_total("lines", analysed),
        code_lines=_total("code_lines", analysed),
        functions=_total("functions", analysed),
        complexity_max=max((report.complexity_max for report in analysed), default=0),
        suppressed=_total("suppressed", analysed),
        languages=_language_counts(analysed),
        by_severity=_severity_counts(rules),
        by_rule=rules,
        findings=tuple(findings),
        findings_total=sum(entry.count for entry in rules),
        findings_shown=len(findings),
        worst_files=_worst_files(analysed),
        skipped_by_reason=_skip_counts(skipped),
        skipped_files=tuple(skipped[:MAX_SKIPPED_FILES]),
    )


def _in_order(reports: Iterable[FileReport]) -> list[FileReport]:
    files = sorted(reports, key=lambda report: report.path)
    for left, right in pairwise(files):
        if left.path == right.path:
            raise AuditInputError("reports", f"has more than one report on {left.path}")
    return files


def _total(
    field: Literal["bytes", "lines", "code_lines", "functions", "suppressed"], reports: list[FileReport]
) -> int:
    return sum(getattr(report, field) for report in reports)


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Findings with the worst first: by severity, then rule, path, and line."""
    return sorted(
        findings,
        key=lambda item: (
            severity_rank(item.severity),
            item.rule,
            item.path,
            item.line,
            item.message,
            item.evidence,
        ),
    )


def to_markdown(report: AuditReport) -> str:
    """The report as a Markdown page."""
    parts = [f"# Audit of {_plain(report.root)}", "", *_summary(report), *_languages(report)]
    parts += _findings(report)
    parts += _worst(report)
    parts += _skips(report)
    return "\n".join(parts).rstrip("\n") + "\n"


def _skipped(report: FileReport) -> SkippedFile:
    if report.skipped is None:
        raise AuditInputError("reports", f"{report.path} was not skipped")
    return SkippedFile(path=report.path, reason=report.skipped, notes=report.notes)


def _tally(reports: Iterable[FileReport]) -> Counter[_RuleKey]:
    """All findings by rule and severity, including those that the file reports do not list."""
    counts: Counter[_RuleKey] = Counter()
    for report in reports:
        counts.update(_RuleKey(finding.rule, finding.severity) for finding in report.findings)
        for entry in report.omitted:
            counts[_RuleKey(entry.rule, entry.severity)] += entry.count
    return counts


def _rule_counts(reports: Iterable[FileReport]) -> tuple[RuleCount, ...]:
    counts = _tally(reports)
    order = sorted(counts, key=lambda key: (severity_rank(key.severity), key.rule))
    return tuple(RuleCount(rule=key.rule, severity=key.severity, count=counts[key]) for key in order)


def _severity_counts(rules: Iterable[RuleCount]) -> SeverityCounts:
    totals: Counter[Severity] = Counter()
    for entry in rules:
        totals[entry.severity] += entry.count
    return SeverityCounts.model_validate({severity: totals[severity] for severity in SEVERITIES})


def _language_counts(reports: Iterable[FileReport]) -> tuple[LanguageCount, ...]:
    groups: dict[str, list[FileReport]] = defaultdict(list)
    for report in reports:
        groups[report.language].append(report)
    counts = [
        LanguageCount(
            language=language,
            files=len(members),
            lines=sum(member.lines for member in members),
            code_lines=sum(member.code_lines for member in members),
            bytes=sum(member.bytes for member in members),
        )
        for language, members in groups.items()
    ]
    return tuple(sorted(counts, key=lambda count: (-count.code_lines, -count.lines, count.language)))


def _worst_files(reports: Iterable[FileReport]) -> tuple[WorstFile, ...]:
    """Files with findings of low severity or worse; one severe finding outweighs many lesser ones."""
    worst = [
        WorstFile(
            path=report.path,
            lines=report.lines,
            complexity_max=report.complexity_max,
            findings=_severity_counts(_rule_counts([report])),
        )
        for report in reports
        if report.findings
    ]
    noteworthy = [file for file in worst if any(_weight(file)[:-1])]
    order = sorted(noteworthy, key=lambda file: ([-count for count in _weight(file)], file.path))
    return tuple(order[:MAX_WORST_FILES])


def _weight(file: WorstFile) -> tuple[int, int, int, int, int]:
    counts = file.findings
    return counts.critical, counts.high, counts.medium, counts.low, counts.info


def _skip_counts(skipped: Sequence[SkippedFile]) -> tuple[SkipCount, ...]:
    counts: Counter[SkipReason] = Counter(file.reason for file in skipped)
    return tuple(SkipCount(reason=reason, count=counts[reason]) for reason in sorted(counts))


def _plain(text: str) -> str:
    """Text that Markdown takes literally, on one line."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|!~" else char for char in printable(text))


def _code(text: str) -> str:
    """A code span; a backtick or a pipe would end it or its table cell, so they are replaced."""
    return f"`{printable(text).replace('`', chr(39)).replace('|', '¦')}`"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str | int]]) -> list[str]:
    lines = [f"| {' | '.join(headers)} |", f"|{' --- |' * len(headers)}"]
    return [*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows), ""]


def _summary(report: AuditReport) -> list[str]:
    rows: list[tuple[str, int]] = [
        ("Files analysed", report.files),
        ("Files skipped", report.skipped),
        ("Lines", report.lines),
        ("Lines of code", report.code_lines),
        ("Bytes", report.bytes),
        ("Python functions", report.functions),
        ("Highest complexity", report.complexity_max),
        ("Findings", report.findings_total),
        ("Findings suppressed by a comment", report.suppressed),
    ]
    rows += [(f"Severity: {severity}", getattr(report.by_severity, severity)) for severity in SEVERITIES]
    return ["## Summary", "", *_table(("Measure", "Value"), rows)]


def _languages(report: AuditReport) -> list[str]:
    if not report.languages:
        return []
    rows = [(_plain(item.language), item.files, item.lines, item.code_lines) for item in report.languages]
    return ["## Languages", "", *_table(("Language", "Files", "Lines", "Lines of code"), rows)]


def _findings(report: AuditReport) -> list[str]:
    parts = ["## Findings", ""]
    if report.findings_total == 0:
        return [*parts, "None.", ""]
    rows = [(_code(entry.rule), entry.severity, entry.count) for entry in report.by_rule]
    parts += _table(("Rule", "Severity", "Count"), rows)
    if report.findings_shown < report.findings_total:
        shown, total = report.findings_shown, report.findings_total
        parts += [f"The {shown} findings listed below are part of {total}.", ""]
    current: _RuleKey | None = None
    for finding in report.findings:
        key = _RuleKey(finding.rule, finding.severity)
        if key != current:
            parts += _rule_heading(key, is_first=current is None)
            current = key
        parts.append(_finding_line(finding))
    return [*parts, ""]


def _rule_heading(key: _RuleKey, *, is_first: bool) -> list[str]:
    rule = RULES[key.rule]
    gap = [] if is_first else [""]
    heading = f"### {key.severity}: {rule.title} (`{key.rule}`)"
    return [*gap, heading, "", f"{rule.why} {rule.fix}", ""]


def _finding_line(finding: Finding) -> str:
    place = _code(f"{finding.path}:{finding.line}")
    evidence = f" {_code(finding.evidence)}" if finding.evidence else ""
    return f"- {place} {_plain(finding.message)}{evidence}"


def _worst(report: AuditReport) -> list[str]:
    if not report.worst_files:
        return []
    rows = [(_code(file.path), *_weight(file), file.complexity_max) for file in report.worst_files]
    headers = ("File", *SEVERITIES, "complexity")
    return ["## Files with the worst findings", "", *_table(headers, rows)]


def _skips(report: AuditReport) -> list[str]:
    if not report.skipped:
        return []
    parts = ["## Skipped files", ""]
    parts += _table(("Reason", "Files"), [(entry.reason, entry.count) for entry in report.skipped_by_reason])
    parts += [f"- {_code(file.path)} {_plain('; '.join(file.notes))}" for file in report.skipped_files]
    if len(report.skipped_files) < report.skipped:
        parts += ["", f"{report.skipped - len(report.skipped_files)} more are not listed."]
    return [*parts, ""]
