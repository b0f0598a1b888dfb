"""Names in a Python function: which modules they were imported from, and what hides them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


Bindings = dict[str, str | None]


def own_nodes(function: ast.AST, *, into_classes: bool = True) -> Iterator[ast.AST]:
    """The nodes that run when the function (or module) itself runs, in source order.

    Bodies of nested functions and lambdas are left out; their decorators and defaults are not.
    The bodies of classes run with the function, but the names in them are not names of it.
    The walk uses no recursion, since deeply nested source would exhaust it.
    """
    if isinstance(function, FunctionNode):
        stack: list[ast.AST] = list(reversed(function.body))
    else:
        stack = list(reversed(list(ast.iter_child_nodes(function))))
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, FunctionNode):
            stack += [*node.decorator_list, *_defaults(node.args)]
        elif isinstance(node, ast.ClassDef) and not into_classes:
            stack += [*node.decorator_list, *node.bases]
        elif isinstance(node, ast.Lambda):
            stack += _defaults(node.args)
        else:
            stack += reversed(list(ast.iter_child_nodes(node)))


def functions_of(tree: ast.Module) -> Iterator[tuple[FunctionNode, str, tuple[ast.AST, ...]]]:
    """Every function with its qualified name and its enclosing scopes, the module first."""
    stack: list[tuple[ast.AST, str, tuple[ast.AST, ...]]] = [(tree, "", (tree,))]
    while stack:
        node, prefix, scopes = stack.pop()
        for child in reversed(list(ast.iter_child_nodes(node))):
            if isinstance(child, FunctionNode):
                stack.append((child, f"{prefix}{child.name}.", (*scopes, child)))
            elif isinstance(child, ast.ClassDef):
                stack.append((child, f"{prefix}{child.name}.", scopes))
            else:
                stack.append((child, prefix, scopes))
        if isinstance(node, FunctionNode):
            yield node, prefix[:-1], scopes[:-1]


def bindings(scope: ast.AST) -> Bindings:
    """What each name bound in a scope stands for: an imported dotted name, or None if unknown."""
    names: Bindings = {}
    imported: Bindings = {}
    for node in own_nodes(scope, into_classes=False):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported.update(_imports(node))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names[node.id] = None
        elif isinstance(node, FunctionNode | ast.ClassDef):
            names[node.name] = None
    if isinstance(scope, FunctionNode):
        names.update(dict.fromkeys(_parameters(scope.args)))
    # An import wins over an assignment: `try: import x / except ImportError: x = None` is common.
    return names | imported


def resolve(node: ast.expr, scopes: list[Bindings]) -> str | None:
    """The dotted name an expression stands for, given the bindings of its scopes, inner first.

    A plain name bound nowhere is a builtin. None means that the name cannot be known.
    """
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    for scope in scopes:
        if node.id in scope:
            base = scope[node.id]
            return None if base is None else ".".join([base, *reversed(parts)])
    return None if parts else node.id


def _imports(node: ast.Import | ast.ImportFrom) -> Bindings:
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: alias.name
            if alias.asname
            else alias.name.partition(".")[0]
            for alias in node.names
        }
    # A relative import never names one of the modules that are searched for.
    module = "." * node.level + (node.module or "")
    return {alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names}


def _parameters(arguments: ast.arguments) -> list[str]:
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    listed += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
    return [argument.arg for argument in listed]


def _defaults(arguments: ast.arguments) -> list[ast.AST]:
    return [default for default in (*arguments.defaults, *arguments.kw_defaults) if default is not None]
