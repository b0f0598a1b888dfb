"""The rule registry: severity, title, reason, and remedy of every rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sheratan.kinds.audit.languages import Role
from sheratan.kinds.audit.model import SEVERITIES, RuleId, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of the registry.

    `aside` is the severity in tests and documentation, where the same text usually does less harm.
    """

    id: RuleId
    severity: Severity
    aside: Severity
    title: str
    why: str
    fix: str


_REVOKE = (
    "Revoke the secret and issue a new one, then read it from the environment or a secret store. "
    "Deleting the line is not enough: the history still holds it."
)

_ALL: tuple[Rule, ...] = (
    Rule(
        "secret-private-key",
        "critical",
        "medium",
        "Private key in the repository",
        "Whoever can read the repository can act as the owner of the key.",
        _REVOKE,
    ),
    Rule(
        "secret-aws-key",
        "critical",
        "medium",
        "AWS access key",
        "An access key identifies an AWS account and is searched for by automated abuse.",
        _REVOKE,
    ),
    Rule(
        "secret-github-token",
        "critical",
        "medium",
        "GitHub token",
        "The token gives access to repositories and workflows of its owner.",
        _REVOKE,
    ),
    Rule(
        "secret-slack-token",
        "critical",
        "medium",
        "Slack token or webhook",
        "The token lets anyone read or post in the workspace.",
        _REVOKE,
    ),
    Rule(
        "secret-provider-key",
        "critical",
        "medium",
        "API key of a known provider",
        "The key can be used at the cost, and with the data, of its owner.",
        _REVOKE,
    ),
    Rule(
        "secret-jwt",
        "high",
        "low",
        "JSON Web Token",
        "A token that has not expired is a login; its payload may hold personal data.",
        _REVOKE,
    ),
    Rule(
        "secret-connection-string",
        "high",
        "low",
        "Password in a connection string",
        "The password gives direct access to the service named next to it.",
        _REVOKE,
    ),
    Rule(
        "secret-assignment",
        "high",
        "low",
        "Secret assigned as a literal",
        "A password or key in the source is known to everyone with a copy and is hard to change.",
        _REVOKE,
    ),
    Rule(
        "secret-entropy",
        "medium",
        "info",
        "Random-looking literal",
        "A long random string in quotes is often a key; this rule judges by randomness alone.",
        _REVOKE + " If it is not a secret, say so with a suppression comment.",
    ),
    Rule(
        "py-complexity-severe",
        "high",
        "low",
        "Function with very many branches (complexity above 20)",
        "So many paths cannot be tested or changed with confidence.",
        "Split the function at its decisions; a table often replaces a chain of conditions.",
    ),
    Rule(
        "py-complexity",
        "medium",
        "info",
        "Function with many branches (complexity above 10)",
        "Every branch adds a path to understand and to test.",
        "Move self-contained steps into functions of their own and return early.",
    ),
    Rule(
        "py-blocking-call",
        "high",
        "low",
        "Blocking call in a coroutine",
        "The event loop stands still during the call, and with it every other task.",
        "Use the asynchronous counterpart, or run the call with asyncio.to_thread.",
    ),
    Rule(
        "py-blocking-file",
        "low",
        "info",
        "File access in a coroutine",
        "File access is usually short, but on a slow or remote disk it stops the event loop.",
        "Run larger reads and writes with asyncio.to_thread.",
    ),
    Rule(
        "py-bare-except",
        "medium",
        "low",
        "Bare except",
        "It also catches KeyboardInterrupt and SystemExit, so the program may refuse to stop.",
        "Name the exceptions that are expected here, or raise again at the end of the handler.",
    ),
    Rule(
        "py-swallowed-exception",
        "medium",
        "info",
        "Every exception is silently discarded",
        "Faults, including programming errors, leave no trace.",
        "Catch only what is expected, and log or report the rest.",
    ),
    Rule(
        "py-mutable-default",
        "low",
        "info",
        "Mutable default argument",
        "The default is created once and shared by all calls, so changes to it persist.",
        "Use None as the default and create the value in the function.",
    ),
    Rule(
        "py-syntax-error",
        "info",
        "info",
        "Python file that does not parse",
        "The Python checks could not run on this file.",
        "Correct the file, or ignore this if it is a template or for another Python version.",
    ),
    Rule(
        "merge-conflict",
        "high",
        "high",
        "Merge conflict marker",
        "An unfinished merge was saved; the file holds two versions of the same part.",
        "Choose the right version and remove the markers.",
    ),
    Rule(
        "wildcard-cors",
        "medium",
        "info",
        "Cross-origin access for every site",
        "Any web page that a user visits may call the service from the user's browser.",
        "List the origins that are needed.",
    ),
    Rule(
        "bind-all-interfaces",
        "medium",
        "info",
        "Service bound to all interfaces",
        "The service can be reached from every network the machine is on.",
        "Bind to 127.0.0.1 by default and make the address a setting.",
    ),
    Rule(
        "hardcoded-endpoint",
        "medium",
        "info",
        "Host and port written into the code",
        "The code works only where that service listens on that very address.",
        "Read the address from the configuration.",
    ),
    Rule(
        "hardcoded-port",
        "low",
        "info",
        "Port number written into the code",
        "Two programs cannot share a port, so a fixed number fails on some machines.",
        "Read the port from the configuration, or let the system choose one (port 0).",
    ),
    Rule(
        "absolute-path",
        "low",
        "info",
        "Absolute path of one machine",
        "The path exists on one machine or for one user, and it may reveal a name.",
        "Use a path relative to the project or the home folder, or a setting.",
    ),
    Rule(
        "long-file",
        "low",
        "info",
        "Source file of more than 1000 lines",
        "A long file usually mixes concerns and draws conflicting changes.",
        "Divide it along its responsibilities.",
    ),
    Rule(
        "fixme-comment",
        "low",
        "info",
        "FIXME, XXX, or HACK comment",
        "The author marked the code as wrong or doubtful.",
        "Correct it, or record it where it will be followed up.",
    ),
    Rule(
        "todo-comment",
        "info",
        "info",
        "TODO comment",
        "Work was left open.",
        "Do it, or record it where it will be followed up.",
    ),
)

RULES: Mapping[RuleId, Rule] = MappingProxyType({rule.id: rule for rule in _ALL})
"""Every rule by its id, worst first."""


def severity_of(rule: RuleId, role: Role) -> Severity:
    """The severity of a rule in a file of the given role."""
    entry = RULES[rule]
    return entry.severity if role == "code" else entry.aside


def severity_rank(severity: Severity) -> int:
    """Position of a severity, 0 being the worst."""
    return SEVERITIES.index(severity)


def rules_markdown() -> str:
    """A documentation page that lists every rule."""
    parts = [
        "# Audit rules",
        "",
        "The second severity applies in tests and documentation.",
        "A finding is silenced by `audit: ignore[rule-id]` in a comment on its line; "
        "reports state how many were.",
        "",
        "| Rule | Severity | Title |",
        "| --- | --- | --- |",
    ]
    parts += [f"| `{rule.id}` | {rule.severity} / {rule.aside} | {rule.title} |" for rule in RULES.values()]
    for rule in RULES.values():
        parts += ["", f"## `{rule.id}`", "", f"{rule.title}. {rule.why}", "", f"**Remedy.** {rule.fix}"]
    return "\n".join(parts) + "\n"
