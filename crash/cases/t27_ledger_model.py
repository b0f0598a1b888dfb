"""T27: 64 clients at five hot accounts, through kills: the ledger is that of a model, at each step, and adds up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from crash.case import Case, Outcome, Run
from crash.ledger_clients import ACCOUNTS, UNIT, Trade
from crash.nursery import Nursery
from crash.server import Server
from sheratan.ambient.clock import SystemClock
from sheratan.contracts.journal import Entry
from sheratan.contracts.ledger import Transfer
from sheratan.contracts.values import convert
from sheratan.engine.verify import verify_opened
from sheratan.kernel.chain import decode_entry
from sheratan.simulation.model_book import ModelAccount, ModelBook
from sheratan.store.sqlite.reader import SqliteReader
from sheratan.store.sqlite.store import open_reader

__all__ = ["CASE"]

_SECONDS_MAX = 600.0


def run(run: Run) -> Outcome:
    """Kill the server again and again while its clients go on."""
    return _trade(run, run.size(slice=4, full=200))


def control(run: Run) -> Outcome:
    """A server for which what is reserved is there to be given away once more."""
    return _trade(run, 1, "forget-reservations")


def _trade(run: Run, kills: int, faults: str = "") -> Outcome:
    outcome, logs = Outcome(), list[Path]()
    server = Server(run.folder / "data", faults=faults)
    with Nursery("crash.ledger_clients") as nursery:
        try:
            server.start()
            server.wait_ready()
            children = []
            for number in range(run.size(slice=2, full=4)):
                logs.append(run.folder / f"answers-{number}")
                plan: Trade = {
                    "callers": run.size(slice=8, full=16),
                    "requests": run.size(slice=25, full=1_500),
                    "ids": run.size(slice=250, full=40_000),
                    "seed": run.seed + number,
                }
                if not number:
                    nursery.start("crash.ledger_clients:open_accounts", str(server.data)).wait(30)
                children.append(
                    nursery.start("crash.ledger_clients:trade", str(server.data), str(logs[-1]), plan)
                )
            for _ in range(kills):
                server.wait(run.draw.uniform(0.1, 1.0))
                server.kill()
                server.start()
                server.wait_ready()
            for child in children:
                if not child.wait(_SECONDS_MAX):
                    outcome.violations.append(f"a client had no answer after {_SECONDS_MAX:g} s")
                    child.kill()
            server.stop()
        finally:
            server.close()
    opener = partial(open_reader, server.data / "sheratan.db", clock=SystemClock().monotonic_us)
    outcome.violations += [str(problem) for problem in verify_opened(opener).problems[:10]]
    reader = opener()
    try:
        _judge(reader, logs, outcome)
    finally:
        reader.close()
    outcome.figures["kills"] = kills
    return outcome


def _judge(reader: SqliteReader, logs: list[Path], outcome: Outcome) -> None:
    """Each step against the model, then the answers, the tables and the journal."""
    found, model = outcome.violations, ModelBook(lambda name: None)
    model.accounts = {(name, UNIT): ModelAccount(0, 0) for name in (*ACCOUNTS, "system:issue")}
    steps = 0
    for entry in _about_transfers(reader):
        steps += 1
        said = [tuple(one) for one in (entry.decision or {})["chosen"]]
        meant = _meant(model, entry)
        if said != meant:
            found.append(f"entry {entry.seq} says {said}; the model says {meant}")
    stored = {(row.name, row.unit): balance[1:5] for row, balance in reader.all_ledger_accounts()}
    wanted = {key: (one.giving, one.given, one.taking, one.taken) for key, one in model.accounts.items()}
    if stored != wanted:
        found.append(f"the accounts are {stored}; the model says {wanted}")
    sums = [sum(one[place] - one[place + 2] for one in stored.values()) for place in (0, 1)]
    if sums != [0, 0]:
        found.append(f"debits less credits are {sums}")
    answered = _check_answers(logs, model, found)
    found += [f"{check}: {about} {text}" for check, about, text in reader.ledger_findings()]
    outcome.figures |= {
        "requests decided": steps,
        "transfers applied": len(model.transfers),
        "answers": answered,
        "corrected": sum(one.corrected > 0 for one in model.transfers.values()),
    }
    del found[20:]


def _about_transfers(reader: SqliteReader) -> Iterator[Entry]:
    for _, _, body in reader.pages():
        for line in body.split(b"\n"):
            entry = decode_entry(line)
            if entry.type in ("ledger.transferred", "ledger.refused"):
                yield entry


def _meant(model: ModelBook, entry: Entry) -> list[tuple[str, Any]]:
    """What becomes of the transfers of a request by the model."""
    given = (entry.decision or {})["input"]
    model.at_us = entry.at
    model.begin_request()
    outcomes: list[tuple[str, Any]] = []
    chain: list[Transfer] = []
    for told in given["transfers"]:
        chain.append(_asked(told, given["accounts"]))
        if not chain[-1].linked:
            outcomes += model.chain(chain)
            chain = []
    return outcomes


def _asked(told: dict[str, Any], accounts: list[list[Any]]) -> Transfer:
    """A transfer as it was asked for, of what its decision was told."""
    asked = dict(told)
    for side in ("debit", "credit"):
        if side in told:
            asked[side], asked["unit"] = accounts[told[side]][:2]
    return convert(asked, Transfer)


def _check_answers(logs: list[Path], model: ModelBook, found: list[str]) -> int:
    """What was answered as applied, or as found, is so; gives how many answers there were."""
    count = 0
    for log in logs:
        for line in log.read_text().splitlines():
            for public_id, result, amount in json.loads(line):
                count += 1
                known = model.transfers.get(public_id)
                if result in ("applied", "exists") and (known is None or known.amount != amount):
                    found.append(f"{public_id} was answered as {result} with {amount}; it is {known}")
    return count


CASE = Case(
    id="T27",
    name="ledger-model",
    promise="64 clients at 5 hot accounts, duplicates and kills: each request comes out as a model says, no answer is"
    " lost, and the sum is 0",
    run=run,
    control=control,
    control_does="a server that gives away what is reserved",
)
