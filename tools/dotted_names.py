"""Following names in a syntax tree back to the module they come from."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator


class Names:
    """Which dotted name each local name stands for, by the imports of the file (whatever their scope)."""

    def __init__(self, tree: ast.Module) -> None:
        self.origin: dict[str, str] = {}
        self.imported: list[tuple[int, str]] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._add_import(node)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                self._add_import_from(node, node.module)

    def _add_import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.imported.append((node.lineno, alias.name))
            top = alias.name.partition(".")[0]
            self.origin[alias.asname or top] = alias.name if alias.asname else top

    def _add_import_from(self, node: ast.ImportFrom, module: str) -> None:
        for alias in node.names:
            self.imported.append((node.lineno, f"{module}.{alias.name}"))
            self.origin[alias.asname or alias.name] = f"{module}.{alias.name}"

    def of(self, node: ast.AST) -> str | None:
        """Return the dotted name of a Name or Attribute chain; a name not imported stands for itself."""
        if isinstance(node, ast.Name):
            return self.origin.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.of(node.value)
            return None if owner is None else f"{owner}.{node.attr}"
        return None

    def uses(self, tree: ast.Module) -> Iterator[tuple[ast.Name | ast.Attribute, str]]:
        """Yield every whole chain that begins with an imported name (or with __import__)."""
        inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name | ast.Attribute) and id(node) not in inner:
                name = self.of(node)
                if name is not None and self._is_imported(node):
                    yield node, name

    def _is_imported(self, node: ast.expr) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and (node.id in self.origin or node.id == "__import__")


def is_within(name: str, entries: Collection[str]) -> bool:
    """Say whether a dotted name is one of the entries, or inside one."""
    return any(name == entry or name.startswith(entry + ".") for entry in entries)
