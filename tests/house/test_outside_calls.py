"""What the check of outside calls refuses, and what it lets pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_outside_calls import EXEMPTIONS, Exemption, check
from tools.source_tree import ROOT

UNGUARDED = [
    "import asyncio\nasync def ask():\n    await asyncio.open_connection('h', 1)\n",
    "from asyncio import open_connection as reach\nway = reach\n",
    "import socket\nsocket.create_connection(('h', 1))\n",
    "import socket\nraw = socket.socket()\n",
    "import smtplib\nsmtplib.SMTP('h')\n",
    "import urllib.request\nurllib.request.urlopen('http://h')\n",
    "from urllib.request import urlopen\nopener = urlopen\n",
    "from http.client import HTTPConnection\nHTTPConnection('h')\n",
    "import httpx\nclient = httpx.AsyncClient()\n",
    "import subprocess\nsubprocess.run(['ssh', 'h'])\n",
    "import os\nos.system('ssh h')\n",
    "from sheratan.ambient.http import connect\nasync def ask(at, threads):\n    await connect(at, threads)\n",
    "import asyncio\nasync def ask(loop):\n    await loop.create_connection(asyncio.Protocol, 'h', 1)\n",
    "import asyncio\nasync def ask(x):\n    async with x.lock():\n        await asyncio.open_connection('h', 1)\n",
    "import socket\ndef ask(ctx):\n    with ctx.guard('h'):\n"
    "        return lambda: socket.create_connection(('h', 1))\n",
]

GUARDED = [
    "import asyncio\nasync def ask(ctx):\n    async with ctx.guard('h'):\n"
    "        await asyncio.open_connection('h', 1)\n",
    "import socket\ndef ask(ctx):\n    with ctx.guard('h') as call:\n"
    "        if call:\n            socket.create_connection(('h', 1), call.timeout_seconds)\n",
    "import asyncio\nasync def ask(guard):\n    async with guard():\n"
    "        await asyncio.open_connection('h', 1)\n",
    "import socket\nname = socket.gethostname()\n",
    "import asyncio\npipe = asyncio.subprocess.PIPE\n",
    "text = 'import httpx'\n",
]


def faults(scratch: Path, text: str, *exemptions: Exemption) -> list[str]:
    file = scratch / "src" / "sheratan" / "kinds" / "sample.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return [str(fault) for fault in check(scratch, exemptions)]


@pytest.mark.parametrize("text", UNGUARDED)
def test_a_way_out_without_a_guard_is_a_fault(tmp_path: Path, text: str) -> None:
    [found] = faults(tmp_path, text)
    assert found.startswith("src/sheratan/kinds/sample.py:")
    assert "leads out of the program" in found


@pytest.mark.parametrize("text", GUARDED)
def test_a_way_out_in_the_block_of_a_guard_passes_and_so_does_what_leads_nowhere(
    tmp_path: Path, text: str
) -> None:
    assert faults(tmp_path, text) == []


def test_an_exemption_covers_one_name_in_one_file_and_has_to_match_something(tmp_path: Path) -> None:
    exemption = Exemption("src/sheratan/kinds/sample.py", "smtplib.SMTP", "a reason")
    assert faults(tmp_path, "import smtplib\nsmtplib.SMTP('h')\n", exemption) == []
    assert len(faults(tmp_path, "import ftplib\nftplib.FTP('h')\n", exemption)) == 2


def test_every_way_out_of_the_program_is_known_with_a_reason() -> None:
    assert check(ROOT, EXEMPTIONS) == []
    assert all(len(e.reason) > 40 and (ROOT / e.path).is_file() for e in EXEMPTIONS)
    without = check(ROOT, ())
    assert {fault.path for fault in without} == {e.path for e in EXEMPTIONS}
