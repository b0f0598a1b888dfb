"""T29: amounts that are none, over the socket: each is refused with a stable code, and no balance changes."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sheratan
from crash.case import Case, Outcome, Run
from sheratan import Client
from sheratan.contracts.ledger import Transfer, transfer_id
from sheratan.contracts.values import convert
from sheratan.kernel import ledger

__all__ = ["CASE"]

_UNIT = "credits"
_WRONG = (
    "-1", "-9007199254740991", "0.5", "1e-9", "-0.1", "NaN", "Infinity", "-Infinity", "9007199254740992",
    "9223372036854775808", "1e400", "true", "false", '"1"', '"\u0661"', '"1e3"', '""', "[]", "[1]", "{}",
)  # fmt: skip
"""As they stand in a line of JSON: none of these is an amount, whatever else it may be."""

_CODES = ("invalid_input",)
_MOVE: dict[str, Any] = {"debit": "tenant:a", "credit": "operator", "unit": _UNIT, "amount": 5}


def run(run: Run) -> Outcome:
    """Every wrong value in every place that takes an amount; at full size many times more, in drawn places."""
    return asyncio.run(_abuse(run.folder / "data", run.draw, run.size(slice=40, full=20_000)))


def control(run: Run) -> Outcome:
    """A ledger that does not compare the amount of a transfer that is asked for again."""
    with _amounts_forgotten():
        return asyncio.run(_abuse(run.folder / "data", run.draw, 5))


@contextmanager
def _amounts_forgotten() -> Generator[None]:
    compared = ledger._COMPARED
    setattr(ledger, "_COMPARED", tuple(name for name in compared if name != "amount"))  # noqa: B010 - it is final
    try:
        yield
    finally:
        setattr(ledger, "_COMPARED", compared)  # noqa: B010 - it is final


async def _abuse(data: Path, draw: random.Random, drawn: int) -> Outcome:
    outcome = Outcome()
    async with sheratan.open(data, []) as client:
        await _open(client)
        before = await _stands(client)
        places = _places()
        tries = [(place, value) for place in places for value in _WRONG]
        tries += [(draw.choice(places), draw.choice(_WRONG)) for _ in range(drawn)]
        reader, writer = await asyncio.open_unix_connection(str(data / "sheratan.sock"))
        for number, ((method, params), value) in enumerate(tries, 1):
            line = json.dumps({"id": number, "method": method, "params": params}).replace('"WRONG"', value)
            writer.write(line.encode() + b"\n")
            answer = json.loads(await reader.readline())
            code = (answer.get("error") or {}).get("code")
            if code not in _CODES:
                outcome.violations.append(f"{line} was answered with {answer}")
        writer.close()
        if await _stands(client) != before:
            outcome.violations.append("what was refused has changed an account or the journal")
        outcome.violations += await _use_ids_again(client)
        outcome.violations += [str(found) for found in await client.check_ledger()]
    outcome.figures |= {"requests": len(tries), "values": len(_WRONG), "places": len(places)}
    return outcome


async def _open(client: Client) -> None:
    for account in ("tenant:a", "operator"):
        await client.open_account(account, _UNIT)
    await client.grant("tenant:a", 1_000, _UNIT, name="grant")
    for name, phase in (("moved", "single"), ("reserved", "pending")):
        await client.transfer(_move(name, {"phase": phase}))


def _move(name: str, more: dict[str, Any]) -> Transfer:
    return convert({"id": transfer_id(name)} | _MOVE | more, Transfer)


async def _stands(client: Client) -> list[Any]:
    """All balances, and the newest entry about each account."""
    return (await client.accounts()).items


def _places() -> list[tuple[str, dict[str, Any]]]:
    """Requests in which one value is to be replaced."""
    new = {"id": transfer_id("new")}
    transfers: list[dict[str, Any]] = [
        new | _MOVE | {"amount": "WRONG"},
        new | _MOVE | {"phase": "pending", "amount": "WRONG"},
        new | _MOVE | {"phase": "pending", "timeout_seconds": "WRONG"},
        new | _MOVE | {"balancing": "debit", "amount": "WRONG"},
        new | _MOVE | {"phase": "pending", "closes": "debit", "amount": "WRONG"},
        new | {"phase": "post", "pending": transfer_id("reserved"), "amount": "WRONG"},
        new | {"corrects": transfer_id("moved"), "amount": "WRONG"},
    ]
    return [
        *[("ledger.apply", {"transfers": [transfer]}) for transfer in transfers],
        ("ledger.open_account", {"account": "worker:w", "unit": "other", "scale": "WRONG"}),
        ("price.set", {"kind": "k", "unit": _UNIT, "amount": "WRONG"}),
        ("budget.set", {"subject": "tenant:default", "unit": _UNIT, "amount": "WRONG"}),
    ]


async def _use_ids_again(client: Client) -> list[str]:
    """What was applied is found by its id; with another amount it is refused by that field, and moves nothing."""
    found: list[str] = []
    before = [(one.account, one.available) for one in await _stands(client)]
    for amount in (1, 4, 6, 1_000):
        [answer] = await client.apply_transfers([_move("moved", {"amount": amount})])
        if (answer.result, answer.field) != ("id_reused", "amount"):
            found.append(f"the id of 5 that were moved was used for {amount}, and that is {answer.result}")
    if [(one.account, one.available) for one in await _stands(client)] != before:
        found.append("an id that was used again has moved something")
    return found


CASE = Case(
    id="T29",
    name="money-abuse",
    promise="what is no amount, wherever one is taken, and an id with another amount: refused with a stable code, and"
    " no balance changes",
    run=run,
    control=control,
    control_does="a ledger that does not compare amounts where an id is used again",
)
