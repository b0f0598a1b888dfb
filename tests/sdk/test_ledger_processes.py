"""Several processes at one ledger: what they all ask for happens once, and nothing that one of them does is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support import running_server

PROGRAM = """
import asyncio, sys
from sheratan import Client, Transfer, transfer_id

async def main(data, process):
    async with await Client.connect(data) as client:
        for number in range(50):
            told = {"debit": "tenant:acme", "credit": "operator", "unit": "credits"}
            charge = Transfer(id=transfer_id(f"job-{number}"), amount=10, linked=True, **told)
            payout = Transfer(
                id=transfer_id(f"job-{number}/payout"), debit="operator", credit="worker:w", unit="credits", amount=8
            )
            own = Transfer(id=transfer_id(f"{process}-{number}"), amount=1, **told)
            print(*[one.result for one in await client.apply_transfers([charge, payout, own])])

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""
PROCESSES = 4


def test_what_four_processes_ask_for_is_charged_once_and_what_each_does_is_kept(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", []) as server:
        for account in ("tenant:acme", "operator", "worker:w"):
            server.cli("ledger", "open", account, "--unit", "credits")
        server.cli("ledger", "grant", "tenant:acme", "1000", "--unit", "credits")
        running = [
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), str(number)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(PROCESSES)
        ]
        told = [line.split() for one in running for line in one.communicate(timeout=100)[0].splitlines()]
        assert [one.returncode for one in running] == [0] * PROCESSES
        charges = [charge for charge, _, _ in told]
        assert (charges.count("applied"), charges.count("exists")) == (50, 150)
        assert all(charge == payout for charge, payout, _ in told)
        assert [own for _, _, own in told] == ["applied"] * 200
        listed = json.loads(server.cli("ledger", "accounts", "-o", "json").stdout)["items"]
        assert {one["account"]: one["available"] for one in listed} == {
            "system:issue": -1_000, "tenant:acme": 1_000 - 500 - 200, "operator": 500 + 200 - 400, "worker:w": 400,
        }  # fmt: skip
        assert server.cli("ledger", "check").returncode == 0
