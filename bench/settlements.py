"""The ledger: transfers in large requests and one by one, and whether they get dearer as the ledger grows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from bench.decider_alone import DeciderAlone
from bench.harness import Bench, Row, Section, at_least, at_most, plain, ratio
from sheratan.contracts.ledger import ISSUE, Phase, Transfer
from sheratan.engine.commands import ApplyTransfers, Command, OpenAccount

__all__ = ["measure", "settled"]

PAYER, OPERATOR, UNIT = "tenant:acme", "operator", "credits"
WORKERS: Final = tuple(f"worker:w{number}" for number in range(10))
PER_REQUEST, REQUESTS = 126, 8
_TIMED: Final = 20
"""Commits of large requests that are timed."""


def measure(bench: Bench) -> Section:
    """A settlement is a reservation, its post and the worker's share: three transfers, of ten workers in turn.

    With a decider, a store on the disk and a virtual clock. Batched: 8 requests of 42 settlements in one commit. One by
    one: a request of three linked transfers in a commit of its own. Flat means: with the most transfers a settlement
    takes at most a tenth longer than with the fewest.
    """
    sizes = (1_000, 1_000_000) if not bench.is_quick else (1_000, 10_000)
    samples = bench.repeat(*(partial(settled, transfers=size, singles=bench.size(300, 30)) for size in sizes))
    rows: list[Row] = []
    for size in sizes:
        rows.append(plain(samples, _batched(size), "settlements/s", at_least(20_000)))
        rows.append(plain(samples, _alone(size), "settlements/s", at_least(2_500)))
    slower = ratio(samples[_batched(sizes[0])], samples[_batched(sizes[-1])])
    rows.append(Row(f"batched after {sizes[0]:,} over after {sizes[-1]:,}", slower, "times", at_most(1.1)))
    return Section("Settlements", measure.__doc__ or "", rows)


def settled(folder: Path, transfers: int, singles: int) -> dict[str, float]:
    """How many settlements a second does a ledger take that holds so many transfers?"""
    run = DeciderAlone(folder / "sheratan.db")
    run.turn(
        [OpenAccount(account=name, unit=UNIT, scale=2, reason="") for name in (PAYER, OPERATOR, *WORKERS)]
    )
    made = _transfers()
    run.turn([ApplyTransfers(transfers=(_move("f" * 32, ISSUE, PAYER, 1 << 50),), reason="")])
    for _ in range(transfers // (PER_REQUEST * REQUESTS)):
        run.turn(_requests(made))
    batches = [_requests(made) for _ in range(_TIMED)]
    began = time.perf_counter()
    for commands in batches:
        run.turn(commands)
    batched = _TIMED * REQUESTS * PER_REQUEST / 3 / (time.perf_counter() - began)
    alone = [ApplyTransfers(transfers=_linked(made), reason="") for _ in range(singles)]
    began = time.perf_counter()
    for command in alone:
        run.turn([command])
    one_by_one = singles / (time.perf_counter() - began)
    run.close()
    return {_batched(transfers): batched, _alone(transfers): one_by_one}


def _batched(size: int) -> str:
    return f"batched, {size:,} transfers"


def _alone(size: int) -> str:
    return f"one by one, {size:,} transfers"


def _requests(made: Iterator[tuple[Transfer, ...]]) -> list[Command]:
    return [
        ApplyTransfers(transfers=tuple(one for _ in range(PER_REQUEST // 3) for one in next(made)), reason="")
        for _ in range(REQUESTS)
    ]


def _linked(made: Iterator[tuple[Transfer, ...]]) -> tuple[Transfer, ...]:
    *others, last = next(made)
    return (*(replace(one, linked=True) for one in others), last)


def _transfers() -> Iterator[tuple[Transfer, ...]]:
    """Settlements: reserved, posted in part, shared with a worker. Ids go up, as those do that begin with the time."""
    for number in count():
        ids = [f"{number:020x}{part:012x}" for part in range(3)]
        yield (
            _move(ids[0], PAYER, OPERATOR, 10, phase="pending"),
            Transfer(id=f"transfer_{ids[1]}", phase="post", pending=f"transfer_{ids[0]}", amount=7),
            _move(ids[2], OPERATOR, WORKERS[number % len(WORKERS)], 5),
        )


def _move(digits: str, debit: str, credit: str, amount: int, phase: Phase = "single") -> Transfer:
    public_id = f"transfer_{digits}"
    return Transfer(id=public_id, phase=phase, debit=debit, credit=credit, unit=UNIT, amount=amount)
