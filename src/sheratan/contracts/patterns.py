r"""The shapes of names and ids: as a pattern for schemas, and in words for whoever has given another one.

`$` alone would let a line feed through at the end, and two names that look alike would be two: so `$(?!\n)`.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACCOUNT",
    "BUDGET_SUBJECT",
    "CODE_DIGEST",
    "CURSOR",
    "DEPENDENCY",
    "DEPENDENCY_NAME",
    "DIGEST",
    "ENDPOINT",
    "MAILBOX",
    "NAME",
    "NAME_OR_NONE",
    "NODE",
    "PARTITION",
    "PATTERN_WORDS",
    "PRINCIPAL",
    "TRACEPARENT",
    "TRANSFER",
    "UNIT",
    "VARIABLE",
    "ZONE",
]

_END: Final = r"$(?!\n)"
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.\-]"
_SMALL: Final = "[a-z0-9][a-z0-9_-]{0,31}"

DEPENDENCY_NAME: Final = _SMALL

ACCOUNT: Final = rf"^(?:operator|(?:tenant|worker|provider|system):{_NAME}{{0,127}}){_END}"
BUDGET_SUBJECT: Final = rf"^(?:(?:tenant|queue|kind):{_NAME}{{0,127}}|partition:[!-~]{{1,128}}){_END}"
CODE_DIGEST: Final = rf"^[A-Za-z0-9_.\-]*{_END}"
CURSOR: Final = rf"^[0-9]{{1,16}}{_END}"
DEPENDENCY: Final = rf"^{_SMALL}{_END}"
DIGEST: Final = rf"^[0-9a-f]{{64}}{_END}"
ENDPOINT: Final = rf"^(https?://[^/?#@\s]+(/[!-~]*)?)?{_END}"
MAILBOX: Final = rf"^(?:[!-?A-~]{{1,64}}@[!-?A-~]{{1,255}})?{_END}"
NAME: Final = rf"^{_NAME}*{_END}"
NAME_OR_NONE: Final = rf"^({_NAME}*)?{_END}"
NODE: Final = rf"^[A-Za-z][A-Za-z0-9_\-]*{_END}"
PARTITION: Final = rf"^[!-~]+{_END}"
PRINCIPAL: Final = rf"^(?!worker:|engine:)[a-z]+:[^\s/]+{_END}"
TRACEPARENT: Final = (
    rf"^(?!ff)[0-9a-f]{{2}}-(?!0{{32}})[0-9a-f]{{32}}-(?!0{{16}})[0-9a-f]{{16}}-[0-9a-f]{{2}}{_END}"
)
TRANSFER: Final = rf"^transfer_[0-9a-f]{{32}}{_END}"
UNIT: Final = rf"^[A-Za-z][A-Za-z0-9_\-]{{0,31}}{_END}"
VARIABLE: Final = rf"^(?:(?!SHERATAN_)[A-Za-z_][A-Za-z0-9_]{{0,127}})?{_END}"
ZONE: Final = rf"^[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*{_END}"

_WORD: Final = "letters, digits, `_`, `.` and `-`, beginning with a letter or digit"

PATTERN_WORDS: Final = {
    ACCOUNT: "`operator`, or `tenant:`, `worker:`, `provider:` or `system:` and a name, such as tenant:acme",
    BUDGET_SUBJECT: "`tenant:`, `queue:`, `kind:` or `partition:` and a name, such as kind:render",
    CODE_DIGEST: "letters, digits, `_`, `.` and `-`",
    CURSOR: "the cursor that came with the page before",
    DEPENDENCY: "at most 32 small letters, digits, `_` and `-`, beginning with a letter or digit",
    DIGEST: "a digest: 64 hexadecimal digits in small letters",
    ENDPOINT: "an address that begins with http:// or https://, without a user, a query and blanks",
    MAILBOX: "an address of mail, such as ops@example.org",
    NAME: f"a name: {_WORD}",
    NAME_OR_NONE: f"a name: {_WORD}",
    NODE: "a name: letters, digits, `_` and `-`, beginning with a letter",
    PARTITION: "printable ASCII characters without blanks",
    PRINCIPAL: "the name of a person, such as local:anna, and none of a worker or the engine",
    TRACEPARENT: "a traceparent of W3C Trace Context, as 00-<32 hexadecimal digits>-<16 of them>-01",
    TRANSFER: "the id of a transfer: transfer_ and 32 hexadecimal digits in small letters",
    UNIT: "a unit, such as EUR: at most 32 letters, digits, `_` and `-`, beginning with a letter",
    VARIABLE: "the name of an environment variable that does not begin with SHERATAN_",
    ZONE: "the name of a time zone, such as Europe/Berlin",
}
"""What each pattern asks for, as a refusal says it."""
