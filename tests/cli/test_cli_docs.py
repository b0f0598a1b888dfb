"""The reference pages are what the program says, and a drift is shown."""

from __future__ import annotations

from pathlib import Path

from sheratan.contracts.errors import error_classes
from sheratan.contracts.journal import ENTRY_TYPES
from sheratan.contracts.methods import METHODS
from sheratan.kernel.rules import registered_rules
from sheratan.settings import setting_names
from tools import generate_docs
from tools.reference_pages import pages


def test_everything_that_can_be_looked_up_is_on_a_page() -> None:
    found = pages()
    assert all(f"`{name}`" in found["settings.md"] for name in setting_names())
    assert all(f"`{code}`" in found["errors.md"] for code in error_classes())
    assert all(f"`{entry_type}`" in found["events.md"] for entry_type in ENTRY_TYPES)
    assert all(f"`{method}`" in found["api.md"] for method in METHODS)
    assert all(f"## {rule}" in found["rules.md"] for rule in registered_rules())
    assert "## sheratan journal verify" in found["cli.md"]
    assert "running --> succeeded: job.succeeded" in found["states.md"]


def test_a_drift_is_shown_line_by_line(tmp_path: Path) -> None:
    wanted = {"cli.md": "# One\nnew\n"}
    (tmp_path / "cli.md").write_text("# One\nold\n", "utf-8")
    (fault,) = generate_docs.drift(tmp_path, wanted)
    assert "-old\n+new" in fault
    generate_docs.write(tmp_path, wanted)
    assert generate_docs.drift(tmp_path, wanted) == []


def test_a_page_that_is_missing_is_a_drift(tmp_path: Path) -> None:
    assert len(generate_docs.drift(tmp_path, {"cli.md": "# One\n"})) == 1
