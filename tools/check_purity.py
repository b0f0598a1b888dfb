"""Keep the host out of the thinking: `python -m tools.check_purity`.

1. kernel/ and contracts/ are pure: no async (contracts/ may declare it in a Protocol), no clock,
   randomness, environment, I/O, logging, threads; no hidden state that one call leaves behind for the
   next.
2. Everywhere else in src/sheratan, the host's clock, randomness and ids are reached through ambient/
   only, and nothing waits for "whichever is done first" in an order that the host picks. (`asyncio.sleep`
   and timeouts are fine: a simulated loop owns them.)
3. No import by name at run time: it would hide an arrow from the import contracts.

A *mention* counts, not only a call: `clock=time.monotonic` as a default is the host's clock all the same.
Names are followed through `import ... as`. What must stay is listed below with its reason; an entry that
no longer matches anything is a fault, too.
"""

from __future__ import annotations

import ast
import itertools
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from tools.dotted_names import Names, is_within
from tools.exemptions import Exemption, Mention, check_mentions
from tools.source_tree import ROOT, Fault, report

PACKAGE = "src/sheratan"

PURE_FOLDERS = ("contracts", "kernel")

# Folders that may touch the host, each with the reason.
HOST_FOLDERS = {
    "ambient": "the one place that wraps the host's clock, ids and randomness",
    "kinds": "handlers act on the world, on the far side of the worker protocol",
    "cli": "progress display measures for human eyes; no recorded fact depends on it",
}


EXEMPTIONS: tuple[Exemption, ...] = (
    Exemption(
        path="src/sheratan/kernel/rules.py",
        name="_RULES",
        reason="the registry of rules: its decorator fills it while modules load, after that it is only read",
    ),
    Exemption(
        path="src/sheratan/sdk/processes.py",
        name="importlib.import_module",
        reason="a child process loads the user's module that defines the handler; its name arrives with the job",
    ),
    Exemption(
        path="src/sheratan/wiring/program.py",
        name="importlib.import_module",
        reason="the modules that define kinds are named by the user (--kinds)",
    ),
)

# The host's clock, randomness and ids, and the two asyncio calls whose result order is the host's.
# An entry is a name, or a module with everything in it.
HOST_NAMES = frozenset({
    "asyncio.as_completed",
    "asyncio.wait",
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "os.getrandom",
    "os.urandom",
    "random",
    "secrets",
    "time.clock_gettime",
    "time.clock_gettime_ns",
    "time.gmtime",
    "time.localtime",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.process_time",
    "time.process_time_ns",
    "time.sleep",
    "time.thread_time",
    "time.time",
    "time.time_ns",
    "uuid",
})  # fmt: skip

DYNAMIC_IMPORTS = frozenset({"__import__", "importlib.import_module", "importlib.__import__"})

# What a pure module may not even import. (The import contracts hold the positive list.)
IMPURE_MODULES = frozenset({
    "asyncio", "concurrent", "ctypes", "glob", "importlib", "io", "logging", "multiprocessing", "os",
    "pathlib", "queue", "random", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl",
    "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "warnings", "weakref",
})  # fmt: skip

IMPURE_BUILTINS = frozenset({"breakpoint", "compile", "eval", "exec", "globals", "input", "open", "print"})

MUTABLE_MAKERS = frozenset({
    "bytearray", "collections.Counter", "collections.OrderedDict", "collections.defaultdict",
    "collections.deque", "dict", "list", "set",
})  # fmt: skip

MUTATORS = frozenset({
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft",
    "remove", "setdefault", "sort", "update",
})  # fmt: skip

MUTABLE_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)

ASYNC_NODES = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def main() -> int:
    return report(
        "purity",
        check(ROOT, EXEMPTIONS),
        f"{', '.join(PURE_FOLDERS)} pure, the host only in {', '.join(HOST_FOLDERS)}",
    )


def check(root: Path, exemptions: Collection[Exemption]) -> list[Fault]:
    """Check every file of the package and hold the findings against the exemptions."""
    return check_mentions(root, PACKAGE, mentions, exemptions)


def mentions(path: str, tree: ast.Module) -> Iterator[Mention]:
    """Yield everything in the file that its folder may not mention."""
    folder = path.removeprefix(PACKAGE + "/").partition("/")[0]
    names = Names(tree)
    yield from named(tree, names, DYNAMIC_IMPORTS, "hides an import from the contracts")
    if folder in PURE_FOLDERS:
        yield from impure(tree, names, declared_ports(tree, names) if folder == "contracts" else set())
    elif folder not in HOST_FOLDERS:
        yield from named(tree, names, HOST_NAMES, "is the host's: take it as an argument, or from ambient")


def named(tree: ast.Module, names: Names, banned: Collection[str], why: str) -> Iterator[Mention]:
    """Yield each import and each use of a banned name."""
    for line, name in (*banned_imports(names, banned), *banned_uses(tree, names, banned)):
        yield Mention(line, name, f"{name} {why}")


def banned_imports(names: Names, banned: Collection[str]) -> Iterator[tuple[int, str]]:
    for line, name in names.imported:
        module, _, last = name.rpartition(".")
        brings_all = last == "*" and any(entry.startswith(module + ".") for entry in banned)
        if brings_all or is_within(name, banned):
            yield line, name


def banned_uses(tree: ast.Module, names: Names, banned: Collection[str]) -> Iterator[tuple[int, str]]:
    holders = {entry.partition(".")[0] for entry in banned if entry.count(".") == 1}
    for node, name in names.uses(tree):
        # A module with banned names handed around as a value: what is called on it can no longer be seen.
        is_bare_module = isinstance(node, ast.Name) and name in holders
        if is_bare_module or is_within(name, banned):
            yield node.lineno, name


def impure(tree: ast.Module, names: Names, ports: Collection[int]) -> Iterator[Mention]:
    """Yield what a pure module may not contain."""
    impure_imports = [(line, name) for line, name in names.imported if is_within(name, IMPURE_MODULES)]
    yield from (Mention(line, name, f"import of {name} in a pure folder") for line, name in impure_imports)
    importable = {name for name in HOST_NAMES if not is_within(name, IMPURE_MODULES)}
    yield from named(tree, names, importable, "in a pure folder: it arrives as an argument")
    waits = [n.lineno for n in ast.walk(tree) if isinstance(n, ASYNC_NODES) and id(n) not in ports]
    yield from (Mention(line, "async", "async in a pure folder: deciding never waits") for line in waits)
    yield from impure_calls(tree, names)
    yield from hidden_state(tree, names)


def impure_calls(tree: ast.Module, names: Names) -> Iterator[Mention]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and names.of(node.func) in IMPURE_BUILTINS:
            yield Mention(node.lineno, ast.unparse(node.func), f"{ast.unparse(node.func)}() in a pure folder")


def declared_ports(tree: ast.Module, names: Names) -> set[int]:
    """Return the methods without a body in Protocol classes: they say who may wait, and do not wait."""
    ports: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and "typing.Protocol" in map(names.of, node.bases):
            methods = (method for method in node.body if isinstance(method, ast.AsyncFunctionDef))
            ports |= {id(method) for method in methods if is_bodiless(method)}
    return ports


def is_bodiless(method: ast.AsyncFunctionDef) -> bool:
    """Say whether there is nothing but a docstring and `...`."""
    return all(isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) for line in method.body)


def hidden_state(tree: ast.Module, names: Names) -> Iterator[Mention]:
    """Yield state that outlives a call: `global`, counters, module-level containers that functions change."""
    containers: set[str] = set()
    for target, value in module_level(tree):
        made = names.of(value.func) if isinstance(value, ast.Call) else None
        if made == "itertools.count":
            yield Mention(value.lineno, target, f"{target} is a counter that outlives the call")
        elif made in MUTABLE_MAKERS or isinstance(value, MUTABLE_DISPLAYS):
            containers.add(target)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from changes(function, containers - own_names(function))


def module_level(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name bound at module or class level, with the value it is bound to."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for statement in itertools.chain(tree.body, *(node.body for node in classes)):
        if isinstance(statement, ast.Assign):
            yield from ((ast.unparse(target), statement.value) for target in statement.targets)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield ast.unparse(statement.target), statement.value


def own_names(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Return the names a function binds itself: those are not the module's."""
    parameters = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    stores = (node for node in ast.walk(function) if isinstance(node, ast.Name))
    return parameters | {node.id for node in stores if isinstance(node.ctx, ast.Store)}


def changes(function: ast.AST, containers: Collection[str]) -> Iterator[Mention]:
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield Mention(node.lineno, "global", "`global` in a pure folder: state goes in and comes out")
        elif (changed := changed_name(node)) in containers:
            line = getattr(node, "lineno", 1)
            yield Mention(line, changed, f"{changed} is shared by all calls and changed here")


def changed_name(node: ast.AST) -> str:
    """Return the name of the container that this node writes into, or nothing."""
    holder: ast.AST | None = None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        holder = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        holder = node.func.value
    return holder.id if isinstance(holder, ast.Name) else ""


if __name__ == "__main__":
    sys.exit(main())
