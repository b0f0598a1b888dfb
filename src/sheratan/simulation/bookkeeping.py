"""What simulated clients do with the ledger: open accounts, move amounts, reserve, resolve, and ask again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec.structs import replace

from sheratan.contracts import api
from sheratan.contracts.errors import SheratanError
from sheratan.contracts.ledger import AMOUNT_MAX, ISSUE, Transfer, transfer_id
from sheratan.simulation.choices import Choices

__all__ = ["LedgerClient"]

_NAMES: Final = ("tenant:a", "operator", "worker:w")
_UNITS: Final = ("credits", "credits", "credits", "tokens")
_AMOUNTS: Final = (1, 5, 20, 20, 60, 60, 1_000)
_LOST: Final = ("timed_out", "disconnected")


class LedgerClient:
    """The part of a client that keeps accounts."""

    def __init__(self, name: str, ask: Callable[[api.Request], Awaitable[Any]], choices: Choices) -> None:
        self._name = name
        self._ask = ask
        self._choices = choices
        self._sent: list[Transfer] = []
        self._made = 0

    async def act(self) -> None:
        """Open an account now and then, grant something, and ask for transfers, some of them once more."""
        draw = self._choices
        if draw.between("ledger.open", 0, 9) == 0:
            await self._open()
        unit = draw.pick("ledger.unit", _UNITS)
        for account in draw.pick("ledger.opened", (*(_NAMES,) * 7, ())):
            await self._ask(api.OpenAccount(account=account, unit=unit))
        amount = draw.pick("ledger.grant", (20, 20, 60, 60, 60, 200, 200, 200, 200, AMOUNT_MAX))
        await self._send([self._move(ISSUE, draw.pick("ledger.payer", _NAMES[:2]), unit, amount)])
        for _ in range(draw.between("ledger.requests", 3, 9)):
            await self._send(await self._draw_request(unit))
            await asyncio.sleep(draw.pick("ledger.pause", (0.0, 0.0, 0.0, 0.0, 0.3, 3.5)))

    async def _open(self) -> None:
        draw = self._choices
        account, unit = draw.pick("ledger.account", (*_NAMES, ISSUE)), draw.pick("ledger.unit", _UNITS)
        scale = draw.pick("ledger.scale", (None, 0, 2))
        await self._ask(api.OpenAccount(account=account, unit=unit, scale=scale, reason="a test"))

    async def _draw_request(self, unit: str) -> list[Transfer]:
        """Some transfers, maybe bound to each other; of those that are pending some are resolved."""
        draw = self._choices
        page = await self._ask(api.ListTransfers(limit=500))
        open_ones = [one.id for one in page.items if one.state == "pending" and one.unit == unit]
        found: list[Transfer] = []
        for _ in range(draw.between("ledger.count", 1, 4)):
            one = self._draw_transfer(open_ones, unit)
            if found and draw.chance("ledger.other_of_an_id", 150):
                one = replace(self._draw_move(unit), id=found[-1].id)
            found.append(one)
            if found[-1].phase == "pending":
                open_ones.append(found[-1].id)
        if not draw.chance("ledger.chain", 350):
            return [replace(one, linked=False) for one in found]
        return self._chained(found, unit)

    def _affordable(self, unit: str, count: int) -> list[Transfer]:
        """Moves that can be paid, but for one now and then, which undoes those before it if it is bound to them."""
        draw = self._choices
        moves = [
            self._move(draw.pick("ledger.affords_it", _NAMES[:2]), "worker:w", unit, 1) for _ in range(count)
        ]
        if draw.chance("ledger.fails", 400):
            moves[draw.between("ledger.fails_at", 0, count - 1)] = self._resolution(transfer_id("none"))
        return moves

    def _chained(self, found: list[Transfer], unit: str) -> list[Transfer]:
        """Transfers bound to each other, now and then without an end or with one id for two; others may follow."""
        draw = self._choices
        if draw.chance("ledger.affords", 500):
            found = self._affordable(unit, len(found))
        if len(found) > 1 and draw.chance("ledger.twice_in_chain", 250):
            found[1] = replace(found[1], id=found[0].id)
        last = len(found) - draw.pick("ledger.chain_end", (1, 1, 1, 0, 2, 3))
        return [replace(one, linked=place < last) for place, one in enumerate(found)]

    def _draw_transfer(self, open_ones: list[str], unit: str) -> Transfer:
        what = self._choices.between("ledger.kind", 0, 10)
        if what < 5 and open_ones:
            return self._resolution(self._choices.pick("ledger.pending", open_ones[-4:]))
        if what >= 9 and self._sent:
            return self._correction()
        if what in (6, 7):
            return self._resolution(self._out_of_time() if what == 7 else transfer_id("none"))
        return self._sent_before() if what == 5 and self._sent else self._draw_move(unit)

    def _out_of_time(self) -> str:
        """A reservation whose time may be over by now."""
        timed = [one.id for one in self._sent if one.timeout_seconds]
        return self._choices.pick("ledger.timed", timed[-6:] or [transfer_id("none")])

    def _draw_move(self, unit: str) -> Transfer:
        draw = self._choices
        debit = draw.pick("ledger.debit", (*_NAMES[:1] * 3, *_NAMES[1:]))
        credit = draw.pick("ledger.credit", [name for name in (*_NAMES, ISSUE) if name != debit])
        move = self._move(debit, credit, unit, draw.pick("ledger.amount", _AMOUNTS))
        balancing = draw.pick("ledger.balancing", (None, None, None, "debit", "credit"))
        if balancing is not None:
            return replace(move, balancing=balancing)
        if draw.chance("ledger.reserve", 600):
            closes = draw.pick("ledger.closes", (*(None,) * 12, "debit", "credit"))
            timeout = draw.pick("ledger.timeout", (1, 3) if closes else (None, None, 1, 3, 60))
            amount = 0 if closes else move.amount
            return replace(move, phase="pending", timeout_seconds=timeout, closes=closes, amount=amount)
        return move

    def _move(self, debit: str, credit: str, unit: str, amount: int) -> Transfer:
        return Transfer(id=self._new_id(), debit=debit, credit=credit, unit=unit, amount=amount)

    def _resolution(self, pending: str) -> Transfer:
        if self._choices.chance("ledger.void", 400):
            return Transfer(id=self._new_id(), phase="void", pending=pending)
        amount = self._choices.pick("ledger.post", (None, None, 0, 3, 30))
        return Transfer(id=self._new_id(), phase="post", pending=pending, amount=amount)

    def _correction(self) -> Transfer:
        """Of something that was asked for, whether it has moved anything or not."""
        original = self._choices.pick("ledger.original", self._sent[-12:])
        amount = self._choices.pick("ledger.undone", (None, None, 1, 1, 20))
        return Transfer(id=self._new_id(), corrects=original.id, amount=amount)

    def _sent_before(self) -> Transfer:
        """The same again, or something else under the same id."""
        before = self._choices.pick("ledger.again", self._sent[-6:])
        if before.amount and self._choices.chance("ledger.otherwise", 300):
            return replace(before, amount=before.amount - 1 or 2)
        return before

    def _new_id(self) -> str:
        self._made += 1
        return transfer_id(f"{self._name}-{self._made}")

    async def _send(self, transfers: list[Transfer]) -> None:
        """Ask until it is known what became of them: the ids see to it that nothing moves twice."""
        self._sent += transfers
        request = api.ApplyTransfers(transfers=transfers, reason="a test")
        if self._choices.chance("ledger.twice", 150):
            # Both may come into one batch.
            await asyncio.gather(self._ask(request), self._ask(request))
            return
        for _ in range(4):
            try:
                await self._ask(request)
            except SheratanError as error:
                if error.code not in _LOST:
                    raise
                await asyncio.sleep(0.1)
            else:
                return
