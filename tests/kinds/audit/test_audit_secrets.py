"""Secrets are found in their many forms, their look-alikes are not, and none is ever shown."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheratan.kinds.audit.analyse import analyse_bytes
from sheratan.kinds.audit.entropy import entropy_thousandths, is_random_token
from sheratan.kinds.audit.model import RuleId
from sheratan.kinds.audit.report import build_report, to_markdown
from sheratan.kinds.audit.secrets import find_secrets, redact, scan_secrets

# Secrets are put together here, so that this file holds none that a scanner would report.
MIXED = "aB3dE5gH7jK9" + "mN2pQ4sT6vW8" + "xY1zC0fD5hJ7"
AWS = "AKIA" + "ABCDEFGHIJKLMNOP"
GITHUB = "gh" + "p_" + MIXED
SLACK = "xox" + "b-123456789012-" + MIXED
OPENAI = "s" + "k-" + MIXED
JWT = ".".join(("ey" + "J" + MIXED, "ey" + "J" + MIXED, MIXED))
LOGIN = "hunt" + "3r22zz"
KEY_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" + MIXED
KEY_HEAD = "-----BEGIN RSA " + "PRIVATE KEY-----"
KEY_TAIL = "-----END RSA " + "PRIVATE KEY-----"

BODY = "abcdfgijkmnpqrstvwzABCDFGHJKMNPQRSTVWZ23456789"

FORMS: list[tuple[RuleId, str, str, str]] = [
    ("secret-aws-key", "a.py", f'key = "{AWS}"', AWS),
    ("secret-aws-key", "a.txt", f"?Credential={AWS}/2024", AWS),
    ("secret-github-token", "a.py", f"url = 'https://{GITHUB}@github.com/a/b'", GITHUB),
    ("secret-github-token", "a.md", "github_pat" + "_" + MIXED, "github_pat" + "_" + MIXED),
    ("secret-slack-token", "a.yml", f"slack: {SLACK}", SLACK),
    ("secret-provider-key", "a.env", f"OPENAI={OPENAI}", OPENAI),
    ("secret-provider-key", "a.js", "x('" + "AI" + "za" + MIXED[:35] + "')", "AI" + "za" + MIXED[:35]),
    ("secret-provider-key", "a.js", "x('" + "sk_" + "live_" + MIXED + "')", "sk_" + "live_" + MIXED),
    ("secret-jwt", "a.sh", f"curl -H 'Authorization: Bearer {JWT}'", JWT),
    ("secret-connection-string", "a.py", f"x = 'postgresql+psycopg://app:{LOGIN}@db:5432/x'", LOGIN),
    ("secret-connection-string", "a.yml", f"broker: redis://:{LOGIN}@cache/0", LOGIN),
    ("secret-assignment", "a.py", f"password = '{LOGIN}'", LOGIN),
    ("secret-assignment", "a.py", f'DB_PASSWORD: str = "{LOGIN}"', LOGIN),
    ("secret-assignment", "a.py", f'os.environ["API_KEY"] = "{MIXED}"', MIXED),
    ("secret-assignment", "a.json", f'{{"clientSecret": "{MIXED}"}}', MIXED),
    ("secret-assignment", "a.yaml", f"  password: {LOGIN}", LOGIN),
    ("secret-assignment", ".env", f"export AUTH_TOKEN={MIXED}  # note", MIXED),
    ("secret-assignment", "Dockerfile", f"ENV API_KEY={MIXED}", MIXED),
    ("secret-assignment", "a.rb", f":secret_key => '{MIXED}'", MIXED),
    ("secret-entropy", "a.ts", f"use(`{MIXED}`)", MIXED),
    ("secret-private-key", "a.pem", f"{KEY_HEAD}\n{KEY_BODY}\n{KEY_TAIL}", KEY_BODY),
    ("secret-private-key", "a.py", f'k = "{KEY_HEAD}\\n{KEY_BODY}\\n"', KEY_BODY),
]

LOOKALIKES: list[tuple[str, str]] = [
    ("a.py", "password = 'changeme'"),
    ("a.py", "password = 'password123'"),
    ("a.py", "password = 'new_password2'"),
    ("a.py", "password = '${DB_PASSWORD1}'"),
    ("a.py", "password = os.environ['DB_PASSWORD1']"),
    ("a.py", "password = '********'"),
    ("a.py", "api_key = 'xxxxxxxx1234'"),
    ("a.py", "api_key = 'your-api-key-1'"),
    ("a.py", "api_key = '<api-key-1>'"),
    ("a.py", "api_key = 'test1234abcd'"),
    ("a.py", "api_key = settings.api_key_2"),
    ("a.py", "token = 'access_token2'"),
    ("a.py", "next_token = 'a1b2c3d4e5f6g7'"),
    ("a.py", "token = '123e4567-e89b-12d3-a456-426614174000'"),
    ("a.py", "secret = '/run/secrets/db1'"),
    ("a.yaml", "password: ${DB_PASSWORD1}"),
    ("a.yaml", "password: {{ vault_password1 }}"),
    ("a.py", "u = 'http://user:password@host/'"),
    ("a.py", "u = 'http://{user}:{password}@host/'"),
    ("a.py", "u = 'http://host:8001/a@b'"),
    ("a.py", "key = 'AKIA" + "IOSFODNN7EXAMPLE'"),
    ("a.py", "digest = '" + "0123456789abcdef" * 4 + "'"),
    ("a.py", "digest = 'sha256-" + MIXED + "='"),
    ("a.py", "ident = '123e4567-e89b-12d3-a456-426614174000'"),
    ("a.py", "letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'"),
    ("a.py", "name = 'X509_V_FLAG_TRUSTED_FIRST_2'"),
    ("a.py", "path = '/properties/S3Bucket/Key1Value2'"),
    ("package-lock.json", f'"integrity": "{MIXED}"'),
    ("poetry.lock", f'hash = "{MIXED}"'),
    ("a.py", f'if text.startswith("{KEY_HEAD}"):'),
    ("a.pem", "-----BEGIN PUBLIC KEY-----\n" + KEY_BODY),
]


@pytest.mark.parametrize(("rule", "path", "text", "secret"), FORMS)
def test_a_secret_is_found(rule: RuleId, path: str, text: str, secret: str) -> None:
    assert [hit.rule for hit in scan_secrets(text.split("\n"), path).hits] == [rule]


@pytest.mark.parametrize(("path", "text"), LOOKALIKES)
def test_a_lookalike_is_not_taken_for_a_secret(path: str, text: str) -> None:
    assert scan_secrets(text.split("\n"), path).hits == ()


def _leaks(secret: str, output: str) -> bool:
    """Whether any eight characters of the secret, or its whole, appear in the output."""
    pieces = {secret[start : start + 8] for start in range(max(1, len(secret) - 7))}
    return any(piece in output for piece in pieces)


def _outputs(path: str, text: str) -> str:
    report = analyse_bytes(path, text.encode())
    whole = build_report("root", [report])
    return "\n".join([report.model_dump_json(), repr(report), whole.model_dump_json(), to_markdown(whole)])


@pytest.mark.parametrize(("rule", "path", "text", "secret"), FORMS)
@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "# TODO {}",
        "// FIXME {}",
        "port = 8001; {}",
        "x = 'localhost:8001' + {}",
        "{}\n# TODO remove {}",
    ],
)
def test_no_secret_appears_in_any_output(rule: RuleId, path: str, text: str, secret: str, frame: str) -> None:
    assert not _leaks(secret, _outputs(path, frame.replace("{}", text)))


@pytest.mark.parametrize(("rule", "path", "text", "secret"), FORMS)
def test_a_bare_copy_of_a_secret_elsewhere_in_the_file_is_masked(
    rule: RuleId, path: str, text: str, secret: str
) -> None:
    if rule == "secret-private-key":
        return
    copies = f"{text}\n# TODO {secret}\n// FIXME {'a' * 100} {secret}\n/home/alice/{secret}\n"
    assert not _leaks(secret, _outputs("a.py" if path == "a.txt" else path, copies))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TODO the password is hunt3r22zz now", "TODO the password is hun…10 now"),
        ("TODO password: letmein", "TODO password: le…7"),
        (f"TODO use {MIXED}", "TODO use aB3d…36"),
        ("TODO tidy the token handling", "TODO tidy the token handling"),
        ("FIXME a_very_long_identifier_in_words", "FIXME a_very_long_identifier_in_words"),
    ],
)
def test_what_may_be_a_secret_in_a_comment_is_masked_without_a_finding(text: str, expected: str) -> None:
    (finding,) = analyse_bytes("a.py", f"# {text}\n".encode()).findings
    assert finding.evidence == expected


@pytest.mark.parametrize("offset", [4_940, 4_950, 4_960, 4_970, 4_980, 4_999])
def test_a_secret_split_by_the_line_limit_is_not_shown(offset: int) -> None:
    text = "# TODO".rjust(offset) + f" {GITHUB}\n"
    assert not _leaks(GITHUB, _outputs("a.py", text))


@given(
    st.text(alphabet=BODY, min_size=36, max_size=60),
    st.text(st.characters(codec="utf-8", exclude_characters=BODY + "\r\n"), max_size=40),
    st.sampled_from(["", "# TODO ", "port = 8001 # ", "'/home/alice/", "x = '"]),
)
def test_no_token_of_a_known_form_appears_whatever_surrounds_it(body: str, around: str, lead: str) -> None:
    secret = "gh" + "o_" + body
    text = f"{around} {lead}{secret} {around}\n"
    assert find_secrets(text, "a.py")
    assert not _leaks(body, _outputs("a.py", text))


def test_a_file_name_with_key_data_in_an_unknown_format_is_critical() -> None:
    text = f"{KEY_HEAD}\nProc-Type: 4,ENCRYPTED\n\n{KEY_BODY}\n{KEY_TAIL}\n"
    assert [finding.severity for finding in analyse_bytes("deploy/id_rsa", text.encode()).findings] == [
        "critical"
    ]


def test_a_secret_in_a_docstring_is_rated_like_one_in_documentation() -> None:
    for path, text in (("a.py", f'"""\npassword = "{LOGIN}"\n"""\n'), ("a.md", f'password = "{LOGIN}"\n')):
        assert [finding.severity for finding in analyse_bytes(path, text.encode()).findings] == ["low"]


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("a" * 40, "aaaa…40"), ("abcdefghijkl", "abcd…12"), ("abcdef", "ab…6"), ("abc", "a…3")],
)
def test_redaction_shows_the_start_and_the_length(secret: str, shown: str) -> None:
    assert redact(secret) == shown


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("aaaa", 0), ("ab", 1000), ("abcd", 2000), ("aabb", 1000)]
)
def test_entropy_is_exact_for_simple_texts(text: str, expected: int) -> None:
    assert entropy_thousandths(text) == expected


@given(st.text(min_size=1, max_size=200))
def test_entropy_in_thousandths_agrees_with_the_formula(text: str) -> None:
    shares = [text.count(char) / len(text) for char in set(text)]
    exact = -sum(share * math.log2(share) for share in shares) * 1000
    assert abs(entropy_thousandths(text) - exact) <= 2


@pytest.mark.parametrize(
    "text", [MIXED[:19], MIXED * 6, "a" * 40, "AmazonEC2ContainerServiceRole", "0x" + "f3" * 20]
)
def test_short_long_uniform_worded_and_hexadecimal_tokens_are_not_random(text: str) -> None:
    assert not is_random_token(text)
