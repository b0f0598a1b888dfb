"""The import contracts of pyproject.toml, held against a tiny package that breaks one at a time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools.source_tree import ROOT

LAWFUL = {
    "__init__.py": "from sheratan.sdk import job\ndef up() -> None:\n    import sheratan.wiring\n",
    "__main__.py": "from sheratan import wiring\n",
    "wiring.py": "from sheratan import cli, engine, gateway, kinds, sdk, settings, store\n",
    "settings.py": "import sheratan.contracts\n",
    "contracts/__init__.py": "import enum\nimport pydantic\n",
    "kernel/__init__.py": "import hashlib\nimport sheratan.contracts\n",
    "ambient/__init__.py": "import time\nimport sheratan.kernel\n",
    "store/__init__.py": "",
    "store/port.py": "import sheratan.ambient\nimport sheratan.kernel\n",
    "engine/__init__.py": "from sheratan.store import port\n",
    "gateway/__init__.py": "import sheratan.engine\n",
    "cli/__init__.py": "import sheratan.sdk\nimport sheratan.settings\n",
    "sdk/__init__.py": "import sheratan.contracts\ndef job() -> None: ...\n",
    "kinds/__init__.py": "import sheratan.sdk\nimport time\n",
}


def hold(scratch: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Write the files as a package beside our own configuration and check them."""
    shutil.copy(ROOT / "pyproject.toml", scratch)
    shutil.copytree(ROOT / "tools", scratch / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files.items():
        file = scratch / "src" / "sheratan" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return subprocess.run(
        [sys.executable, "-m", "tools.check_imports"],
        cwd=scratch,
        env={**os.environ, "PYTHONPATH": str(scratch / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_lawful_package_passes(tmp_path: Path) -> None:
    done = hold(tmp_path, LAWFUL)
    assert done.returncode == 0, done.stdout


def test_folders_that_do_not_exist_yet_are_tolerated(tmp_path: Path) -> None:
    done = hold(tmp_path, {"__init__.py": "", "contracts/__init__.py": ""})
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("kernel/__init__.py", "import sheratan.store", "kernel may not import sheratan.store"),
        ("store/port.py", "import sheratan.engine", "store.port may not|store is not allowed to import"),
        ("engine/__init__.py", "import sheratan.gateway", "engine may not import sheratan.gateway"),
        ("engine/__init__.py", "import sheratan.sdk", "engine may not import sheratan.sdk"),
        ("gateway/__init__.py", "import sheratan.kinds", "gateway may not import sheratan.kinds"),
        ("gateway/__init__.py", "import sheratan.cli", "gateway may not import sheratan.cli"),
        ("gateway/__init__.py", "import sheratan.settings", "gateway may not import sheratan.settings"),
        ("sdk/__init__.py", "import sheratan.engine", "sdk may not import sheratan.engine"),
        ("sdk/__init__.py", "import sheratan.ambient", "sdk may not import sheratan.ambient"),
        ("kinds/__init__.py", "import sheratan.kernel", "kinds may not import sheratan.kernel"),
        ("kinds/__init__.py", "import sheratan.settings", "kinds may not import sheratan.settings"),
        ("cli/__init__.py", "import sheratan.store.port", "cli may not import sheratan.store.port"),
        ("cli/__init__.py", "import sheratan.gateway", "cli may not import sheratan.gateway"),
        ("contracts/__init__.py", "import sheratan.kernel", "contracts may not import sheratan.kernel"),
        ("engine/__init__.py", "import sheratan", "engine may not import sheratan "),
        ("__main__.py", "import sheratan.cli", "__main__ may not import sheratan.cli"),
        ("__init__.py", "import sheratan.engine", "sheratan may not import sheratan.engine"),
        ("settings.py", "import sheratan.ambient", "settings may not import sheratan.ambient"),
    ],
)
def test_an_arrow_that_the_design_does_not_have_fails(
    tmp_path: Path, file: str, line: str, complaint: str
) -> None:
    done = hold(tmp_path, {**LAWFUL, file: f"{LAWFUL[file]}{line}\n"})
    assert done.returncode == 1
    assert re.search(complaint, done.stdout), done.stdout


@pytest.mark.parametrize(
    "hidden",
    [
        "def late() -> None:\n    import sheratan.store\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import sheratan.store\n",
        "from .. import store\n",
    ],
    ids=["in a function", "for types only", "relative"],
)
def test_an_import_counts_wherever_it_hides(tmp_path: Path, hidden: str) -> None:
    done = hold(tmp_path, {**LAWFUL, "kernel/__init__.py": hidden})
    assert done.returncode == 1
    assert "sheratan.kernel may not import sheratan.store" in done.stdout


@pytest.mark.parametrize("module", ["time", "os", "logging", "asyncio", "apsw", "click", "uuid"])
@pytest.mark.parametrize("folder", ["kernel", "contracts"])
def test_the_pure_folders_import_nothing_that_acts(tmp_path: Path, folder: str, module: str) -> None:
    done = hold(tmp_path, {**LAWFUL, f"{folder}/act.py": f"def act() -> None:\n    import {module}\n"})
    assert done.returncode == 1
    assert f"sheratan.{folder}.act may not import {module}" in done.stdout


@pytest.mark.parametrize("newcomer", ["utils/__init__.py", "helpers.py"])
def test_a_newcomer_without_a_place_fails(tmp_path: Path, newcomer: str) -> None:
    done = hold(tmp_path, {**LAWFUL, newcomer: ""})
    assert done.returncode == 1
    assert "sheratan." + newcomer.partition("/")[0].removesuffix(".py") in done.stdout


def test_a_file_that_does_not_parse_fails(tmp_path: Path) -> None:
    done = hold(tmp_path, {**LAWFUL, "engine/broken.py": "def (:\n"})
    assert done.returncode != 0


def test_every_layer_also_has_its_list_of_arrows() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = {
        name
        for contract in contracts
        for layer in contract.get("layers", [])
        for name in re.findall(r"\w+", layer)
    }
    listed = {source for contract in contracts for source in contract.get("sources", [])}
    assert listed == {"sheratan"} | {f"sheratan.{layer}" for layer in layers}
