"""Every rule has a case where it applies and one, close to it, where it must not."""

from __future__ import annotations

from typing import NamedTuple, get_args

import pytest

from sheratan.kinds.audit.analyse import analyse_bytes
from sheratan.kinds.audit.model import RuleId

LETTERS = "aB3dE5gH7jK9" + "mN2pQ4sT6vW8" + "xY1zC0fD5hJ7"
BLOCK = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 2


class Case(NamedTuple):
    """Two files, of which only the first breaks the rule."""

    path: str
    bad: str
    good: str


def _branches(count: int) -> str:
    return (
        "def f(x):\n"
        + "".join(f"    if x == {n}:\n        x += {n}\n" for n in range(count))
        + "    return x\n"
    )


def _pem(word: str, body: str) -> str:
    return f"-----BEGIN {word} KEY-----\n{body}\n-----END {word} KEY-----\n"


CASES: dict[RuleId, Case] = {
    "secret-private-key": Case("id_rsa", _pem("RSA PRI" + "VATE", BLOCK), _pem("PUBLIC", BLOCK)),
    "secret-aws-key": Case(
        "a.py", 'k = "' + "AKIA" + 'ABCDEFGHIJKLMNOP"\n', 'k = "' + "AKIA" + 'ABCDEFGH"\n'
    ),
    "secret-github-token": Case("a.py", f"# {'ghp' + '_' + LETTERS}\n", "# ghp_short\n"),
    "secret-slack-token": Case(
        "a.yml", f"x: {'xox' + 'b-'}123456789012-{LETTERS}\n", "x: xoxb-your-token-here\n"
    ),
    "secret-provider-key": Case(
        "a.js", f"x = '{'sk' + '-'}{LETTERS}'\n", "x = 'sk-estimator-doc-link-button'\n"
    ),
    "secret-jwt": Case(
        "a.txt", f"{'ey' + 'J'}{LETTERS}.{'ey' + 'J'}{LETTERS}.{LETTERS}\n", "eyJhbGciOiJIUzI1NiJ9\n"
    ),
    "secret-connection-string": Case(
        "a.py", "u = 'postgres://app:" + "hunt3r22" + "@db/x'\n", "u = 'postgres://app:${PASSWORD}@db/x'\n"
    ),
    "secret-assignment": Case(
        "a.py", 'db_password = "' + "hunt3r22" + '"\n', 'db_password = os.environ["DB_PASSWORD_2"]\n'
    ),
    "secret-entropy": Case("a.py", f'x = "{LETTERS}"\n', 'x = "AmazonEC2ContainerServiceRole2"\n'),
    "py-complexity-severe": Case("a.py", _branches(20), _branches(19)),
    "py-complexity": Case("a.py", _branches(10), _branches(9)),
    "py-blocking-call": Case(
        "a.py",
        "import time\nasync def f():\n    time.sleep(1)\n",
        "import time\ndef f():\n    time.sleep(1)\n",
    ),
    "py-blocking-file": Case(
        "a.py",
        "async def f():\n    return open('x')\n",
        "async def f(run):\n    return await run(open, 'x')\n",
    ),
    "py-bare-except": Case(
        "a.py",
        "try:\n    f()\nexcept:\n    g()\n",
        "try:\n    f()\nexcept:\n    g()\n    raise\n",
    ),
    "py-swallowed-exception": Case(
        "a.py",
        "try:\n    f()\nexcept Exception:\n    pass\n",
        "try:\n    f()\nexcept KeyError:\n    pass\n",
    ),
    "py-mutable-default": Case("a.py", "def f(x=[]): ...\n", "def f(x=()): ...\n"),
    "py-syntax-error": Case("a.py", "def f(:\n", "def f(): ...\n"),
    "merge-conflict": Case(
        "a.rst",
        "<<<<<<< HEAD\none\n=======\ntwo\n>>>>>>> branch\n",
        "Title\n=======\n\n>>>>>>> quoted\n",
    ),
    "wildcard-cors": Case("a.py", 'allow_origins=["*"]\n', 'allow_origins=["https://a.org"]\n'),
    "bind-all-interfaces": Case("a.py", 'run(host="0.0.0.0")\n', 'version = "0.0.0.0"\n'),
    "hardcoded-endpoint": Case("a.py", 'x = "http://localhost:8001/x"\n', 'x = "http://localhost/x:8001"\n'),
    "hardcoded-port": Case("a.py", "port = 8001\n", "report = 8001\n"),
    "absolute-path": Case("a.py", 'x = "/home/alice/data"\n', 'x = "/home/user/data"\n'),
    "long-file": Case("a.py", "x = 1\n" * 1001, "x = 1\n" * 1000),
    "fixme-comment": Case("a.py", "# FIXME: wrong\n", "FIXME = 1\n"),
    "todo-comment": Case("a.js", "f(); // TODO later\n", "f('// TODO later');\n"),
}


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == set(get_args(RuleId))


def _rules(path: str, text: str) -> set[RuleId]:
    return {finding.rule for finding in analyse_bytes(path, text.encode()).findings}


@pytest.mark.parametrize("rule", sorted(CASES))
def test_a_rule_applies_to_its_bad_case(rule: RuleId) -> None:
    assert rule in _rules(CASES[rule].path, CASES[rule].bad)


@pytest.mark.parametrize("rule", sorted(CASES))
def test_a_rule_does_not_apply_to_its_good_case(rule: RuleId) -> None:
    assert rule not in _rules(CASES[rule].path, CASES[rule].good)


@pytest.mark.parametrize("rule", sorted(CASES))
def test_a_suppression_comment_silences_a_rule_and_is_counted(rule: RuleId) -> None:
    case = CASES[rule]
    before = analyse_bytes(case.path, case.bad.encode())
    lines = case.bad.split("\n")
    marked = {finding.line for finding in before.findings if finding.rule == rule}
    for number in marked:
        lines[number - 1] += f"  # audit: ignore[{rule}]"
    after = analyse_bytes(case.path, "\n".join(lines).encode())
    assert rule not in {finding.rule for finding in after.findings}
    assert after.suppressed == len(marked)
