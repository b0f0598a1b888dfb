"""How soon a command asks its server: what it imports first."""

from __future__ import annotations

import subprocess
import sys

import pytest

_GROUPS = ("approval", "dlq", "job", "kind", "ledger", "queue", "retention", "schedule", "tenant")
_SLOW = ("sheratan.engine", "structlog", "prometheus_client")
_LISTED = f"print(*(name for name in sys.modules if name.startswith({_SLOW})))"


@pytest.mark.parametrize("group", _GROUPS)
def test_who_asks_a_server_does_not_wait_for_the_engine_to_be_imported(group: str) -> None:
    code = f"import sys, sheratan.cli.{group}; {_LISTED}"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
