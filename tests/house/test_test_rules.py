"""What the check of the tests refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_tests import check


def faults(scratch: Path, text: str) -> list[str]:
    file = scratch / "tests" / "deep" / "sample.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return [str(fault) for fault in check(scratch)]


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep(0.1)\n",
        "from time import sleep\nsleep(1)\n",
        "import time as t\nt.sleep(0)\n",
        "import time\nwait = time.sleep\n",
        "import asyncio\nasync def rest():\n    await asyncio.sleep(0.01)\n",
        "from asyncio import sleep as rest\nasync def wait():\n    await rest(1)\n",
        "import asyncio\nasync def rest(seconds):\n    await asyncio.sleep(seconds)\n",
        "import asyncio\nwait = asyncio.sleep\n",
        "import unittest.mock\n",
        "from unittest import mock\n",
        "from unittest.mock import MagicMock\n",
        "def late():\n    import mock\n",
        "x = (\n",
    ],
)
def test_a_test_neither_sleeps_nor_mocks(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio\nasync def turn():\n    await asyncio.sleep(0)\n",
        "def test_it(clock):\n    clock.sleep(5)\n",
        "import unittest\n",
    ],
)
def test_letting_other_tasks_run_is_fine(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text) == []
