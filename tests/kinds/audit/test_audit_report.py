"""The report on a tree: independent of order, honest in its counts, and readable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sheratan.kinds.audit.analyse import MAX_FINDINGS_PER_RULE, analyse_bytes, analyse_file
from sheratan.kinds.audit.errors import AuditInputError
from sheratan.kinds.audit.model import SEVERITIES, AuditReport, FileReport, Finding, RuleId, SkipReason
from sheratan.kinds.audit.report import MAX_SKIPPED_FILES, build_report, ranked, to_markdown
from sheratan.kinds.audit.rules import RULES, rules_markdown, severity_rank
from sheratan.kinds.audit.walk import walk_tree


def _file(path: str, text: str) -> FileReport:
    return analyse_bytes(path, text.encode())


def _skipped(path: str, reason: SkipReason = "binary") -> FileReport:
    return FileReport(path=path, language="unknown", bytes=3, skipped=reason, notes=("why",))


REPORTS = [
    _file("a.py", "port = 8001\nx = 'localhost:8002'\n# TODO x\n"),
    _file("b.py", "try:\n    f()\nexcept:\n    g()\n"),
    _file("c.js", "// TODO\n// FIXME\n"),
    _file("d.yaml", "<<<<<<< a\n=======\n>>>>>>> b\n"),
    _file("e.sh", "# TODO\n" * (MAX_FINDINGS_PER_RULE + 5)),
    _file("f.py", "x = 1\n"),
    _skipped("g.bin"),
    _skipped("h.bin", "too-large"),
]


@given(st.permutations(REPORTS))
def test_the_order_of_the_file_reports_does_not_matter(reports: list[FileReport]) -> None:
    report = build_report("root", reports)
    assert report == build_report("root", REPORTS)
    assert to_markdown(report) == to_markdown(build_report("root", REPORTS))


finding_strategy = st.builds(
    Finding,
    rule=st.sampled_from(sorted(RULES)),
    severity=st.sampled_from(SEVERITIES),
    path=st.just("a.py"),
    line=st.integers(1, 9),
    message=st.sampled_from(["one", "two"]),
    evidence=st.sampled_from(["", "x"]),
)


@given(st.lists(finding_strategy, max_size=12), st.data())
def test_the_order_of_findings_does_not_matter(findings: list[Finding], data: st.DataObject) -> None:
    other = data.draw(st.permutations(findings))
    first = FileReport(path="a.py", language="python", bytes=1, findings=tuple(findings))
    second = FileReport(path="a.py", language="python", bytes=1, findings=tuple(other))
    assert build_report("root", [first]) == build_report("root", [second])


@given(st.lists(finding_strategy, max_size=12))
def test_findings_are_ranked_by_severity_then_rule_path_and_line(findings: list[Finding]) -> None:
    keys = [(severity_rank(item.severity), item.rule, item.path, item.line) for item in ranked(findings)]
    assert keys == sorted(keys)


def test_the_counts_cover_all_findings_although_the_list_is_cut() -> None:
    whole = build_report("root", REPORTS)
    cut = build_report("root", REPORTS, max_findings=2)
    assert (cut.findings_shown, len(cut.findings)) == (2, 2)
    assert cut.findings == whole.findings[:2]
    assert cut.findings_total == whole.findings_total == 8 + MAX_FINDINGS_PER_RULE + 4
    assert whole.findings_shown == whole.findings_total - 5
    assert cut.by_severity == whole.by_severity
    assert sum(getattr(cut.by_severity, severity) for severity in SEVERITIES) == cut.findings_total
    assert f"The 2 findings listed below are part of {cut.findings_total}." in to_markdown(cut)


def test_files_are_counted_by_language_and_skipped_ones_apart() -> None:
    report = build_report("root", REPORTS)
    assert (report.files, report.skipped) == (6, 2)
    assert {item.language: item.files for item in report.languages} == {
        "python": 3,
        "javascript": 1,
        "yaml": 1,
        "shell": 1,
    }
    assert report.lines == sum(item.lines for item in report.languages)
    assert [(item.reason, item.count) for item in report.skipped_by_reason] == [
        ("binary", 1),
        ("too-large", 1),
    ]


def test_the_worst_files_come_first_and_clean_ones_are_absent() -> None:
    assert [file.path for file in build_report("root", REPORTS).worst_files] == [
        "d.yaml",
        "a.py",
        "b.py",
        "c.js",
    ]


def test_skipped_files_beyond_the_limit_are_counted() -> None:
    report = build_report("root", [_skipped(f"{number:04}.bin") for number in range(MAX_SKIPPED_FILES + 3)])
    assert (report.skipped, len(report.skipped_files)) == (MAX_SKIPPED_FILES + 3, MAX_SKIPPED_FILES)
    assert "3 more are not listed." in to_markdown(report)


def test_a_report_on_nothing_is_complete() -> None:
    report = build_report("root", [])
    assert (report.files, report.findings_total) == (0, 0)
    assert "None." in to_markdown(report)


def test_two_reports_on_one_path_are_refused() -> None:
    with pytest.raises(AuditInputError) as caught:
        build_report("root", [REPORTS[0], REPORTS[0]])
    assert caught.value.field == "reports"


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(AuditInputError) as caught:
        build_report("root", [], max_findings=-1)
    assert caught.value.field == "max_findings"


def _has_float(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_float(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_float(item) for item in value)
    return isinstance(value, float)


def test_a_report_holds_no_floats_and_survives_json() -> None:
    report = build_report("root", REPORTS)
    text = report.model_dump_json()
    assert not _has_float(json.loads(text))
    assert AuditReport.model_validate_json(text) == report


@pytest.mark.parametrize("value", [1.0, True, -1, "1"])
def test_a_count_must_be_a_whole_number(value: object) -> None:
    with pytest.raises(ValidationError):
        FileReport.model_validate({"path": "a", "language": "x", "bytes": value})


@pytest.mark.parametrize("path", ["", "/a", "../a", "a/../b", "a//b", "./a", "a/"])
def test_a_path_must_be_relative_and_normal(path: str) -> None:
    with pytest.raises(ValidationError):
        FileReport(path=path, language="x", bytes=0)


def test_models_are_closed_and_immutable() -> None:
    with pytest.raises(ValidationError):
        FileReport.model_validate({"path": "a", "language": "x", "bytes": 0, "more": 1})
    with pytest.raises(ValidationError):
        REPORTS[0].__setattr__("lines", 7)


def test_a_report_must_not_carry_findings_that_contradict_it() -> None:
    with pytest.raises(ValidationError, match="path of its file"):
        FileReport(path="z.py", language="python", bytes=0, findings=REPORTS[0].findings)
    with pytest.raises(ValidationError, match="no findings"):
        FileReport(path="a.py", language="python", bytes=0, skipped="binary", findings=REPORTS[0].findings)


@pytest.mark.parametrize("change", [{"findings_shown": 1}, {"findings_total": 9_999}])
def test_a_report_must_not_misstate_its_counts(change: dict[str, int]) -> None:
    fields = build_report("root", REPORTS).model_dump()
    with pytest.raises(ValidationError, match="findings_"):
        AuditReport.model_validate({**fields, **change})


def test_the_page_shows_places_reasons_and_remedies() -> None:
    page = to_markdown(build_report("my_repo", REPORTS))
    assert page.startswith("# Audit of my\\_repo\n")
    assert "- `a.py:2` " in page
    assert RULES["hardcoded-endpoint"].why in page
    assert RULES["hardcoded-endpoint"].fix in page
    assert "| Files analysed | 6 |" in page
    assert "- `g.bin` why" in page


def test_text_from_files_cannot_break_the_page() -> None:
    odd = _file("a|b`c\n.sh", "# TODO `x` | <b>\n")
    page = to_markdown(build_report("r", [odd]))
    assert "- `a¦b'c?.sh:1` A TODO comment was left. `TODO 'x' ¦ <b>`" in page


def test_every_rule_is_registered_and_documented() -> None:
    assert set(RULES) == set(get_args(RuleId))
    page = rules_markdown()
    for rule in RULES.values():
        assert f"| `{rule.id}` | {rule.severity} / {rule.aside} | {rule.title} |" in page
        assert f"## `{rule.id}`" in page
        assert severity_rank(rule.aside) >= severity_rank(rule.severity)
        assert rule.why.endswith(".")
        assert rule.fix.endswith(".")


def test_a_tree_is_audited_from_end_to_end(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text(
        "import time\nasync def f():\n    time.sleep(1)\n", encoding="utf-8"
    )
    (tmp_path / "b.bin").write_bytes(b"\0")
    report = build_report("tree", [analyse_file(tmp_path, file.path) for file in walk_tree(tmp_path)])
    assert (report.files, report.skipped) == (1, 1)
    assert [(item.rule, item.path, item.line) for item in report.findings] == [
        ("py-blocking-call", "src/a.py", 3)
    ]
