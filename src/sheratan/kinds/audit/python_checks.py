"""Checks of Python source through its syntax tree."""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sheratan.kinds.audit.lines import Hit
from sheratan.kinds.audit.model import RuleId
from sheratan.kinds.audit.scopes import Bindings, FunctionNode, bindings, functions_of, own_nodes, resolve

COMPLEXITY_LIMIT = 10
COMPLEXITY_SEVERE = 20

_HTTP_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "request"})

BLOCKING_CALLS = frozenset(
    {
        "time.sleep",
        "os.system",
        "os.popen",
        "os.waitpid",
        "subprocess.run",
        "subprocess.call",
        "subprocess.check_call",
        "subprocess.check_output",
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
        "urllib.request.urlopen",
        "urllib.request.urlretrieve",
        "socket.create_connection",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "sqlite3.connect",
        "input",
        *(f"{client}.{verb}" for client in ("requests", "httpx") for verb in _HTTP_VERBS),
    }
)
"""Calls that stop the event loop, by their resolved names."""

BLOCKING_METHODS: dict[str, frozenset[str]] = {
    "socket.socket": frozenset({"connect", "accept", "recv", "recvfrom", "send", "sendall"}),
    "requests.Session": _HTTP_VERBS,
    "requests.session": _HTTP_VERBS,
    "httpx.Client": _HTTP_VERBS,
}
"""Blocking methods of objects that the same function creates."""

FILE_CALLS = frozenset({"open", "io.open", "codecs.open"})
FILE_METHODS = frozenset({"read_text", "write_text", "read_bytes", "write_bytes"})

_PARSE_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class PythonFacts:
    """Hits and measures of one Python file; `prose` holds the lines of its docstrings."""

    hits: tuple[Hit, ...]
    functions: int = 0
    complexity_max: int = 0
    complexity_total: int = 0
    prose: frozenset[int] = frozenset()


def check_python(text: str) -> PythonFacts:
    """Analyse Python source; source that does not parse gives a single informative hit."""
    try:
        tree = _parse(text)
    except SyntaxError as error:
        # The message may quote the source, so it is not repeated.
        line = error.lineno if isinstance(error.lineno, int) and error.lineno > 0 else 1
        return PythonFacts((Hit("py-syntax-error", line, "This file does not parse as Python.", ""),))
    except (RecursionError, MemoryError, ValueError):
        message = "This file is nested too deeply, or holds characters that Python source may not."
        return PythonFacts((Hit("py-syntax-error", 1, message, ""),))
    nodes = list(ast.walk(tree))
    hits: list[Hit] = list(_handler_hits(nodes))
    complexities: list[int] = []
    bound: dict[int, Bindings] = {}
    for function, name, scopes in functions_of(tree):
        complexity = complexity_of(function)
        complexities.append(complexity)
        hits += _complexity_hits(function, name, complexity)
        hits += _default_hits(function, name)
        if isinstance(function, ast.AsyncFunctionDef):
            hits += _blocking_hits(function, name, _known(bound, (*scopes, function)))
    total, worst = sum(complexities), max(complexities, default=0)
    return PythonFacts(tuple(hits), len(complexities), worst, total, _prose_lines(nodes))


def complexity_of(function: FunctionNode) -> int:
    """Cyclomatic complexity: one, plus one for each branch, loop, handler, and case.

    Like rule C901 of ruff, it does not count conditions inside an expression. Unlike there, nested
    functions are measured on their own.
    """
    return 1 + sum(_branches(node) for node in own_nodes(function))


def _branches(node: ast.AST) -> int:
    if isinstance(node, ast.If | ast.For | ast.AsyncFor | ast.While | ast.ExceptHandler):
        return 1
    if isinstance(node, ast.Try | ast.TryStar):
        return int(bool(node.orelse))
    if isinstance(node, ast.Match):
        return sum(1 for case in node.cases if not _is_catch_all(case))
    return 0


def _is_catch_all(case: ast.match_case) -> bool:
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None


def _parse(text: str) -> ast.Module:
    # Warnings filters are shared by all threads, hence the lock; without the filter, an unusual
    # escape in the audited file would reach the log, or fail it when warnings are errors.
    with _PARSE_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _complexity_hits(function: FunctionNode, name: str, complexity: int) -> Iterator[Hit]:
    if complexity <= COMPLEXITY_LIMIT:
        return
    is_severe = complexity > COMPLEXITY_SEVERE
    rule: RuleId = "py-complexity-severe" if is_severe else "py-complexity"
    limit = COMPLEXITY_SEVERE if is_severe else COMPLEXITY_LIMIT
    message = f"{name} has a cyclomatic complexity of {complexity} (limit {limit})."
    yield Hit(rule, function.lineno, message, f"def {function.name}")


def _default_hits(function: FunctionNode, name: str) -> Iterator[Hit]:
    for default in (*function.args.defaults, *function.args.kw_defaults):
        if isinstance(default, ast.List | ast.Dict | ast.Set):
            message = f"{name} has a mutable default argument."
            yield Hit("py-mutable-default", default.lineno, message, f"def {function.name}")


def _handler_hits(nodes: Iterable[ast.AST]) -> Iterator[Hit]:
    for node in nodes:
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            if not isinstance(node.body[-1], ast.Raise):
                yield Hit("py-bare-except", node.lineno, "This handler catches every exception.", "except:")
        elif _is_broad(node.type) and all(_is_nothing(statement) for statement in node.body):
            message = "Every exception is discarded without a trace."
            yield Hit("py-swallowed-exception", node.lineno, message, "except Exception: pass")


def _is_broad(caught: ast.expr) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in names)


def _is_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _known(bound: dict[int, Bindings], scopes: Iterable[ast.AST]) -> list[Bindings]:
    """The bindings of some scopes, inner first; each scope is examined only once per file."""
    found: list[Bindings] = []
    for scope in scopes:
        if id(scope) not in bound:
            bound[id(scope)] = bindings(scope)
        found.insert(0, bound[id(scope)])
    return found


def _blocking_hits(function: FunctionNode, name: str, scopes: list[Bindings]) -> Iterator[Hit]:
    nodes = list(own_nodes(function))
    awaited = _awaited(nodes)
    objects = _local_objects(nodes, scopes)
    for node in nodes:
        if isinstance(node, ast.Call) and id(node) not in awaited:
            target = resolve(node.func, scopes) or ""
            method = _blocking_method(node.func, objects, scopes)
            label = method or (target if target in BLOCKING_CALLS else None)
            file_label = _file_label(node, target)
            if label is not None:
                yield _blocking_hit("py-blocking-call", node, label, name)
            elif file_label is not None:
                yield _blocking_hit("py-blocking-file", node, file_label, name)


def _file_label(node: ast.Call, target: str) -> str | None:
    """How a call that reads or writes a file is named, or None."""
    if target in FILE_CALLS:
        return target
    if isinstance(node.func, ast.Attribute) and node.func.attr in FILE_METHODS:
        return node.func.attr
    return None


def _blocking_hit(rule: RuleId, node: ast.Call, label: str, name: str) -> Hit:
    return Hit(rule, node.lineno, f"{label}() blocks the event loop in async {name}.", f"{label}(…)")


def _awaited(nodes: Iterable[ast.AST]) -> set[int]:
    """Identities of the calls whose result is awaited, which are therefore not the blocking ones."""
    found: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.Await):
            found.add(id(node.value))
        elif isinstance(node, ast.AsyncWith):
            found.update(id(item.context_expr) for item in node.items)
        elif isinstance(node, ast.AsyncFor):
            found.add(id(node.iter))
    return found


def _local_objects(nodes: Iterable[ast.AST], scopes: list[Bindings]) -> dict[str, str]:
    """Names that this function binds to a new object with blocking methods."""
    objects: dict[str, str] = {}
    for node in nodes:
        for target, value in _assigned(node):
            created = resolve(value.func, scopes) if isinstance(value, ast.Call) else None
            if isinstance(target, ast.Name) and created in BLOCKING_METHODS and created:
                objects[target.id] = created
        objects.pop(_made_nonblocking(node), None)
    return objects


def _made_nonblocking(node: ast.AST) -> str:
    """The name whose `setblocking` is called here, or nothing."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "setblocking"
    ):
        owner = node.func.value
        return owner.id if isinstance(owner, ast.Name) else ""
    return ""


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        yield node.targets[0], node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.With):
        for item in node.items:
            if item.optional_vars is not None:
                yield item.optional_vars, item.context_expr


def _blocking_method(called: ast.expr, objects: dict[str, str], scopes: list[Bindings]) -> str | None:
    """The name of the blocking method that is called, if it is one."""
    if not isinstance(called, ast.Attribute):
        return None
    owner = called.value
    created: str | None = None
    if isinstance(owner, ast.Name):
        created = objects.get(owner.id)
    elif isinstance(owner, ast.Call):
        created = resolve(owner.func, scopes)
    if created is None or called.attr not in BLOCKING_METHODS.get(created, frozenset()):
        return None
    return f"{created}.{called.attr}"


def _prose_lines(nodes: Iterable[ast.AST]) -> frozenset[int]:
    """Lines of string statements, chiefly docstrings, which are prose and not code."""
    lines: set[int] = set()
    for node in nodes:
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
            continue
        if isinstance(node.value.value, str) and node.end_lineno is not None:
            lines.update(range(node.lineno, node.end_lineno + 1))
    return frozenset(lines)
