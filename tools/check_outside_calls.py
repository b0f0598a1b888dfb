"""No call leaves the program without a guard: `python -m tools.check_outside_calls`.

What opens a connection or starts another program stands in the block of a guard (`with ctx.guard("stripe"):`), or
below with the reason why none has to be asked. A *mention* counts, not only a call, since what is handed on is called
elsewhere; names are followed through `import ... as`. An entry that no longer matches anything is a fault, too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from tools.dotted_names import Names, is_within
from tools.exemptions import Exemption, Mention, check_mentions
from tools.source_tree import ROOT, Fault, report

PACKAGE = "src/sheratan"

EXEMPTIONS: tuple[Exemption, ...] = (
    Exemption(
        path="src/sheratan/ambient/apprise_target.py",
        name="apprise.Apprise",
        reason="it is made at the start, to look whether it knows the URL; nothing is called",
    ),
    Exemption(
        path="src/sheratan/ambient/http.py",
        name="asyncio.open_connection",
        reason="the way of whoever connects by it, and that is looked at like any other way out",
    ),
    Exemption(
        path="src/sheratan/ambient/http.py",
        name="socket.getaddrinfo",
        reason="the name of where to connect to; in a thread of whoever asks, who has but a few",
    ),
    Exemption(
        path="src/sheratan/ambient/mail.py",
        name="smtplib.SMTPException",
        reason="what the mail server has refused; nothing is called",
    ),
    Exemption(
        path="src/sheratan/ambient/mail.py",
        name="smtplib.SMTPRecipientsRefused",
        reason="what the mail server has refused; nothing is called",
    ),
    Exemption(
        path="src/sheratan/ambient/mail.py",
        name="smtplib.SMTPResponseException",
        reason="what the mail server has refused; nothing is called",
    ),
    Exemption(
        path="src/sheratan/ambient/sensors.py",
        name="sheratan.ambient.http.connect",
        reason="for probes, which look above all while nobody is there; who asks says how long",
    ),
    Exemption(
        path="src/sheratan/cli/demo_run.py",
        name="asyncio.create_subprocess_exec",
        reason="the demo starts a server of this very program, kills it and starts it again",
    ),
    Exemption(
        path="src/sheratan/cli/notify.py",
        name="socket.socket",
        reason="the supervisor's datagram socket on this machine, told once and waited for by nobody",
    ),
    Exemption(
        path="src/sheratan/gateway/socket.py",
        name="socket.socket",
        reason="it listens on the data directory's own socket and connects to nobody",
    ),
    Exemption(
        path="src/sheratan/sdk/socket.py",
        name="asyncio.open_unix_connection",
        reason="the way to the engine itself; its own errors say whether it is there",
    ),
    Exemption(
        path="src/sheratan/sdk/socket.py",
        name="socket.socket",
        reason="the way to the engine itself, made here so that long paths of sockets work",
    ),
    Exemption(
        path="src/sheratan/telemetry/traces.py",
        name="opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter",
        reason="it is made at the start; what it sends leaves in the block of its guard",
    ),
)

# A name, or a module or package with everything in it.
OUTWARD_NAMES = frozenset({
    "aiohttp", "aiosmtplib", "anthropic", "apprise", "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell", "asyncio.open_connection", "asyncio.open_unix_connection", "asyncpg",
    "asyncssh", "boto3", "ftplib", "grpc", "http.client", "httpcore", "httpx", "imaplib", "nats", "nntplib",
    "openai", "opentelemetry.exporter", "os.execl", "os.execle", "os.execlp", "os.execlpe", "os.execv", "os.execve",
    "os.execvp", "os.execvpe", "os.popen", "os.posix_spawn", "os.posix_spawnp", "os.spawnl", "os.spawnle",
    "os.spawnlp", "os.spawnlpe", "os.spawnv", "os.spawnve", "os.spawnvp", "os.spawnvpe", "os.system", "paramiko",
    "poplib", "psycopg", "redis", "requests", "sheratan.ambient.http.connect", "smtplib",
    "socket.create_connection", "socket.fromfd", "socket.getaddrinfo", "socket.gethostbyname", "socket.socket",
    "subprocess", "telnetlib", "urllib.request", "urllib3", "valkey", "webbrowser", "websockets", "xmlrpc.client",
})  # fmt: skip

# Methods of an event loop, whatever the loop is called.
OUTWARD_METHODS = frozenset({
    "create_connection", "create_datagram_endpoint", "create_unix_connection", "getaddrinfo", "sock_connect",
    "subprocess_exec", "subprocess_shell",
})  # fmt: skip


def main() -> int:
    return report(
        "outside calls",
        check(ROOT, EXEMPTIONS),
        f"each is guarded, or one of {len(EXEMPTIONS)} with a reason",
    )


def check(root: Path, exemptions: Collection[Exemption]) -> list[Fault]:
    """Check every file of the package and hold the findings against the exemptions."""
    return check_mentions(root, PACKAGE, mentions, exemptions)


def mentions(path: str, tree: ast.Module) -> Iterator[Mention]:
    """Yield everything in the file that leads out of the program and stands in no guard's block."""
    del path
    names, guarded = Names(tree), set(guarded_nodes(tree))
    known = {id(node): name for node, name in names.uses(tree) if is_within(name, OUTWARD_NAMES)}
    for node in ast.walk(tree):
        name = known.get(id(node))
        if name is None and isinstance(node, ast.Attribute) and node.attr in OUTWARD_METHODS:
            name = node.attr
        if name is not None and id(node) not in guarded:
            line = getattr(node, "lineno", 1)
            yield Mention(line, name, f"{name} leads out of the program: call it in the block of a guard")


def guarded_nodes(tree: ast.Module) -> Iterator[int]:
    """Yield everything in the body of `with ….guard(…):`, but for functions defined there: they may be called later."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With | ast.AsyncWith) and any(
            is_guard(item.context_expr) for item in node.items
        ):
            for line in node.body:
                yield from (id(inner) for inner in at_once(line))


def is_guard(node: ast.expr) -> bool:
    """Say whether an expression asks for a guard: by `….guard(…)`, or by a `guard()` that was handed on."""
    if not isinstance(node, ast.Call):
        return False
    return "guard" in (getattr(node.func, "attr", None), getattr(node.func, "id", None))


def at_once(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all in it that is run with it."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from at_once(child)


if __name__ == "__main__":
    sys.exit(main())
