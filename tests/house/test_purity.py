"""What the purity check refuses, where, and what it lets pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_purity import EXEMPTIONS, Exemption, check
from tools.source_tree import ROOT


def faults(scratch: Path, folder: str, text: str, *exemptions: Exemption) -> list[str]:
    file = scratch / "src" / "sheratan" / folder / "sample.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return [str(fault) for fault in check(scratch, exemptions)]


@pytest.mark.parametrize("folder", ["kernel", "contracts"])
@pytest.mark.parametrize(
    "text",
    [
        "import time\n",
        "import time as t\n",
        "from time import monotonic\n",
        "import random\n",
        "from uuid import uuid4\n",
        "import secrets\n",
        "import os\nhome = os.environ\n",
        "from os import getenv\n",
        "import logging\n",
        "import threading\n",
        "import socket\n",
        "import asyncio\n",
        "import subprocess\n",
        "from pathlib import Path\n",
        "import concurrent.futures\n",
        "def late():\n    import time\n",
        "async def wait(): ...\n",
        "async def wait(other):\n    await other\n",
        "from datetime import datetime\nat = datetime.now()\n",
        "import datetime\nat = datetime.datetime.utcnow()\n",
        "import datetime as d\nday = d.date.today()\n",
        "from datetime import datetime as moment\ndef make(clock=moment.now): ...\n",
        "from datetime import *\n",
        "text = open('x').read()\n",
        "print('x')\n",
        "value = eval('1')\n",
        "os = __import__('os')\n",
        "from itertools import count\nids = count()\n",
        "import itertools\nclass Ids:\n    numbers = itertools.count(1)\n",
        "seen = 0\ndef see():\n    global seen\n    seen += 1\n",
        "cache = {}\ndef remember(key):\n    cache[key] = 1\n",
        "cache: dict[str, int] = dict()\ndef forget(key):\n    del cache[key]\n",
        "seen = []\ndef see(x):\n    seen.append(x)\n",
        "from collections import defaultdict\nseen = defaultdict(int)\ndef see(x):\n    seen[x] += 1\n",
    ],
)
def test_a_pure_folder_holds_no_effect_and_no_hidden_state(tmp_path: Path, folder: str, text: str) -> None:
    assert faults(tmp_path, folder, text)


@pytest.mark.parametrize(
    "text",
    [
        "from datetime import UTC, datetime\nat = datetime.fromtimestamp(0, UTC)\n",
        "TABLE = {'a': 1}\ndef look(key):\n    return TABLE[key]\n",
        "def collect(items):\n    found = []\n    found.append(items)\n    return found\n",
        "names = []\ndef collect(names):\n    names.append(1)\n",
        "import re\nWORD = re.compile('x')\n",
        "class Job:\n    input: str\n    open: bool = True\n",
        "from itertools import count\ndef number(items):\n    return dict(zip(count(), items))\n",
    ],
)
def test_a_pure_folder_may_compute(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, "kernel", text) == []


PORT = "from typing import Protocol\nclass Port(Protocol):\n    async def call(self) -> int:\n"


def test_contracts_may_declare_who_waits(tmp_path: Path) -> None:
    assert faults(tmp_path, "contracts", PORT + '        """Wait."""\n        ...\n') == []


def test_contracts_may_not_wait_themselves(tmp_path: Path) -> None:
    assert faults(tmp_path, "contracts", PORT + "        return await self.call()\n")


def test_the_kernel_may_not_even_declare_it(tmp_path: Path) -> None:
    assert faults(tmp_path, "kernel", PORT + "        ...\n")


@pytest.mark.parametrize("folder", ["engine", "store", "gateway", "sdk", "."])
@pytest.mark.parametrize(
    "text",
    [
        "import time\nnow = time.time()\n",
        "import time\ndef run(clock=time.monotonic): ...\n",
        "from time import perf_counter as tick\n",
        "import time\nclock = time\n",
        "import time\ntime.sleep(1)\n",
        "from time import *\n",
        "from datetime import datetime\nat = datetime.now()\n",
        "import random\n",
        "from random import choice\n",
        "import uuid\n",
        "from secrets import token_hex\n",
        "import os\nseed = os.urandom(8)\n",
        "import asyncio\nasync def first(tasks):\n    await asyncio.wait(tasks)\n",
        "from asyncio import as_completed\n",
        "import importlib\nhidden = importlib.import_module('sheratan.store')\n",
        "hidden = __import__('time')\n",
    ],
)
def test_the_host_is_reached_through_ambient_only(tmp_path: Path, folder: str, text: str) -> None:
    assert faults(tmp_path, folder, text)


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio\nasync def x(a):\n    await asyncio.sleep(1)\n    await asyncio.wait_for(a, 1)\n",
        "import time\ntext = time.strftime('%Y', (2026,) * 9)\n",
        "from datetime import datetime\ndef later(at: datetime) -> datetime:\n    return at\n",
        "def choose(random):\n    return random.choice([1])\n",
        "import os\nhome = os.environ\n",
    ],
)
def test_code_that_leaves_the_clock_alone_passes(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, "engine", text) == []


@pytest.mark.parametrize("folder", ["ambient", "kinds", "cli"])
def test_the_folders_at_the_border_may_touch_the_host(tmp_path: Path, folder: str) -> None:
    assert faults(tmp_path, folder, "import time\nnow = time.time()\n") == []


def test_even_there_no_import_hides(tmp_path: Path) -> None:
    assert faults(tmp_path, "kinds", "from importlib import import_module\nimport_module('x')\n")


def test_a_file_that_does_not_parse_fails(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "engine", "x = (\n")
    assert "does not parse" in found


def test_an_exemption_covers_one_name_in_one_file(tmp_path: Path) -> None:
    exemption = Exemption("src/sheratan/engine/sample.py", "time.sleep", "a reason")
    text = "import time\ntime.sleep(1)\ntime.time()\n"
    (found,) = faults(tmp_path, "engine", text, exemption)
    assert "time.time" in found


def test_an_exemption_that_matches_nothing_fails(tmp_path: Path) -> None:
    exemption = Exemption("src/sheratan/engine/sample.py", "time.sleep", "a reason")
    (found,) = faults(tmp_path, "engine", "x = 1\n", exemption)
    assert "remove it" in found


def test_every_exemption_has_a_reason_and_a_file() -> None:
    assert all(len(e.reason) > 20 and (ROOT / e.path).is_file() for e in EXEMPTIONS)
