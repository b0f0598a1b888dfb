"""Prices in the tests' world."""

from __future__ import annotations

from sheratan.engine.commands import PriceKind
from tests.engine.booking import move, opened, seen
from tests.engine.world import World

__all__ = ["PAYER", "price", "priced"]

PAYER = "tenant:default"


def priced(
    world: World, amount: int = 50, has: int = 1_000, *, metered: bool = False, worker_share: bool = False
) -> None:
    """Jobs of `work` cost something, and the tenant has so much."""
    opened(world, PAYER)
    price(world, amount, metered=metered, worker_share=worker_share)
    if has:
        assert seen(world, move(0, has, "system:issue", PAYER)) == [("applied", has)]


def price(
    world: World,
    amount: int | None,
    kind: str = "work",
    *,
    metered: bool = False,
    worker_share: bool = False,
) -> int:
    """Set a price, or remove it."""
    unit = None if amount is None else "credits"
    command = PriceKind(
        kind=kind,
        unit=unit,
        amount=amount,
        metered=metered,
        worker_share=worker_share,
        reason="it is not free",
    )
    entry: int = world.ask(command)
    return entry
