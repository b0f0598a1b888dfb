"""Report models of the audit. They hold no floats, because their JSON is canonicalised."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Severity = Literal["critical", "high", "medium", "low", "info"]

RuleId = Literal[
    "secret-private-key",
    "secret-aws-key",
    "secret-github-token",
    "secret-slack-token",
    "secret-provider-key",
    "secret-jwt",
    "secret-connection-string",
    "secret-assignment",
    "secret-entropy",
    "py-complexity-severe",
    "py-complexity",
    "py-blocking-call",
    "py-blocking-file",
    "py-bare-except",
    "py-swallowed-exception",
    "py-mutable-default",
    "py-syntax-error",
    "merge-conflict",
    "wildcard-cors",
    "bind-all-interfaces",
    "hardcoded-endpoint",
    "hardcoded-port",
    "absolute-path",
    "long-file",
    "fixme-comment",
    "todo-comment",
]

SkipReason = Literal["binary", "too-large", "unreadable", "symlink", "not-regular", "bad-name"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""All severities, worst first."""

MAX_MESSAGE_CHARS = 300
MAX_EVIDENCE_CHARS = 120

_SHA256 = r"^[0-9a-f]{64}$"


def _relative_posix(path: str) -> str:
    """Refuse a path that is absolute, climbs, or is not in its normal form."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or str(pure) != path:
        raise ValueError("must be a normalised path relative to the root, with '/' between its parts")
    return path


Count = Annotated[int, Field(ge=0, strict=True)]
"""A non-negative integer; strict, so that a float or a bool cannot slip in."""

RelativePath = Annotated[str, AfterValidator(_relative_posix)]
"""A path below the audited root, in posix form."""


class AuditModel(BaseModel):
    """Base of all audit models: immutable, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(AuditModel):
    """One place where a rule applies. `evidence` never holds an unredacted secret."""

    rule: RuleId
    severity: Severity
    path: RelativePath
    line: Annotated[int, Field(ge=1, strict=True)]
    message: Annotated[str, Field(max_length=MAX_MESSAGE_CHARS)]
    evidence: Annotated[str, Field(max_length=MAX_EVIDENCE_CHARS)]


class RuleCount(AuditModel):
    """How many findings a rule has at one severity."""

    rule: RuleId
    severity: Severity
    count: Count


class FileReport(AuditModel):
    """What the audit found in one file.

    `omitted` counts the findings beyond the limit per rule, `suppressed` those silenced by a
    comment. A skipped file has its reason in `skipped`, no findings, and no `sha256`.
    """

    path: RelativePath
    language: str
    bytes: Count
    lines: Count = 0
    code_lines: Count = 0
    functions: Count = 0
    complexity_max: Count = 0
    complexity_total: Count = 0
    findings: tuple[Finding, ...] = ()
    omitted: tuple[RuleCount, ...] = ()
    suppressed: Count = 0
    notes: tuple[str, ...] = ()
    skipped: SkipReason | None = None
    sha256: Annotated[str, Field(pattern=_SHA256)] | None = None

    @model_validator(mode="after")
    def _findings_belong_here(self) -> Self:
        """Keep a report from carrying findings of another file or of a skipped one."""
        if any(finding.path != self.path for finding in self.findings):
            raise ValueError("every finding must have the path of its file")
        if self.skipped is not None and (self.findings or self.omitted):
            raise ValueError("a skipped file has no findings")
        return self


class SeverityCounts(AuditModel):
    """Number of findings at each severity."""

    critical: Count = 0
    high: Count = 0
    medium: Count = 0
    low: Count = 0
    info: Count = 0


class LanguageCount(AuditModel):
    """Size of the analysed files of one language."""

    language: str
    files: Count
    lines: Count
    code_lines: Count
    bytes: Count


class SkippedFile(AuditModel):
    """A file that was listed but not analysed, and why."""

    path: RelativePath
    reason: SkipReason
    notes: tuple[str, ...] = ()


class SkipCount(AuditModel):
    """How many files were skipped for one reason."""

    reason: SkipReason
    count: Count


class WorstFile(AuditModel):
    """A file with many or severe findings."""

    path: RelativePath
    lines: Count
    complexity_max: Count
    findings: SeverityCounts


class AuditReport(AuditModel):
    """The audit of a whole tree.

    `files` counts analysed files only. All counts cover every finding; the `findings` list is
    cut to the worst ones, which `findings_total` and `findings_shown` state openly. The same
    holds for `skipped` and the `skipped_files` list.
    """

    root: str
    files: Count
    skipped: Count
    bytes: Count
    lines: Count
    code_lines: Count
    functions: Count
    complexity_max: Count
    suppressed: Count
    languages: tuple[LanguageCount, ...]
    by_severity: SeverityCounts
    by_rule: tuple[RuleCount, ...]
    findings: tuple[Finding, ...]
    findings_total: Count
    findings_shown: Count
    worst_files: tuple[WorstFile, ...]
    skipped_by_reason: tuple[SkipCount, ...]
    skipped_files: tuple[SkippedFile, ...]

    @model_validator(mode="after")
    def _counts_are_honest(self) -> Self:
        """Refuse a report whose stated counts do not match its lists."""
        if self.findings_shown != len(self.findings) or self.findings_shown > self.findings_total:
            raise ValueError("findings_shown must be the number of findings listed")
        if self.findings_total != sum(entry.count for entry in self.by_rule):
            raise ValueError("findings_total must be the sum over all rules")
        return self
