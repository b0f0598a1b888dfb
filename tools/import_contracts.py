"""The import-linter contract type `arrows`: an allow-list of what a folder may import.

It stands beside the layers in pyproject.toml. Layers order the folders in one line; the design is a tree.
An allow-list says exactly which lower folders a branch sees, and (with `externals_too`) which packages
from outside, the standard library included. Imports inside functions and under TYPE_CHECKING count,
because the graph holds them. A source that does not exist yet is skipped: the exhaustive layers contract
already fails for a folder without a place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grimp import ImportGraph


class Arrows(Contract):
    """Each source may import itself, what `may_import` names, and nothing else of the root package."""

    type_name = "arrows"

    sources = fields.SetField(subfield=fields.StringField())
    may_import = fields.SetField(subfield=fields.StringField())
    # Hold imports of other packages and of the standard library against the list, too.
    externals_too = fields.BooleanField(required=False, default=False)
    # The source is that one module, not the package below it (for the facade).
    only_itself = fields.BooleanField(required=False, default=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Collect every import of the sources that the list does not cover."""
        del verbose
        broken: list[str] = []
        for source in sorted(_names(self.sources)):
            allowed = _names(self.may_import) | (set() if self.only_itself else {source})
            for module in self._modules_of(source, graph):
                broken += self._strays(module, allowed, graph)
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line per import that is not allowed."""
        broken: list[str] = check.metadata["broken"]
        for line in broken:
            output.print_error(line)
        output.new_line()

    def _modules_of(self, source: str, graph: ImportGraph) -> list[str]:
        if source not in graph.modules:
            return []
        return [source] if self.only_itself else sorted({source, *graph.find_descendants(source)})

    def _strays(self, module: str, allowed: Iterable[str], graph: ImportGraph) -> list[str]:
        root = module.partition(".")[0]
        strays: list[str] = []
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            is_internal = imported == root or imported.startswith(root + ".")
            if not is_internal and not self.externals_too:
                continue
            if not any(imported == name or imported.startswith(name + ".") for name in allowed):
                details = graph.get_import_details(importer=module, imported=imported)
                lines = ", ".join(f"l.{detail['line_number']}" for detail in details)
                strays.append(f"{module} may not import {imported} ({lines})")
        return strays


def _names(field: Any) -> set[str]:
    """Read a field: on an instance it holds the parsed set, unlike its declared type says."""
    return set(field)
