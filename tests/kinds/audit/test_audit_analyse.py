"""The analysis of one file as a whole: deterministic, bounded, and never failing on odd input."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.kinds.audit.analyse import MAX_FINDINGS_PER_RULE, analyse_bytes
from sheratan.kinds.audit.languages import language_of, role_of
from sheratan.kinds.audit.lines import MAX_LINE_CHARS, bound_lines, split_lines
from sheratan.kinds.audit.model import MAX_EVIDENCE_CHARS, FileReport
from sheratan.kinds.audit.walk import MAX_FILE_BYTES

PATHS = ("a.py", "a.js", "a.html", "a.yaml", "a.md", "a.unknown", ".env", "a.lock")


def test_a_file_is_measured() -> None:
    data = b'"""Doc."""\n\n# note\ndef f(x):\n    if x:\n        return 1\n\ndef g(): ...\n'
    report = analyse_bytes("a.py", data)
    assert (report.language, report.bytes, report.lines, report.code_lines) == ("python", len(data), 8, 5)
    assert (report.functions, report.complexity_max, report.complexity_total) == (2, 2, 3)
    assert report.sha256 == hashlib.sha256(data).hexdigest()
    assert report.skipped is None


def test_an_empty_file_is_measured() -> None:
    report = analyse_bytes("a.py", b"")
    assert (report.lines, report.code_lines, report.findings) == (0, 0, ())


def test_binary_data_is_reported_as_skipped() -> None:
    report = analyse_bytes("a.py", b"a\0b")
    assert (report.skipped, report.sha256, report.lines) == ("binary", None, 0)


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.py", "python"),
        ("a/b.TSX", "typescript"),
        ("Dockerfile", "dockerfile"),
        ("Dockerfile.dev", "dockerfile"),
        (".env.local", "ini"),
        ("README", "text"),
        ("LICENSE", "text"),
        ("id_rsa", "unknown"),
        ("a.tar.gz", "unknown"),
    ],
)
def test_the_language_follows_from_the_name(path: str, language: str) -> None:
    assert language_of(path).name == language


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("src/a.py", "code"),
        ("tests/a.py", "test"),
        ("src/test_a.py", "test"),
        ("src/a.spec.ts", "test"),
        ("src/latest.py", "code"),
        ("src/contest_a.py", "code"),
        ("docs/a.py", "docs"),
        ("README.md", "docs"),
        ("deploy/server.key", "code"),
    ],
)
def test_the_role_follows_from_the_path(path: str, role: str) -> None:
    assert role_of(path) == role


def test_a_suppression_names_the_rules_it_silences() -> None:
    line = "port = 8001; x = 'localhost:9001'  # audit: ignore[{}]\n"
    both = analyse_bytes("a.py", line.format("hardcoded-port, hardcoded-endpoint").encode())
    one = analyse_bytes("a.py", line.format("hardcoded-port").encode())
    none = analyse_bytes("a.py", line.format("no-such-rule").encode())
    assert (len(both.findings), both.suppressed) == (0, 2)
    assert ([finding.rule for finding in one.findings], one.suppressed) == (["hardcoded-endpoint"], 1)
    assert (len(none.findings), none.suppressed) == (2, 0)


@pytest.mark.parametrize(
    ("path", "comment"),
    [("a.js", "// {}"), ("a.css", "/* {} */"), ("a.html", "<!-- {} -->"), ("a.sql", "-- {}")],
)
def test_a_suppression_may_stand_in_any_kind_of_comment(path: str, comment: str) -> None:
    text = "x = 'localhost:9001' " + comment.format("audit: ignore[hardcoded-endpoint]")
    assert analyse_bytes(path, text.encode()).suppressed == 1


def test_a_suppression_outside_a_comment_has_no_effect() -> None:
    assert analyse_bytes("a.py", b"port = 8001; audit: ignore[hardcoded-port]\n").suppressed == 0


def test_findings_beyond_the_limit_are_counted_and_not_listed() -> None:
    report = analyse_bytes("a.sh", b"# TODO x\n" * (MAX_FINDINGS_PER_RULE + 7))
    assert len(report.findings) == MAX_FINDINGS_PER_RULE
    assert [(entry.rule, entry.severity, entry.count) for entry in report.omitted] == [
        ("todo-comment", "info", 7)
    ]


def test_unprintable_characters_do_not_reach_the_evidence() -> None:
    report = analyse_bytes("a.sh", "# TODO a\x1b[31m\u202eb\n".encode())
    assert [finding.evidence for finding in report.findings] == ["TODO a?[31m?b"]


def test_evidence_is_cut_to_its_limit() -> None:
    (finding,) = analyse_bytes("a.sh", b"# TODO " + b"a " * 500).findings
    assert len(finding.evidence) == MAX_EVIDENCE_CHARS


def test_no_pattern_sees_more_of_a_line_than_the_limit() -> None:
    hostile = split_lines("a" * MAX_FILE_BYTES)
    assert [len(line) for line in bound_lines(hostile)] == [MAX_LINE_CHARS]
    late = b" " * MAX_LINE_CHARS + b"# TODO"
    assert analyse_bytes("a.sh", late).findings == ()


def test_the_text_of_an_overlong_line_is_not_shown() -> None:
    data = b"# TODO now " + b"a" * MAX_LINE_CHARS
    (finding,) = analyse_bytes("a.sh", data).findings
    assert finding.evidence == f"(line of {len(data)} characters, not shown)"


@pytest.mark.parametrize(
    "unit",
    [
        '"',
        '\\"',
        "'",
        "eyJ-",
        "eyJaaaaaaaaaa.",
        "a://b:",
        "password ",
        'password:"',
        "port ",
        "--a-port ",
        "/home/a/",
        "C:\\a\\",
        "-----BEGIN ",
        "xox" + "b-",
        "origin:",
        "/**/",
        "# audit: ignore[",
        "bind=",
        "https://a.",
        " ",
    ],
)
def test_a_hostile_line_of_the_full_size_is_analysed(unit: str) -> None:
    line = (unit * MAX_FILE_BYTES)[:MAX_FILE_BYTES].encode()
    for path in ("a.js", "a.yaml"):
        assert analyse_bytes(path, line).lines == 1


@given(st.binary(max_size=400), st.sampled_from(PATHS))
def test_any_bytes_give_the_same_report_twice(data: bytes, path: str) -> None:
    report = analyse_bytes(path, data)
    assert report == analyse_bytes(path, data)
    assert FileReport.model_validate_json(report.model_dump_json()) == report


FRAGMENTS = [
    "port = 8001",
    "# TODO",
    "password = '",
    "'",
    '"',
    "\n",
    "localhost:80",
    "/*",
    "*/",
    "def f():",
    "\\",
]


@given(
    st.lists(st.sampled_from([*FRAGMENTS, "    ", "async ", "\t", "é", "\r", "<!--"])), st.sampled_from(PATHS)
)
def test_findings_point_at_existing_lines(fragments: list[str], path: str) -> None:
    report = analyse_bytes(path, "".join(fragments).encode())
    assert all(1 <= finding.line <= max(1, report.lines) for finding in report.findings)
    assert report.code_lines <= report.lines
