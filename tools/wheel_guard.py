"""A pytest plugin for the wheel test: refuse a `sheratan` that comes from the source tree."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tools.source_tree import ROOT


def pytest_sessionstart() -> None:
    """Ask where an import would find the package, once the path is final."""
    spec = find_spec("sheratan")
    refuse_source(spec.origin if spec else None)


def pytest_collection_finish() -> None:
    """Look at what the collected tests did import; runs in every xdist worker."""
    refuse_source(getattr(sys.modules.get("sheratan"), "__file__", None))


def refuse_source(file: str | None) -> None:
    if file is not None and Path(file).is_relative_to(ROOT / "src"):
        raise pytest.UsageError(f"sheratan would come from {file}, not from the installed wheel")
