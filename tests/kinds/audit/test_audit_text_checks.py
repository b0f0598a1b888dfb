"""The text rules, on the many spellings found in real files."""

from __future__ import annotations

import pytest

from sheratan.kinds.audit.analyse import analyse_bytes
from sheratan.kinds.audit.languages import language_of, split_comments
from sheratan.kinds.audit.model import FileReport, Finding, RuleId

ANY = "0.0" + ".0.0"


def _analyse(text: str, path: str = "src/a.py") -> FileReport:
    return analyse_bytes(path, text.encode())


def _of(rule: RuleId, text: str, path: str = "src/a.py") -> list[Finding]:
    return [finding for finding in _analyse(text, path).findings if finding.rule == rule]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "port = 8001"),
        ("a.py", "HTTP_PORT: int = 8001"),
        ("a.py", "def serve(port: int = 8001): ..."),
        ("a.py", 'settings["port"] = 8001'),
        ("a.py", 'run(["serve", "--port", "8080"])'),
        ("a.json", '{"port": 3000}'),
        ("a.yaml", "  listen-port: 8080"),
        ("a.ts", "const serverPort = 3000;"),
        ("a.sh", "serve --port 8080"),
        ("a.sh", "serve --http-port=8080"),
        ("a.go", "port := 8080"),
        (".env", "PORT=8080"),
    ],
)
def test_a_literal_port_is_found(path: str, line: str) -> None:
    assert [finding.severity for finding in _of("hardcoded-port", line + "\n", path)] == ["low"]


@pytest.mark.parametrize(
    "line",
    [
        "port = 0",
        "port = 99999",
        "port == 8001",
        "report: 2024",
        "export = 1000",
        "viewport = 1024",
        "support: 2024-01-01",
        'port = int(os.environ.get("PORT", 8001))',
        "version = '8.0.1'",
        "import_line = 1234",
        "port: 3.11",
        "# port = 8001",
        "see line 8001 of the port",
    ],
)
def test_other_numbers_are_not_taken_for_ports(line: str) -> None:
    assert _of("hardcoded-port", line + "\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "x = 'localhost:8001'",
        f"x = '{ANY}:9000'",
        "x = 'http://127.0.0.1:80/'",
        "x = 'ws://api.internal:9000'",
    ],
)
def test_a_literal_endpoint_is_found(line: str) -> None:
    assert [finding.severity for finding in _of("hardcoded-endpoint", line + "\n")] == ["medium"]


@pytest.mark.parametrize(
    "line", ["x = 'localhost'", "at 12:30:45", "a.py:120", "x = 'urn:isbn:1234'", "# see localhost:8001"]
)
def test_times_and_line_references_are_not_endpoints(line: str) -> None:
    assert _of("hardcoded-endpoint", line + "\n") == []


def test_an_endpoint_in_a_docstring_is_not_reported() -> None:
    assert _of("hardcoded-endpoint", '"""Try http://localhost:8001."""\n') == []


def test_an_endpoint_in_documentation_or_tests_is_only_information() -> None:
    for path in ("README.md", "docs/a.py", "tests/test_a.py"):
        assert [
            finding.severity for finding in _of("hardcoded-endpoint", "x = 'localhost:8001'\n", path)
        ] == ["info"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", 'app.add_middleware(CORSMiddleware, allow_origins=["*"])'),
        ("a.py", "CORS(app, origins='*')"),
        ("a.py", "CORS_ALLOW_ALL_ORIGINS = True"),
        ("a.conf", "add_header Access-Control-Allow-Origin *;"),
        ("a.py", 'headers["Access-Control-Allow-Origin"] = "*"'),
        ("a.js", "res.setHeader('Access-Control-Allow-Origin', '*')"),
        ("a.js", "app.use(cors({origin:'*'}))"),
        ("a.js", "app.use(cors())"),
        ("a.http", "Access-Control-Allow-Origin: *"),
    ],
)
def test_a_wildcard_origin_is_found(path: str, line: str) -> None:
    assert len(_of("wildcard-cors", line + "\n", path)) == 1


@pytest.mark.parametrize(
    "line",
    ["allow_methods=['*']", "cors({origin: allowed})", "Access-Control-Allow-Headers: *", "origin = 'x*'"],
)
def test_other_wildcards_are_not_origins(line: str) -> None:
    assert _of("wildcard-cors", line + "\n", "a.js") == []


@pytest.mark.parametrize(
    "line", [f'HOST = "{ANY}"', f"sock.bind(('{ANY}', port))", f"serve --host {ANY}", f"listen {ANY}:80"]
)
def test_a_bind_to_all_interfaces_is_found(line: str) -> None:
    assert len(_of("bind-all-interfaces", line + "\n", "a.sh")) == 1


@pytest.mark.parametrize(
    "line", [f"cidr = '{ANY}/0'", f"if host == '{ANY}':", f"v = '1.{ANY}'", f"v = '{ANY}.1'"]
)
def test_networks_and_comparisons_are_not_binds(line: str) -> None:
    assert _of("bind-all-interfaces", line + "\n") == []


@pytest.mark.parametrize(
    "line",
    ["x = '/Users/alice/x'", r"x = 'C:\Users\alice'", r"x = 'D:\\work\\tools\\a'", "x = 'C:/Windows/x'"],
)
def test_a_path_of_one_machine_is_found(line: str) -> None:
    assert len(_of("absolute-path", line + "\n")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "x = '/usr/lib'",
        "x = '~/x'",
        r"x = r'[A-Z]:\w+'",
        r"x = 'Error:\n\n'",
        "u = 'https://a.org/home/alice/'",
    ],
)
def test_system_paths_patterns_and_urls_are_not_paths_of_one_machine(line: str) -> None:
    assert _of("absolute-path", line + "\n") == []


@pytest.mark.parametrize("divider", ["", "======\n", "text =======\n"])
def test_a_conflict_needs_all_of_its_markers(divider: str) -> None:
    assert _of("merge-conflict", f"<<<<<<< a\nx\n{divider}>>>>>>> b\n", "a.txt") == []


def test_a_conflict_is_reported_where_it_starts() -> None:
    findings = _of("merge-conflict", "x\n<<<<<<< a\n=======\n>>>>>>> b\n", "a.json")
    assert [(finding.line, finding.severity) for finding in findings] == [(2, "high")]


@pytest.mark.parametrize("word", ["FIXME", "XXX", "HACK"])
def test_a_doubtful_comment_is_of_low_severity(word: str) -> None:
    assert [finding.severity for finding in _of("fixme-comment", f"x = 1  # {word} no\n")] == ["low"]


@pytest.mark.parametrize("line", ["# TODOS", "# todo list", "x = 'TODO'", 'print("# TODO")'])
def test_the_word_must_stand_alone_in_capitals_in_a_comment(line: str) -> None:
    assert _of("todo-comment", line + "\n") == []


def test_a_comment_in_a_block_over_several_lines_is_found() -> None:
    assert [finding.line for finding in _of("todo-comment", "/* a\n TODO b\n*/ f();\n", "a.c")] == [2]


def test_a_rule_reports_a_line_once() -> None:
    assert len(_of("hardcoded-endpoint", "x = ['localhost:8001', 'localhost:8002']\n")) == 1


def test_a_long_data_file_is_not_a_finding() -> None:
    assert _of("long-file", "1,2\n" * 2000, "a.csv") == []


def test_line_numbers_are_not_shifted_by_form_feeds_or_windows_line_ends() -> None:
    assert [
        finding.line for finding in _of("hardcoded-port", "a = 1\f\r\nb = '\u2028'\r\nport = 8001\r\n")
    ] == [3]


@pytest.mark.parametrize(
    ("path", "line", "code", "comment"),
    [
        ("a.py", "x = '#' # y", "x = '#' ", " y"),
        ("a.js", "f('//') // y", "f('//') ", " y"),
        ("a.js", "a /* b */ c // d", "a  c ", " b   d"),
        ("a.sh", "echo $# # y", "echo $# ", " y"),
        ("a.sql", "select 1 -- y", "select 1 ", " y"),
        ("a.html", "<p> <!-- y -->", "<p> ", " y "),
        ("a.py", 'x = "unclosed # y', 'x = "unclosed ', " y"),
        ("a.css", "color: #fff", "color: #fff", ""),
    ],
)
def test_comments_are_separated_from_code(path: str, line: str, code: str, comment: str) -> None:
    assert list(split_comments([line], language_of(path))) == [(code, comment)]
