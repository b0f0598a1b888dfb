"""Clients of the ledger as processes of their own: they ask for the same transfers, and again when nobody answers."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any, TypedDict

from sheratan import Client, Transfer, transfer_id
from sheratan.contracts.errors import Conflict, Unavailable
from sheratan.contracts.values import convert

__all__ = ["ACCOUNTS", "UNIT", "Trade", "open_accounts", "trade"]

ACCOUNTS = ("tenant:a", "tenant:b", "operator", "worker:w", "provider:p")
UNIT = "credits"
_AGAIN_SECONDS = 0.02
_CLOSES_IN = 60
"""One of so many reservations closes an account."""


class Trade(TypedDict):
    """What one process asks for: so many callers, so many requests of each, ids among so many, drawn from a seed."""

    callers: int
    requests: int
    ids: int
    seed: int


def open_accounts(data: str) -> None:
    """Open the accounts, and give the first one something."""

    async def work() -> None:
        async with await Client.connect(Path(data)) as client:
            for account in ACCOUNTS:
                await client.open_account(account, UNIT)
            await client.grant(ACCOUNTS[0], 10_000, UNIT, name="grant")

    asyncio.run(work())


def trade(data: str, log: str, plan: Trade) -> None:
    """Ask for transfers, and write down what was answered."""
    asyncio.run(_trade(Path(data), Path(log), plan))


async def _trade(data: Path, log: Path, plan: Trade) -> None:
    with log.open("a") as lines:
        draws = [_draw(plan["seed"], number) for number in range(plan["callers"])]
        callers = [_call(data, lines, plan, draw) for draw in draws]
        await asyncio.gather(*callers)


def _draw(seed: int, number: int) -> random.Random:
    """The draws of one caller."""
    return random.Random(seed * 1_000 + number)  # noqa: S311 - a run must repeat, not surprise


async def _call(data: Path, lines: Any, plan: Trade, draw: random.Random) -> None:
    client: Client | None = None
    sent: list[str] = []
    for _ in range(plan["requests"]):
        wanted = _request(draw, plan["ids"], sent)
        while True:
            try:
                client = client or await Client.connect(data)
                # Some ask twice at once: both may come into one batch, or one of them after the death of the server.
                asked = [client.apply_transfers(wanted) for _ in range(draw.choice((1, 1, 1, 2)))]
                answers = await asyncio.gather(*asked)
            except Conflict:
                break
            except Unavailable:
                if client is not None:
                    await client.close()
                client = None
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            for answer in answers:
                lines.write(json.dumps([[one.id, one.result, one.amount] for one in answer]) + "\n")
            lines.flush()
            break
    if client is not None:
        await client.close()


def _request(draw: random.Random, ids: int, sent: list[str]) -> list[Transfer]:
    """A few transfers, some of them bound to each other; ids are few enough to meet."""
    found = [_transfer(draw, ids, sent) for _ in range(draw.choice((1, 1, 2, 3)))]
    if len(found) == 1 or draw.random() < 0.5:
        return [convert(one, Transfer) for one in found]
    last = len(found) - 1
    return [convert(one | {"linked": place < last}, Transfer) for place, one in enumerate(found)]


def _transfer(draw: random.Random, ids: int, sent: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"id": transfer_id(str(draw.randrange(ids)))}
    sent.append(told["id"])
    # Mostly one of its own, and now and then one that nobody has sent yet, or another caller has.
    other = draw.choice((*sent[-6:], transfer_id(str(draw.randrange(ids)))))
    what = draw.random()
    if what < 0.2:
        return told | {"corrects": other, "amount": draw.choice((None, 1, 3))}
    if what < 0.35:
        return told | {"phase": "post", "pending": other, "amount": draw.choice((None, 0, 2))}
    if what < 0.45:
        return told | {"phase": "void", "pending": other}
    debit, credit = draw.sample((*ACCOUNTS, "system:issue"), 2)
    told |= {"debit": debit, "credit": credit, "unit": UNIT, "amount": draw.choice((1, 5, 40, 900))}
    if what < 0.7:
        told["phase"] = "pending"
        if draw.randrange(_CLOSES_IN) == 0:
            told["closes"] = draw.choice(("debit", "credit"))
    elif what < 0.8:
        told["balancing"] = draw.choice(("debit", "credit"))
    return told
